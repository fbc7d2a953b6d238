"""The Runtime contract: what the kubelet asks of a container runtime, in the messages of CRI v1.

:mod:`steersman.kubelet.cri` speaks it over gRPC; :mod:`steersman.kubelet.fake` keeps it in memory.  One contract
suite (``tests/contract/test_runtime.py``) runs over both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from .cri_api import messages as cri


class RuntimeFailure(Exception):
    """The runtime refused or failed; ``code`` is the gRPC status code's name, the text its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"rpc error: code = {code} desc = {message}")
        self.code = code
        self.message = message


class RuntimeNotFound(RuntimeFailure):
    """What the call was about does not exist."""


class RuntimeUnavailable(RuntimeFailure):
    """The runtime cannot be reached; try again later."""


class Sandboxes(Protocol):
    """Pod sandboxes and their containers."""

    async def run_sandbox(self, config: cri.PodSandboxConfig, handler: str = "") -> str:
        """Create and start a sandbox with its network; returns its id."""
        ...

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what runs in it and release its network; idempotent."""
        ...

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Remove it with its containers; idempotent."""
        ...

    async def sandbox_status(self, sandbox_id: str) -> cri.PodSandboxStatus:
        """Its status with addresses; raises RuntimeNotFound."""
        ...

    async def list_sandboxes(self, labels: Mapping[str, str] | None = None) -> list[cri.PodSandbox]:
        """All sandboxes whose labels contain these."""
        ...

    async def create_container(
        self, sandbox_id: str, config: cri.ContainerConfig, sandbox: cri.PodSandboxConfig
    ) -> str:
        """Create a container; returns its id."""
        ...

    async def start_container(self, container_id: str) -> None:
        """Start a created container."""
        ...

    async def stop_container(self, container_id: str, timeout: int) -> None:
        """Ask it to stop, and kill it after ``timeout`` seconds; returns when it has exited."""
        ...

    async def remove_container(self, container_id: str) -> None:
        """Remove a container; idempotent."""
        ...

    async def list_containers(self, labels: Mapping[str, str] | None = None) -> list[cri.Container]:
        """All containers whose labels contain these."""
        ...

    async def container_status(self, container_id: str) -> cri.ContainerStatus:
        """Its status; raises RuntimeNotFound."""
        ...

    async def reopen_log(self, container_id: str) -> None:
        """Begin a new log file after rotation."""
        ...


class Executor(Protocol):
    """Commands in containers; streams are served at the URLs returned."""

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> cri.ExecSyncResponse:
        """Run a command; raises RuntimeFailure with code DeadlineExceeded when it takes too long."""
        ...

    async def exec_url(self, request: cri.ExecRequest) -> str: ...

    async def attach_url(self, request: cri.AttachRequest) -> str: ...

    async def port_forward_url(self, request: cri.PortForwardRequest) -> str: ...


class Images(Protocol):
    """Images on this node."""

    async def list_images(self) -> list[cri.Image]: ...

    async def image_status(self, image: str) -> cri.Image | None:
        """The image of that name or id, None where it is absent."""
        ...

    async def pull_image(self, image: str, auth: cri.AuthConfig | None, sandbox: cri.PodSandboxConfig | None) -> str:
        """Pull an image; returns its reference."""
        ...

    async def remove_image(self, image: str) -> None: ...

    async def image_fs_info(self) -> list[cri.FilesystemUsage]: ...


class Runtime(Sandboxes, Executor, Images, Protocol):
    """All of it."""

    async def version(self) -> cri.VersionResponse: ...

    async def status(self) -> cri.StatusResponse: ...

    def events(self) -> AsyncIterator[None]:
        """One item each time something may have exited; a hint to look, never the only source."""
        ...

    async def close(self) -> None: ...
