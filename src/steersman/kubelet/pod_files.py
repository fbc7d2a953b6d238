"""A pod's files on the node: its volumes, and what is mounted into its containers."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from steersman.api.types.core_v1 import Container, Volume

from . import names, resolvconf, specs
from .cri_api import messages as cri
from .environment import ConfigError, expand
from .record import PodRecord
from .volumes import plugins, subpath
from .volumes.plugins import VolumeContext, VolumeError

log = logging.getLogger(__name__)


class PodFiles:
    """Provides a pod's volumes and refreshes them while the pod runs."""

    def __init__(self, record: PodRecord) -> None:
        self._record = record
        self._volumes: dict[str, Path] = {}
        self._refreshed = 0.0

    async def provide(self) -> None:
        """Prepare the volumes, and bring the content of those that have one up to date; raises VolumeError."""
        record = self._record
        wanted = [
            volume for volume in record.pod.spec.volumes if volume.name not in self._volumes or volume.empty_dir is None
        ]
        record.directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        results = await asyncio.gather(*(self._provide(volume) for volume in wanted), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        self._refreshed = time.monotonic()

    async def _provide(self, volume: Volume) -> None:
        record = self._record
        kind, _ = plugins.plugin_of(volume)
        context = VolumeContext(
            pod=record.pod,
            sources=record.host.sources,
            directory=record.directory / "volumes" / kind / volume.name,
            pod_ips=record.pod_ips,
            host_ips=record.host.host_ips,
            node_allocatable=record.host.allocatable,
            cluster_domain=record.host.config.cluster_domain,
        )
        try:
            self._volumes[volume.name] = await plugins.provide(volume, context)
        except VolumeError as error:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{volume.name}" : {error}') from error

    async def refresh(self) -> None:
        """Bring the volumes up to date; a fault is for the next time."""
        try:
            await self.provide()
        except VolumeError as error:
            self._refreshed = time.monotonic()
            log.info("pod %s: %s", names.describe(self._record.pod), error)

    async def refresh_when_due(self) -> None:
        """Refresh once in a sync period."""
        if time.monotonic() - self._refreshed > self._record.host.config.sync_frequency:
            await self.refresh()

    async def address_known(self) -> None:
        """The pod has got its addresses, which some volumes tell."""
        volumes = self._record.pod.spec.volumes
        if any(volume.downward_api is not None or volume.projected is not None for volume in volumes):
            await self.refresh()

    def mounts(self, container: Container, environment: Mapping[str, str]) -> list[cri.Mount]:
        """Everything that is mounted into a container; raises ConfigError or OSError.  Touches files."""
        result = []
        for index, mount in enumerate(container.volume_mounts):
            volume = self._volumes.get(mount.name)
            if volume is None:
                raise ConfigError(f'cannot find volume "{mount.name}" to mount into container "{container.name}"')
            inner = expand(mount.sub_path_expr, environment) if mount.sub_path_expr else mount.sub_path
            if inner:
                target = self._record.directory / "volume-subpaths" / mount.name / container.name / str(index)
                try:
                    volume = subpath.bind(volume, inner, target)
                except subpath.SubpathError as error:
                    raise ConfigError(
                        f'failed to prepare subPath for volumeMount "{mount.name}" of container "{container.name}"'
                    ) from error
            target_path = mount.mount_path if mount.mount_path.startswith("/") else f"/{mount.mount_path}"
            result.append(
                specs.mount_message(
                    volume, target_path, read_only=bool(mount.read_only), propagation=mount.mount_propagation
                )
            )
        taken = {mount.container_path for mount in result}
        if "/etc/hosts" not in taken:
            result.append(specs.mount_message(self._hosts_file(), "/etc/hosts"))
        if container.termination_message_path and container.termination_message_path not in taken:
            result.append(specs.mount_message(self._message_file(container), container.termination_message_path))
        return result

    def _hosts_file(self) -> Path:
        record = self._record
        path = record.directory / "etc-hosts"
        aliases = record.pod.spec.host_aliases
        if record.pod.spec.host_network:
            text = resolvconf.host_network_hosts_file(Path("/etc/hosts").read_text(), aliases)
        else:
            name, domain = resolvconf.pod_hostname(record.pod, record.host.config.cluster_domain)
            text = resolvconf.hosts_file(record.pod_ips, name, domain, aliases)
        path.write_text(text)
        path.chmod(0o644)
        return path

    def _message_file(self, container: Container) -> Path:
        """An empty file for a container's last words, of this run alone."""
        directory = self._record.directory / "containers" / container.name
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / secrets.token_hex(4)
        path.touch()
        path.chmod(0o666)
        return path
