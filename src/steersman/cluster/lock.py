"""One server and one agent for a data directory: a second is refused before it has changed anything there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from .config import ClusterConfig, ConfigError

PATIENCE = 10.0
"""Seconds that a process has to end whose supervisor was killed."""


@contextlib.contextmanager
def held(config: ClusterConfig, role: str = "server", patience: float = 0.0) -> Iterator[None]:
    """Hold the data directory's lock for a role; the kernel releases it when the process ends, however that happens.

    ``patience`` is how many seconds another process of that role may have that is just ending.
    """
    path = config.root / f"{role}.lock"
    try:
        config.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"cannot write to {config.root}: {error.strerror}; run as root, or choose another --data-dir"
        ) from error
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    message = f"another {role} works with {config.root}; end it, or choose another --data-dir"
                    raise ConfigError(message) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
