"""The Runtime over CRI v1 gRPC, to containerd or any other runtime that listens on a Unix socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio

from .cri_api import messages as cri
from .runtime import RuntimeFailure, RuntimeNotFound, RuntimeUnavailable

_RUNTIME = "/runtime.v1.RuntimeService/"
_IMAGES = "/runtime.v1.ImageService/"
_EVENTS = "/containerd.services.events.v1.Events/Subscribe"

_EXIT_FILTER = b'\x0a\x14topic=="/tasks/exit"'
"""A SubscribeRequest with one filter: field 1, twenty bytes."""

_GO_CODES = {
    "OK": "OK",
    "CANCELLED": "Canceled",
    "UNKNOWN": "Unknown",
    "INVALID_ARGUMENT": "InvalidArgument",
    "DEADLINE_EXCEEDED": "DeadlineExceeded",
    "NOT_FOUND": "NotFound",
    "ALREADY_EXISTS": "AlreadyExists",
    "PERMISSION_DENIED": "PermissionDenied",
    "RESOURCE_EXHAUSTED": "ResourceExhausted",
    "FAILED_PRECONDITION": "FailedPrecondition",
    "ABORTED": "Aborted",
    "OUT_OF_RANGE": "OutOfRange",
    "UNIMPLEMENTED": "Unimplemented",
    "INTERNAL": "Internal",
    "UNAVAILABLE": "Unavailable",
    "DATA_LOSS": "DataLoss",
    "UNAUTHENTICATED": "Unauthenticated",
}


def _failure(error: grpc.aio.AioRpcError) -> RuntimeFailure:
    code = _GO_CODES.get(error.code().name, "Unknown")
    kind = {"NotFound": RuntimeNotFound, "Unavailable": RuntimeUnavailable}.get(code, RuntimeFailure)
    return kind(code, error.details() or "")


class CRIRuntime:
    """A channel to one runtime.  Calls take at most ``timeout`` seconds unless their nature says otherwise."""

    def __init__(self, socket: str, *, timeout: float = 120.0) -> None:
        options = [("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 16 << 20)]
        options.append(("grpc.initial_reconnect_backoff_ms", 100))
        options.append(("grpc.max_reconnect_backoff_ms", 2000))
        self._channel = grpc.aio.insecure_channel(f"unix://{socket}", options=options)
        self._timeout = timeout
        self._methods: dict[str, Any] = {}

    async def _call(self, path: str, request: Any, response: Any, timeout: float | None = None) -> Any:
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(
                path, request_serializer=type(request).SerializeToString, response_deserializer=response.FromString
            )
        try:
            return await method(request, timeout=timeout or self._timeout)
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from None

    async def run_sandbox(self, config: cri.PodSandboxConfig, handler: str = "") -> str:
        request = cri.RunPodSandboxRequest(config=config, runtime_handler=handler)
        response = await self._call(_RUNTIME + "RunPodSandbox", request, cri.RunPodSandboxResponse, 240)
        return str(response.pod_sandbox_id)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        request = cri.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
        try:
            await self._call(_RUNTIME + "StopPodSandbox", request, cri.StopPodSandboxResponse)
        except RuntimeNotFound:
            return

    async def remove_sandbox(self, sandbox_id: str) -> None:
        request = cri.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        try:
            await self._call(_RUNTIME + "RemovePodSandbox", request, cri.RemovePodSandboxResponse)
        except RuntimeNotFound:
            return

    async def sandbox_status(self, sandbox_id: str) -> cri.PodSandboxStatus:
        request = cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)
        response = await self._call(_RUNTIME + "PodSandboxStatus", request, cri.PodSandboxStatusResponse)
        return response.status  # type: ignore[no-any-return]

    async def list_sandboxes(self, labels: Mapping[str, str] | None = None) -> list[cri.PodSandbox]:
        request = cri.ListPodSandboxRequest(filter=cri.PodSandboxFilter(label_selector=labels or {}))
        response = await self._call(_RUNTIME + "ListPodSandbox", request, cri.ListPodSandboxResponse)
        return list(response.items)

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox: cri.PodSandboxConfig
    ) -> str:
        request = cri.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox)
        response = await self._call(_RUNTIME + "CreateContainer", request, cri.CreateContainerResponse)
        return str(response.container_id)

    async def start_container(self, container_id: str) -> None:
        request = cri.StartContainerRequest(container_id=container_id)
        await self._call(_RUNTIME + "StartContainer", request, cri.StartContainerResponse)

    async def stop_container(self, container_id: str, timeout: int) -> None:
        request = cri.StopContainerRequest(container_id=container_id, timeout=timeout)
        try:
            await self._call(_RUNTIME + "StopContainer", request, cri.StopContainerResponse, self._timeout + timeout)
        except RuntimeNotFound:
            return

    async def remove_container(self, container_id: str) -> None:
        request = cri.RemoveContainerRequest(container_id=container_id)
        try:
            await self._call(_RUNTIME + "RemoveContainer", request, cri.RemoveContainerResponse)
        except RuntimeNotFound:
            return

    async def list_containers(self, labels: Mapping[str, str] | None = None) -> list[cri.Container]:
        request = cri.ListContainersRequest(filter=cri.ContainerFilter(label_selector=labels or {}))
        response = await self._call(_RUNTIME + "ListContainers", request, cri.ListContainersResponse)
        return list(response.containers)

    async def container_status(self, container_id: str) -> cri.ContainerStatus:
        request = cri.ContainerStatusRequest(container_id=container_id)
        response = await self._call(_RUNTIME + "ContainerStatus", request, cri.ContainerStatusResponse)
        return response.status  # type: ignore[no-any-return]

    async def reopen_log(self, container_id: str) -> None:
        request = cri.ReopenContainerLogRequest(container_id=container_id)
        await self._call(_RUNTIME + "ReopenContainerLog", request, cri.ReopenContainerLogResponse)

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> cri.ExecSyncResponse:
        seconds = max(1, round(timeout)) if timeout else 0
        request = cri.ExecSyncRequest(container_id=container_id, cmd=list(command), timeout=seconds)
        deadline = timeout + 5 if timeout else 24 * 3600.0
        return await self._call(_RUNTIME + "ExecSync", request, cri.ExecSyncResponse, deadline)  # type: ignore[no-any-return]

    async def exec_url(self, request: cri.ExecRequest) -> str:
        return str((await self._call(_RUNTIME + "Exec", request, cri.ExecResponse)).url)

    async def attach_url(self, request: cri.AttachRequest) -> str:
        return str((await self._call(_RUNTIME + "Attach", request, cri.AttachResponse)).url)

    async def port_forward_url(self, request: cri.PortForwardRequest) -> str:
        return str((await self._call(_RUNTIME + "PortForward", request, cri.PortForwardResponse)).url)

    async def list_images(self) -> list[cri.Image]:
        response = await self._call(_IMAGES + "ListImages", cri.ListImagesRequest(), cri.ListImagesResponse)
        return list(response.images)

    async def image_status(self, image: str) -> cri.Image | None:
        request = cri.ImageStatusRequest(image=cri.ImageSpec(image=image))
        response = await self._call(_IMAGES + "ImageStatus", request, cri.ImageStatusResponse)
        return response.image if response.HasField("image") else None

    async def pull_image(self, image: str, auth: cri.AuthConfig | None, sandbox: cri.PodSandboxConfig | None) -> str:
        request = cri.PullImageRequest(image=cri.ImageSpec(image=image), auth=auth, sandbox_config=sandbox)
        response = await self._call(_IMAGES + "PullImage", request, cri.PullImageResponse, 24 * 3600)
        return str(response.image_ref)

    async def remove_image(self, image: str) -> None:
        request = cri.RemoveImageRequest(image=cri.ImageSpec(image=image))
        await self._call(_IMAGES + "RemoveImage", request, cri.RemoveImageResponse)

    async def image_fs_info(self) -> list[cri.FilesystemUsage]:
        response = await self._call(_IMAGES + "ImageFsInfo", cri.ImageFsInfoRequest(), cri.ImageFsInfoResponse)
        return list(response.image_filesystems)

    async def version(self) -> cri.VersionResponse:
        return await self._call(_RUNTIME + "Version", cri.VersionRequest(), cri.VersionResponse, 10)  # type: ignore[no-any-return]

    async def status(self) -> cri.StatusResponse:
        return await self._call(_RUNTIME + "Status", cri.StatusRequest(), cri.StatusResponse, 10)  # type: ignore[no-any-return]

    async def events(self) -> AsyncIterator[None]:
        """Exits, from containerd's own event stream: CRI's ``GetContainerEvents`` is absent before containerd 1.7."""
        call = self._channel.unary_stream(_EVENTS)(_EXIT_FILTER)
        try:
            async for _ in call:
                yield None
        except grpc.aio.AioRpcError as error:
            raise _failure(error) from None
        finally:
            call.cancel()

    async def close(self) -> None:
        await self._channel.close()
