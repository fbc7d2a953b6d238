"""The mounts of this machine, as far as they concern the kubelet."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

MNT_DETACH = 2
MS_BIND = 4096


def mounts_below(directory: Path) -> list[str]:
    """The mount points at or below a directory, deepest first."""
    prefix = os.path.realpath(directory)
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4])
        if point == prefix or point.startswith(prefix + "/"):
            found.append(point)
    return sorted(found, key=len, reverse=True)


def unmount(path: str) -> None:
    """Detach a mount; one that is none is no error."""
    _libc.umount2(path.encode(), MNT_DETACH)


def unmount_below(directory: Path) -> None:
    """Detach every mount at or below a directory."""
    for _ in range(3):
        points = mounts_below(directory)
        if not points:
            return
        for point in points:
            unmount(point)


def mount(source: str, target: str, filesystem: str, flags: int = 0, options: str = "") -> None:
    """Attach a filesystem; raises OSError with what the kernel said."""
    result = _libc.mount(source.encode(), target.encode(), filesystem.encode(), flags, options.encode() or None)
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"mount {target}: {os.strerror(number)}")


def is_mount_point(path: Path) -> bool:
    """Whether something is mounted exactly here."""
    real = os.path.realpath(path)
    return real in mounts_below(path)
