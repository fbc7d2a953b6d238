"""Garbage: dead containers, unused images, grown logs, and what pods that are gone have left."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from . import cgroups, logs, names
from .actor import PodActor
from .config import KubeletConfig
from .cri_api import messages as cri
from .runtime import Runtime, RuntimeFailure
from .volumes.plugins import remove_pod_directory

log = logging.getLogger(__name__)

Actors = Callable[[], Mapping[str, PodActor]]


class Cleaner:
    """Runs in the background; touches only what no actor holds, or what an actor has done with."""

    def __init__(self, config: KubeletConfig, runtime: Runtime, actors: Actors) -> None:
        self._config = config
        self._runtime = runtime
        self._actors = actors
        self._unused_since: dict[str, float] = {}

    async def run(self) -> None:
        """Clean until cancelled: logs every 10 s, containers and orphans every minute, images every 5 minutes."""
        turn = 0
        while True:
            await asyncio.sleep(10)
            turn += 1
            try:
                await self.rotate_logs()
                if turn % 6 == 0:
                    await self.remove_dead_containers()
                    await self.remove_orphans()
                if turn % 30 == 0:
                    await self.remove_images()
            except RuntimeFailure as error:
                log.info("cleaning: %s", error)
            except OSError:
                log.exception("cleaning failed")

    async def rotate_logs(self) -> None:
        """Rotate the logs that have grown past their limit."""
        for actor in list(self._actors().values()):
            for statuses in list(actor.record.containers.values()):
                if not statuses or statuses[0].state != cri.CONTAINER_RUNNING:
                    continue
                path = Path(statuses[0].log_path)
                if logs.needs_rotation(path, self._config.container_log_max_size):
                    aside = logs.set_aside(path, datetime.now(UTC))
                    try:
                        await self._runtime.reopen_log(statuses[0].id)
                    except RuntimeFailure:
                        aside.rename(path)
                        raise
                    await asyncio.to_thread(logs.compress_and_prune, path, self._config.container_log_max_files)

    async def remove_dead_containers(self) -> None:
        """Keep of each container the newest and so many dead ones before it."""
        keep = 1 + self._config.max_containers_per_pod_container
        for actor in list(self._actors().values()):
            for statuses in list(actor.record.containers.values()):
                for old in statuses[keep:]:
                    if old.state == cri.CONTAINER_EXITED:
                        await self._runtime.remove_container(old.id)
                        for file in logs.files_of(Path(old.log_path)):
                            file.unlink(missing_ok=True)

    async def remove_orphans(self) -> None:
        """Remove sandboxes, directories and groups of pods that nobody knows any more.

        What there is MUST be listed before asking who is known: an actor is there before anything of its pod is.
        """
        for sandbox in await self._runtime.list_sandboxes():
            uid = sandbox.labels.get(names.POD_UID)
            if uid is not None and uid not in self._actors():
                await self._runtime.stop_sandbox(sandbox.id)
                await self._runtime.remove_sandbox(sandbox.id)
        directories, groups = await asyncio.to_thread(self._list_files)
        for directory in directories:
            if directory.name not in self._actors():
                await asyncio.to_thread(remove_pod_directory, directory)
        for uid, group in groups.items():
            if uid not in self._actors():
                await asyncio.to_thread(cgroups.remove_tree, group)

    def _list_files(self) -> tuple[list[Path], dict[str, str]]:
        directory = self._config.pods_dir
        directories = list(directory.iterdir()) if directory.is_dir() else []
        return directories, cgroups.pod_groups(self._config.cgroup_root)

    async def remove_images(self) -> None:
        """When the disk is fuller than the high threshold, remove the longest unused images down to the low one."""
        images = await self._runtime.list_images()
        containers = await self._runtime.list_containers()
        used = {container.image_ref for container in containers} | {each.image.image for each in containers}
        at = time.monotonic()
        unused = []
        for image in images:
            mine = {image.id, *image.repo_tags, *image.repo_digests}
            if mine & used or image.pinned or self._config.pause_image in image.repo_tags:
                self._unused_since.pop(image.id, None)
                continue
            since = self._unused_since.setdefault(image.id, at)
            if at - since >= self._config.image_minimum_gc_age:
                unused.append((since, image))
        disk = shutil.disk_usage(self._config.root_dir)
        if disk.used * 100 < self._config.image_gc_high_percent * (disk.used + disk.free):
            return
        excess = disk.used - (disk.used + disk.free) * self._config.image_gc_low_percent // 100
        for _, image in sorted(unused, key=lambda pair: pair[0]):
            if excess <= 0:
                return
            await self._runtime.remove_image(image.id)
            self._unused_since.pop(image.id, None)
            excess -= image.size
