"""``steersman images``: archives in and out, without a registry."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from steersman.kubelet.containerd import Containerd
from steersman.kubelet.images import ImageError, ImageFile, build_image

from . import parts
from .config import ClusterConfig, ConfigError


def import_archives(config: ClusterConfig, archives: Sequence[Path]) -> list[str]:
    """Import archives into the running node's containerd; return the names of their images."""
    containerd = Containerd(parts.containerd_config(config))
    if not containerd.alive():
        raise ConfigError("the node does not run; start it with: steersman up")

    async def work() -> list[str]:
        names = []
        for archive in archives:
            names += await containerd.importer.import_archive(archive)
        return names

    try:
        return asyncio.run(work())
    except ImageError as error:
        raise ConfigError(str(error)) from error


def build_archive(
    tag: str, archive: Path, files: Sequence[str], links: Sequence[str], busybox: Path | None, command: str | None
) -> None:
    """Write an image archive.

    ``files`` are ``SOURCE:TARGET``, ``links`` are ``TARGET:NAME``; ``busybox`` adds that program and a link in
    ``/bin`` for each of its applets.
    """
    content: dict[str, ImageFile | bytes | Path] = {}
    for text in files:
        source, target = _pair(text, "--file")
        content[target] = Path(source)
    for text in links:
        target, name = _pair(text, "--link")
        content[name] = ImageFile(link=target)
    if busybox is not None:
        content["/bin/busybox"] = busybox
        for applet in _applets(busybox):
            content.setdefault(f"/bin/{applet}", ImageFile(link="/bin/busybox"))
        content.setdefault("/tmp", ImageFile(mode=0o1777))  # noqa: S108 - inside the image
    settings: dict[str, object] = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
    if command:
        settings["Cmd"] = shlex.split(command)
    archive.parent.mkdir(parents=True, exist_ok=True)
    try:
        build_image(tag, content, settings, archive)
    except (ImageError, OSError) as error:
        raise ConfigError(f"cannot build {tag}: {error}") from error


def _pair(text: str, option: str) -> tuple[str, str]:
    first, separator, second = text.partition(":")
    if not separator or not first or not second.startswith("/"):
        raise ConfigError(f"{option} {text!r} is not of the form SOURCE:/TARGET")
    return first, second


def _applets(busybox: Path) -> list[str]:
    try:
        listing = subprocess.run([busybox, "--list"], capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigError(f"{busybox} is not a busybox: {error}") from error
    return listing.stdout.split()
