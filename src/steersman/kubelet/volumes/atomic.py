"""The atomic writer: a set of files that changes as a whole, as projected volumes promise.

Files live in a directory of their own whose name is a time stamp; ``..data`` is a symbolic link to it that is
replaced by rename; the user-visible names are links through ``..data``.  A reader sees the old set or the new one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

DATA = "..data"
_NEW_DATA = "..data_tmp"


class Projected(msgspec.Struct, frozen=True):
    """A file: its content, its permission bits, and its owner where that is not root."""

    content: bytes
    mode: int = 0o644
    owner: int | None = None


class InvalidPath(ValueError):
    """A path that would leave the volume."""


def check_path(path: str) -> str:
    """A relative path inside the volume; raises InvalidPath."""
    parts = path.split("/")
    if not path or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise InvalidPath(f"invalid path in a volume: {path!r}")
    return os.path.normpath(path)


def write(directory: Path, files: Mapping[str, Projected], *, group: int | None = None) -> bool:
    """Make the directory hold exactly these files; returns whether anything changed."""
    wanted = {check_path(path): file for path, file in files.items()}
    if _current(directory) == {path: (file.content, file.mode) for path, file in wanted.items()}:
        return False
    stamp = datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S.")
    fresh = Path(tempfile.mkdtemp(prefix=stamp, dir=directory))
    fresh.chmod(0o755)
    for path, file in wanted.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        if group is not None or file.owner is not None:
            os.chown(target, -1 if file.owner is None else file.owner, -1 if group is None else group)
        target.chmod(file.mode | (0o440 if group is not None else 0))
    old = directory / DATA
    previous = os.readlink(old) if old.is_symlink() else ""
    link = directory / _NEW_DATA
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.rename(old)  # MUST come before the user-visible links: they point through it
    _link_names(directory, {path.split("/")[0] for path in wanted})
    if previous:
        shutil.rmtree(directory / previous, ignore_errors=True)
    return True


def _link_names(directory: Path, names: set[str]) -> None:
    for name in names:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")
    for entry in directory.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()


def _current(directory: Path) -> dict[str, tuple[bytes, int]] | None:
    data = directory / DATA
    if not data.is_symlink() or not data.exists():
        return None
    found: dict[str, tuple[bytes, int]] = {}
    real = data.resolve()
    for base, _, names in os.walk(real):
        for name in names:
            path = Path(base, name)
            mode = path.stat().st_mode & 0o7777
            found[str(path.relative_to(real))] = (path.read_bytes(), mode)
    return found
