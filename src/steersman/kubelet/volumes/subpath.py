"""``subPath``: a file or directory inside a volume, resolved without ever leaving it.

The path is walked component by component with ``O_NOFOLLOW`` from the volume's own descriptor, and what the last
descriptor names is bind-mounted, so that a link swapped in afterwards changes nothing (CVE-2017-1002101).
"""

from __future__ import annotations

import os
from pathlib import Path

from steersman.kubelet.mounts import MS_BIND, is_mount_point, mount, unmount


class SubpathError(Exception):
    """The path leaves the volume, or cannot be made."""


def bind(volume: Path, subpath: str, target: Path) -> Path:
    """Bind ``subpath`` of a volume to ``target`` and return that; a missing directory is made.

    Projected volumes reach their files by links of their own making: those are followed as long as the result
    stays inside.  What is bound already stays if it is still what the path leads to, and is replaced if the volume
    has changed since: a file that is gone could not be mounted into a container.
    """
    parts = [part for part in subpath.split("/") if part not in ("", ".")]
    if ".." in parts or subpath.startswith("/"):
        raise SubpathError(f"subPath {subpath!r} must stay inside its volume")
    root = os.path.realpath(volume)
    real = os.path.realpath(os.path.join(root, *parts))
    if real != root and not real.startswith(root + "/"):
        raise SubpathError(f"subPath {subpath!r} leads out of its volume")
    if is_mount_point(target):
        if os.path.exists(real) and os.path.samefile(real, target):
            return target
        unmount(str(target))
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        for part in os.path.relpath(real, root).split("/"):
            if part == ".":
                continue
            try:
                following = os.open(part, os.O_PATH | os.O_NOFOLLOW, dir_fd=descriptor)
            except FileNotFoundError:
                os.mkdir(part, 0o750, dir_fd=descriptor)
                os.chmod(part, 0o755, dir_fd=descriptor)  # noqa: S103 - containers of any user enter it
                following = os.open(part, os.O_PATH | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = following
            if os.path.islink(f"/proc/self/fd/{descriptor}") and _is_link(descriptor):
                raise SubpathError(f"subPath {subpath!r} changed while it was opened")
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            target.mkdir(exist_ok=True)
        else:
            target.touch()
        mount(f"/proc/self/fd/{descriptor}", str(target), "", MS_BIND)
    except OSError as error:
        raise SubpathError(f"cannot set up subPath {subpath!r}: {error}") from error
    finally:
        os.close(descriptor)
    return target


def _is_link(descriptor: int) -> bool:
    import stat

    return stat.S_ISLNK(os.fstat(descriptor).st_mode)
