"""The kinds of volume that a node provides by itself, one function each, in one table."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from steersman.api import quantity
from steersman.api.types.core_v1 import (
    ConfigMap,
    Container,
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    Secret,
    ServiceAccountTokenProjection,
    Volume,
)
from steersman.kubelet.downward import DownwardError, field_value, resource_value
from steersman.kubelet.environment import ConfigError
from steersman.kubelet.mounts import is_mount_point, mount

from . import atomic
from .atomic import Projected


class VolumeError(Exception):
    """A volume cannot be provided now: ``FailedMount`` with this message, and another try later."""


class VolumeSources(Protocol):
    """Where content comes from."""

    async def config_map(self, namespace: str, name: str, *, optional: bool) -> ConfigMap | None: ...

    async def secret(self, namespace: str, name: str, *, optional: bool) -> Secret | None: ...

    async def service_account_token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> str: ...


class VolumeContext(msgspec.Struct, frozen=True):
    """What a plugin needs to know besides the volume itself."""

    pod: Pod
    sources: VolumeSources
    directory: Path
    pod_ips: list[str]
    host_ips: list[str]
    node_allocatable: Mapping[str, str]
    cluster_domain: str = "cluster.local"

    @property
    def group(self) -> int | None:
        """The pod's ``fsGroup``."""
        context = self.pod.spec.security_context
        return context.fs_group if context is not None else None


Plugin = Callable[[Volume, VolumeContext], Awaitable[Path]]


def plugin_of(volume: Volume) -> tuple[str, Plugin]:
    """The plugin's directory name and the plugin of a volume; raises VolumeError for kinds that there are none for."""
    for attribute, (name, plugin) in PLUGINS.items():
        if getattr(volume, attribute) is not None:
            return name, plugin
    raise VolumeError(f'no volume plugin matched the volume "{volume.name}"')


async def _empty_dir(volume: Volume, context: VolumeContext) -> Path:
    source = volume.empty_dir
    assert source is not None
    path = context.directory
    fresh = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory":
        if not is_mount_point(path):
            options = f"size={quantity.value(source.size_limit)}" if source.size_limit else ""
            mount("tmpfs", str(path), "tmpfs", 0, options)
            fresh = True
    elif source.medium.startswith("HugePages"):
        raise VolumeError("emptyDir on huge pages is not supported")
    if fresh:
        path.chmod(0o777)
        set_group(path, context.group)
    return path


async def _host_path(volume: Volume, context: VolumeContext) -> Path:
    source = volume.host_path
    assert source is not None
    path = Path(source.path)
    match source.type:
        case "DirectoryOrCreate":
            path.mkdir(parents=True, exist_ok=True, mode=0o755)
        case "FileOrCreate":
            if not path.exists():
                path.touch(mode=0o644)
    checks: dict[str, tuple[Callable[[int], bool], str]] = {
        "Directory": (stat.S_ISDIR, "a directory"),
        "DirectoryOrCreate": (stat.S_ISDIR, "a directory"),
        "File": (stat.S_ISREG, "a file"),
        "FileOrCreate": (stat.S_ISREG, "a file"),
        "Socket": (stat.S_ISSOCK, "a socket file"),
        "CharDevice": (stat.S_ISCHR, "a character device"),
        "BlockDevice": (stat.S_ISBLK, "a block device"),
    }
    if source.type in checks:
        test, words = checks[source.type]
        try:
            right = test(path.stat().st_mode)
        except OSError:
            right = False
        if not right:
            raise VolumeError(f"hostPath type check failed: {path} is not {words}")
    return path


async def _config_map(volume: Volume, context: VolumeContext) -> Path:
    source = volume.config_map
    assert source is not None
    optional = bool(source.optional)
    content = await context.sources.config_map(context.pod.metadata.namespace, source.name, optional=optional)
    files = project(_config_map_data(content), source.items, source.default_mode, optional, "configmap")
    return _write(context, files)


async def _secret(volume: Volume, context: VolumeContext) -> Path:
    source = volume.secret
    assert source is not None
    optional = bool(source.optional)
    content = await context.sources.secret(context.pod.metadata.namespace, source.secret_name, optional=optional)
    files = project(dict(content.data) if content else None, source.items, source.default_mode, optional, "secret")
    return _write(context, files, memory=True)


async def _downward_api(volume: Volume, context: VolumeContext) -> Path:
    source = volume.downward_api
    assert source is not None
    return _write(context, _downward_files(source.items, source.default_mode, context), memory=True)


async def _projected(volume: Volume, context: VolumeContext) -> Path:
    source = volume.projected
    assert source is not None
    namespace, mode = context.pod.metadata.namespace, source.default_mode
    files: dict[str, Projected] = {}
    for part in source.sources:
        if part.config_map is not None:
            optional = bool(part.config_map.optional)
            config_map = await context.sources.config_map(namespace, part.config_map.name, optional=optional)
            files |= project(_config_map_data(config_map), part.config_map.items, mode, optional, "configmap")
        elif part.secret is not None:
            optional = bool(part.secret.optional)
            secret = await context.sources.secret(namespace, part.secret.name, optional=optional)
            files |= project(dict(secret.data) if secret else None, part.secret.items, mode, optional, "secret")
        elif part.downward_api is not None:
            files |= _downward_files(part.downward_api.items, mode, context)
        elif part.service_account_token is not None:
            token = await context.sources.service_account_token(context.pod, part.service_account_token)
            bits = 0o644 if mode is None else mode
            owner = _single_user(context.pod)
            if (context.group is None and owner is not None) or context.group is not None:
                bits = 0o600
            files[part.service_account_token.path] = Projected(token.encode(), bits, owner)
        else:
            raise VolumeError(f'volume "{volume.name}": this projection is not supported')
    return _write(context, files, memory=True)


