"""A cluster's directory, which goes with it.  What a killed process left goes when the next cluster comes.

Whether its owner lives is said by a lock in it, of which the kernel lets go when a process ends, however that happens;
so neither numbers of processes that come again nor containers that share the directory deceive anybody.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path

PREFIX = "steersman-testing-"
LOCK = "lock"

YOUNG = 60.0
"""Seconds: the lock of a directory that has just been made may not be held yet."""


class OwnDirectory:
    """A new one in the directory for temporary files, of this process until it is removed."""

    def __init__(self) -> None:
        sweep()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._remove = weakref.finalize(self, _remove, str(self.path), os.getpid())
        self._lock = open(self.path / LOCK, "wb")  # noqa: SIM115 - held until the directory goes
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove it, and whatever is in it."""
        self._remove()
        self._lock.close()


def _remove(path: str, owner: int) -> None:
    """As its owner: a fork of that process ends, too, and removes nothing."""
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)


def sweep() -> None:
    """Remove those whose owners are no more."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with contextlib.suppress(OSError):  # somebody else's, or somebody is faster
                    _sweep(entry.path)


def _sweep(path: str) -> None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # others may put what they like into that directory
    with open(os.open(os.path.join(path, LOCK), flags), "rb", buffering=0) as lock:
        if time.time() - os.fstat(lock.fileno()).st_mtime > YOUNG:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
