"""Huge pages for a large heap: without them, a process with a hundred thousand objects waits for the page tables.

Python asks for memory 1 MiB at a time, which the kernel does not back with pages of 2 MiB by itself: each is touched
before its neighbour is there.  It does so afterwards when it is told to (madvise(2), MADV_COLLAPSE, Linux 6.1).
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

SIZE = 2 << 20
"""Bytes of a huge page, for pages of 4 KiB."""

LARGE = 256 << 20
"""Resident bytes from which on it is worth the trouble."""

INTERVAL = 2.0
"""Seconds between two looks."""

FILLED = 7 / 8
"""Only what is in use nearly everywhere: the rest of a huge page is taken from others."""

_PAGE = resource.getpagesize()
_COLLAPSE = 25


class HugePages:
    """What of this process lies on huge pages already, or was tried once."""

    def __init__(self) -> None:
        self._tried: set[int] = set()
        self._resident = 0
        self._vector = (ctypes.c_ubyte * (SIZE // _PAGE))()
        arguments = (ctypes.c_size_t, ctypes.c_size_t)
        # Looking is quick and keeps the interpreter's lock; collapsing copies, and lets it go.
        self._mincore = ctypes.PyDLL(None, use_errno=True).mincore
        self._mincore.argtypes = (*arguments, ctypes.c_void_p)
        self._madvise = ctypes.CDLL(None, use_errno=True).madvise
        self._madvise.argtypes = (*arguments, ctypes.c_int)

    async def keep(self) -> None:
        """Look after a process that grows, until cancelled or the kernel refuses."""
        while True:
            await asyncio.sleep(INTERVAL)
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
            if resident >= LARGE and abs(resident - self._resident) >= SIZE:
                self._resident = resident
                try:
                    await asyncio.to_thread(self.collapse)
                except OSError as error:
                    log.info("no huge pages: %s", error.strerror)
                    return

    def collapse(self) -> int:
        """Move what fills huge pages onto such; returns how many.  Raises OSError where the kernel does not do that."""
        pieces = [*_pieces(Path("/proc/self/maps").read_text().splitlines())]
        self._tried.intersection_update(pieces)
        count = 0
        for address in pieces:
            if address not in self._tried and self._is_filled(address):
                self._tried.add(address)
                if self._madvise(address, SIZE, _COLLAPSE) == 0:
                    count += 1
                elif ctypes.get_errno() == errno.EINVAL:
                    raise OSError(errno.EINVAL, "the kernel has none, or they are switched off")
        return count

    def _is_filled(self, address: int) -> bool:
        if self._mincore(address, SIZE, self._vector):
            return False  # it went meanwhile
        return bytes(self._vector).count(1) >= FILLED * len(self._vector)


def _pieces(maps: Iterable[str]) -> Iterator[int]:
    """The addresses of what could be huge pages, from the lines of proc_pid_maps(5)."""
    for line in maps:
        span, mode, _, _, inode, *name = line.split(maxsplit=5)
        if mode == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            first, end = (int(each, 16) for each in span.split("-"))
            yield from range(-(-first // SIZE) * SIZE, end // SIZE * SIZE, SIZE)
