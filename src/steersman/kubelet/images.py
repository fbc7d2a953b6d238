"""Images without a registry: building them from local files, and importing them from archives.

Archives are OCI layouts that carry docker's ``manifest.json`` as well, so every runtime's importer takes them.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from .pause import pause_binary

PAUSE_IMAGE = "steersman.io/pause:1"

PINNED_LABELS = {"io.cri-containerd.pinned": "pinned"}

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class ImageError(Exception):
    """An archive cannot be read or imported; the message names it and the cause."""


class ImageFile(msgspec.Struct, frozen=True):
    """One entry of an image: a file's content, a symbolic link's target, or (with neither) a directory."""

    content: bytes | None = None
    link: str = ""
    mode: int = 0o755


def architecture() -> str:
    """The machine's architecture under the name that images and nodes use."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def build_image(
    tag: str, files: Mapping[str, ImageFile | bytes | Path], config: Mapping[str, object], destination: Path
) -> Path:
    """Write an archive with one image of one layer; the same input gives the same bytes.

    ``files`` maps absolute paths to what is there (bytes and local files become executables); parent directories
    are made.  ``config`` is OCI's: ``Entrypoint``, ``Cmd``, ``Env``, ``WorkingDir``, ``User``, ``ExposedPorts``.
    """
    layer = _layer(files)
    diff_id = "sha256:" + hashlib.sha256(layer).hexdigest()
    image = _json(
        {
            "architecture": architecture(),
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": dict(config),
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "steersman"}],
        }
    )
    layer_media, config_media = "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.config.v1+json"
    manifest_media = "application/vnd.oci.image.manifest.v1+json"
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": manifest_media,
            "config": _descriptor(config_media, image),
            "layers": [_descriptor(layer_media, layer)],
        }
    )
    index_entry = _descriptor(manifest_media, manifest)
    index_entry["annotations"] = {
        "io.containerd.image.name": qualified(tag),
        "org.opencontainers.image.ref.name": tag.rpartition(":")[2],
    }
    index_entry["platform"] = {"architecture": architecture(), "os": "linux"}
    blobs = {_blob(data): data for data in (layer, image, manifest)}
    members = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "manifests": [index_entry]}),
        "manifest.json": _json([{"Config": _blob(image), "RepoTags": [qualified(tag)], "Layers": [_blob(layer)]}]),
        **blobs,
    }
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(destination, "w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return destination


def qualified(image: str) -> str:
    """An image's complete reference: ``busybox`` is ``docker.io/library/busybox:latest``."""
    domain, slash, rest = image.partition("/")
    if not slash or not ("." in domain or ":" in domain or domain == "localhost"):
        rest = image if slash else f"library/{image}"
        domain = "docker.io"
    if "@" not in rest and ":" not in rest.rpartition("/")[2]:
        rest += ":latest"
    return f"{domain}/{rest}"


def build_pause_image(destination: Path) -> Path:
    """The archive of the sandbox image."""
    config = {"Entrypoint": ["/pause"], "User": "65535:65535"}
    return build_image(PAUSE_IMAGE, {"/pause": pause_binary()}, config, destination)


def archive_tags(archive: Path) -> list[str]:
    """The complete names of the images in an archive; raises ImageError when it is none."""
    try:
        with tarfile.open(archive) as tar:
            names = {name.removeprefix("./"): name for name in tar.getnames()}
            if "index.json" in names:
                index = json.loads((tar.extractfile(names["index.json"]) or io.BytesIO()).read())
                found = [m.get("annotations", {}).get("io.containerd.image.name", "") for m in index["manifests"]]
                if any(found):
                    return [tag for tag in found if tag]
            if "manifest.json" in names:
                manifest = json.loads((tar.extractfile(names["manifest.json"]) or io.BytesIO()).read())
                return [qualified(tag) for image in manifest for tag in image.get("RepoTags") or []]
    except (tarfile.TarError, OSError, ValueError, KeyError) as error:
        cause = str(error).partition("\n")[0].rstrip(":")
        raise ImageError(f"{archive} is not an image archive: {cause}") from error
    raise ImageError(f"{archive} is not an image archive: it has neither index.json nor manifest.json")


class Importer:
    """Imports archives into one containerd by ``ctr``, each content once."""

    def __init__(self, socket: Path, snapshotter: str, stamps: Path) -> None:
        self._socket = socket
        self._snapshotter = snapshotter
        self._stamps = stamps

    async def import_archive(self, archive: Path) -> list[str]:
        """Import one archive; returns the names of its images."""
        tags = await asyncio.to_thread(archive_tags, archive)
        await self._ctr("images", "import", "--snapshotter", self._snapshotter, str(archive))
        if tags == [PAUSE_IMAGE]:
            labels = [f"{key}={value}" for key, value in PINNED_LABELS.items()]
            await self._ctr("images", "label", PAUSE_IMAGE, *labels)
        return tags

    async def import_images(self, directory: Path) -> list[str]:
        """Import every ``*.tar`` and ``*.tar.gz`` of a directory that was not yet; returns the names that are new."""
        if not directory.is_dir():
            raise ImageError(f"{directory}: no such directory of image archives")
        known: dict[str, list[int]] = {}
        if self._stamps.exists():
            known = json.loads(self._stamps.read_text())
        present = set((await self._ctr("images", "list", "-q")).split())
        new: list[str] = []
        for archive in sorted([*directory.glob("*.tar"), *directory.glob("*.tar.gz"), *directory.glob("*.tgz")]):
            stat = archive.stat()
            stamp = [stat.st_size, stat.st_mtime_ns]
            if known.get(str(archive)) == stamp and present.issuperset(await asyncio.to_thread(archive_tags, archive)):
                continue
            new += await self.import_archive(archive)
            known[str(archive)] = stamp
            self._stamps.parent.mkdir(parents=True, exist_ok=True)
            self._stamps.write_text(json.dumps(known))
        return new

    async def _ctr(self, *arguments: str) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                "ctr", "--address", str(self._socket), "--namespace", "k8s.io", *arguments,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise ImageError("ctr is missing: install the package containerd") from error
        out, err = await process.communicate()
        if process.returncode:
            raise ImageError(f"ctr {' '.join(arguments)}: {err.decode(errors='replace').strip()}")
        return out.decode(errors="replace")


def _layer(files: Mapping[str, ImageFile | bytes | Path]) -> bytes:
    entries: dict[str, ImageFile] = {}
    for path, what in files.items():
        if isinstance(what, bytes):
            what = ImageFile(what)
        elif isinstance(what, Path):
            what = ImageFile(what.read_bytes())
        name = path.strip("/")
        for parent in list(Path(name).parents)[:-1]:
            entries.setdefault(str(parent), ImageFile())
        entries[name] = what
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, what in sorted(entries.items()):
            entry = tarfile.TarInfo(name)
            entry.mode = what.mode
            if what.link:
                entry.type, entry.linkname = tarfile.SYMTYPE, what.link
                tar.addfile(entry)
            elif what.content is None:
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            else:
                entry.size = len(what.content)
                tar.addfile(entry, io.BytesIO(what.content))
    return buffer.getvalue()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _blob(data: bytes) -> str:
    return "blobs/sha256/" + hashlib.sha256(data).hexdigest()


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": "sha256:" + hashlib.sha256(data).hexdigest(), "size": len(data)}