PLUGINS: dict[str, tuple[str, Plugin]] = {
    "empty_dir": ("kubernetes.io~empty-dir", _empty_dir),
    "host_path": ("kubernetes.io~host-path", _host_path),
    "config_map": ("kubernetes.io~configmap", _config_map),
    "secret": ("kubernetes.io~secret", _secret),
    "downward_api": ("kubernetes.io~downward-api", _downward_api),
    "projected": ("kubernetes.io~projected", _projected),
}
"""Volume source (attribute of Volume) to plugin."""

REFRESHED = ("config_map", "secret", "downward_api", "projected")
"""Sources whose content changes while the pod runs."""


def project(
    data: Mapping[str, bytes] | None,
    items: Iterable[KeyToPath],
    default_mode: int | None,
    optional: bool,
    kind: str,
) -> dict[str, Projected]:
    """The files of a ConfigMap or Secret: all keys, or the items chosen."""
    mode = 0o644 if default_mode is None else default_mode
    data = data or {}
    chosen = list(items)
    if not chosen:
        return {key: Projected(value, mode) for key, value in data.items()}
    files = {}
    for item in chosen:
        if item.key not in data:
            if optional:
                continue
            raise VolumeError(f"references non-existent {kind} key: {item.key}")
        files[item.path] = Projected(data[item.key], mode if item.mode is None else item.mode)
    return files


def set_group(path: Path, group: int | None) -> None:
    """Give a volume to a pod's ``fsGroup``: group-owned, group-writable, set-group-id."""
    if group is None:
        return
    for base, directories, names in os.walk(path):
        for name in [*directories, *names, "."]:
            entry = os.path.join(base, name)
            if os.path.islink(entry):
                continue
            os.chown(entry, -1, group)
            mode = os.stat(entry).st_mode
            os.chmod(entry, mode & 0o7777 | (0o2770 if stat.S_ISDIR(mode) else 0o660))


def _config_map_data(config_map: ConfigMap | None) -> dict[str, bytes] | None:
    if config_map is None:
        return None
    return {key: value.encode() for key, value in config_map.data.items()} | config_map.binary_data


def _downward_files(
    items: Iterable[DownwardAPIVolumeFile], default_mode: int | None, context: VolumeContext
) -> dict[str, Projected]:
    files = {}
    mode = 0o644 if default_mode is None else default_mode
    for item in items:
        try:
            if item.field_ref is not None:
                text = field_value(
                    context.pod, item.field_ref.field_path, pod_ips=context.pod_ips, host_ips=context.host_ips
                )
            elif item.resource_field_ref is not None:
                nobody = Container()
                text = resource_value(context.pod, nobody, item.resource_field_ref, context.node_allocatable)
            else:
                continue
        except DownwardError as error:
            raise VolumeError(str(error)) from error
        files[item.path] = Projected(text.encode(), mode if item.mode is None else item.mode)
    return files


def _single_user(pod: Pod) -> int | None:
    """The user that every container of a pod runs as, where there is one and it is not root."""
    context = pod.spec.security_context
    default = context.run_as_user if context is not None else None
    users = set()
    for container in [*pod.spec.init_containers, *pod.spec.containers]:
        own = container.security_context
        users.add(own.run_as_user if own is not None and own.run_as_user is not None else default)
    return users.pop() if len(users) == 1 else None


def _write(context: VolumeContext, files: Mapping[str, Projected], *, memory: bool = False) -> Path:
    path = context.directory
    path.mkdir(parents=True, exist_ok=True)
    if memory and not is_mount_point(path):
        mount("tmpfs", str(path), "tmpfs")
        path.chmod(0o755)
    try:
        atomic.write(path, files, group=context.group)
    except atomic.InvalidPath as error:
        raise VolumeError(str(error)) from error
    return path


async def provide(volume: Volume, context: VolumeContext) -> Path:
    """Prepare a volume, or bring it up to date; returns its path on the node, raises VolumeError."""
    _, plugin = plugin_of(volume)
    try:
        return await plugin(volume, context)
    except ConfigError as error:
        raise VolumeError(str(error)) from error
    except OSError as error:
        raise VolumeError(f'cannot set up volume "{volume.name}": {error}') from error


def remove_pod_directory(path: Path) -> None:
    """Remove a pod's directory; its mounts MUST be gone, or their content would be deleted."""
    from steersman.kubelet.mounts import mounts_below, unmount_below

    unmount_below(path)
    if not mounts_below(path):
        shutil.rmtree(path, ignore_errors=True)
