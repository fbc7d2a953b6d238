"""A Runtime in memory: containers that run until told otherwise, for tests and simulated nodes."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from .cri_api import messages as cri
from .runtime import RuntimeFailure, RuntimeNotFound


class FakeRuntime:
    """Keeps what it is told.  :meth:`exit` ends a container; ``images`` are those present."""

    def __init__(self, images: Sequence[str] = (), *, clock: Callable[[], int] = time.time_ns) -> None:
        self.images = {
            name: cri.Image(id=f"sha256:{index:064x}", repo_tags=[name], size=1) for index, name in enumerate(images)
        }
        self.sandboxes: dict[str, cri.PodSandboxStatus] = {}
        self.containers: dict[str, cri.ContainerStatus] = {}
        self.pullable: set[str] = set()
        self.exec_results: dict[tuple[str, ...], cri.ExecSyncResponse] = {}
        self._owners: dict[str, str] = {}
        self._clock = clock
        self._last = 0
        self._addresses = 1
        self._exited = asyncio.Condition()

    def _now(self) -> int:
        self._last = max(self._last + 1, self._clock())
        return self._last

    async def run_sandbox(self, config: cri.PodSandboxConfig, handler: str = "") -> str:
        if handler not in ("", "runc"):
            raise RuntimeFailure("Unknown", f'no runtime for "{handler}" is configured')
        sandbox_id = uuid.uuid4().hex * 2
        self._addresses += 1
        status = cri.PodSandboxStatus(
            id=sandbox_id, metadata=config.metadata, state=cri.SANDBOX_READY, created_at=self._now()
        )
        status.labels.update(config.labels)
        status.annotations.update(config.annotations)
        if config.linux.security_context.namespace_options.network != cri.NODE:
            status.network.ip = f"192.0.2.{self._addresses % 250}"
        self.sandboxes[sandbox_id] = status
        return sandbox_id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        if (sandbox := self.sandboxes.get(sandbox_id)) is None:
            return
        for container_id in [each for each, owner in self._owners.items() if owner == sandbox_id]:
            await self.stop_container(container_id, 0)
        sandbox.state = cri.SANDBOX_NOTREADY

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self.stop_sandbox(sandbox_id)
        for container_id in [each for each, owner in self._owners.items() if owner == sandbox_id]:
            await self.remove_container(container_id)
        self.sandboxes.pop(sandbox_id, None)

    async def sandbox_status(self, sandbox_id: str) -> cri.PodSandboxStatus:
        if sandbox_id not in self.sandboxes:
            raise RuntimeNotFound("NotFound", f'sandbox "{sandbox_id}": not found')
        result = cri.PodSandboxStatus()
        result.CopyFrom(self.sandboxes[sandbox_id])
        return result

    async def list_sandboxes(self, labels: Mapping[str, str] | None = None) -> list[cri.PodSandbox]:
        return [
            cri.PodSandbox(
                id=each.id,
                metadata=each.metadata,
                state=each.state,
                created_at=each.created_at,
                labels=each.labels,
                annotations=each.annotations,
            )
            for each in self.sandboxes.values()
            if _matches(each.labels, labels)
        ]

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox: cri.PodSandboxConfig
    ) -> str:
        if self.sandboxes.get(sandbox_id, cri.PodSandboxStatus(state=cri.SANDBOX_NOTREADY)).state != cri.SANDBOX_READY:
            raise RuntimeNotFound("NotFound", f'failed to find sandbox id "{sandbox_id}": not found')
        if await self.image_status(config.image.image) is None:
            raise RuntimeNotFound("NotFound", f'failed to get image "{config.image.image}": not found')
        container_id = uuid.uuid4().hex * 2
        status = cri.ContainerStatus(
            id=container_id,
            metadata=config.metadata,
            state=cri.CONTAINER_CREATED,
            created_at=self._now(),
            image=config.image,
            image_ref=config.image.image,
            mounts=config.mounts,
            log_path=f"{sandbox.log_directory}/{config.log_path}",
        )
        status.labels.update(config.labels)
        status.annotations.update(config.annotations)
        self.containers[container_id] = status
        self._owners[container_id] = sandbox_id
        return container_id

    def _container(self, container_id: str) -> cri.ContainerStatus:
        if container_id not in self.containers:
            raise RuntimeNotFound("NotFound", f'container "{container_id}": not found')
        return self.containers[container_id]

    async def start_container(self, container_id: str) -> None:
        container = self._container(container_id)
        if container.state != cri.CONTAINER_CREATED:
            raise RuntimeFailure("Unknown", f"container is in {container.state} state")
        container.state, container.started_at = cri.CONTAINER_RUNNING, self._now()

    async def exit(self, container_id: str, code: int = 0, reason: str = "") -> None:
        """End a running container, as if its process had."""
        container = self._container(container_id)
        container.state, container.exit_code, container.finished_at = cri.CONTAINER_EXITED, code, self._now()
        container.reason = reason or ("Completed" if code == 0 else "Error")
        async with self._exited:
            self._exited.notify_all()

    async def stop_container(self, container_id: str, timeout: int) -> None:
        container = self.containers.get(container_id)
        if container is not None and container.state == cri.CONTAINER_RUNNING:
            await self.exit(container_id, 143 if timeout else 137)

    async def remove_container(self, container_id: str) -> None:
        self.containers.pop(container_id, None)
        self._owners.pop(container_id, None)

    async def list_containers(self, labels: Mapping[str, str] | None = None) -> list[cri.Container]:
        return [
            cri.Container(
                id=each.id,
                pod_sandbox_id=self._owners[each.id],
                metadata=each.metadata,
                image=each.image,
                image_ref=each.image_ref,
                state=each.state,
                created_at=each.created_at,
                labels=each.labels,
                annotations=each.annotations,
            )
            for each in self.containers.values()
            if _matches(each.labels, labels)
        ]

    async def container_status(self, container_id: str) -> cri.ContainerStatus:
        result = cri.ContainerStatus()
        result.CopyFrom(self._container(container_id))
        return result

    async def reopen_log(self, container_id: str) -> None:
        self._container(container_id)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> cri.ExecSyncResponse:
        if self._container(container_id).state != cri.CONTAINER_RUNNING:
            raise RuntimeFailure("Unknown", "container is not running")
        return self.exec_results.get(tuple(command), cri.ExecSyncResponse())

    async def exec_url(self, request: cri.ExecRequest) -> str:
        raise RuntimeFailure("Unimplemented", "a fake runtime has no streams")

    async def attach_url(self, request: cri.AttachRequest) -> str:
        raise RuntimeFailure("Unimplemented", "a fake runtime has no streams")

    async def port_forward_url(self, request: cri.PortForwardRequest) -> str:
        raise RuntimeFailure("Unimplemented", "a fake runtime has no streams")

    async def list_images(self) -> list[cri.Image]:
        return list(self.images.values())

    async def image_status(self, image: str) -> cri.Image | None:
        return next((each for name, each in self.images.items() if image in (name, each.id)), None)

    async def pull_image(self, image: str, auth: cri.AuthConfig | None, sandbox: cri.PodSandboxConfig | None) -> str:
        if image not in self.pullable and image not in self.images:
            raise RuntimeNotFound("NotFound", f'failed to pull and unpack image "{image}": not found')
        present = self.images.setdefault(
            image, cri.Image(id=f"sha256:{uuid.uuid4().hex * 2}", repo_tags=[image], size=1)
        )
        return str(present.id)

    async def remove_image(self, image: str) -> None:
        for name in [name for name, each in self.images.items() if image in (name, each.id)]:
            del self.images[name]

    async def image_fs_info(self) -> list[cri.FilesystemUsage]:
        return []

    async def version(self) -> cri.VersionResponse:
        return cri.VersionResponse(
            version="0.1.0", runtime_name="fake", runtime_version="1.0.0", runtime_api_version="v1"
        )

    async def status(self) -> cri.StatusResponse:
        result = cri.StatusResponse()
        for kind in ("RuntimeReady", "NetworkReady"):
            result.status.conditions.add(type=kind, status=True)
        return result

    async def events(self) -> AsyncIterator[None]:
        while True:
            async with self._exited:
                await self._exited.wait()
            yield None

    async def close(self) -> None:
        return


def _matches(labels: Mapping[str, str], wanted: Mapping[str, str] | None) -> bool:
    return all(labels.get(key) == value for key, value in (wanted or {}).items())
