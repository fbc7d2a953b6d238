"""Getting images onto the node: pull policies, credentials, back-off, and the events people look for."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterable

import msgspec

from steersman.api.types.core_v1 import Container, Pod, Secret

from .backoff import Backoff, go_duration
from .cri_api import messages as cri
from .images import qualified
from .runtime import Images, RuntimeFailure

_REFERENCE = re.compile(
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::\d+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[\w][\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)

SAY_BACKOFF = 1.0
"""Seconds after a failed pull until people are told that the next one is put off."""

Recorder = Callable[[str, str, str], None]
"""Records an event about the container: type, reason, message."""


class PullFailure(Exception):
    """The image is not there; ``reason`` is what the container waits for, ``retry`` the seconds until another try."""

    def __init__(self, reason: str, message: str, retry: float) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry = retry


class _Auth(msgspec.Struct):
    username: str = ""
    password: str = ""
    auth: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _DockerConfig(msgspec.Struct):
    auths: dict[str, _Auth] = {}


def credentials(image: str, secrets: Iterable[Secret]) -> list[cri.AuthConfig]:
    """What pull secrets offer for an image's registry, the longest match first."""
    reference = qualified(image)
    found: list[tuple[int, cri.AuthConfig]] = []
    for secret in secrets:
        raw = secret.data.get(".dockerconfigjson")
        legacy = secret.data.get(".dockercfg")
        try:
            if raw is not None:
                auths = msgspec.json.decode(raw, type=_DockerConfig).auths
            elif legacy is not None:
                auths = msgspec.json.decode(legacy, type=dict[str, _Auth])
            else:
                continue
        except msgspec.DecodeError:
            continue
        for registry, auth in auths.items():
            place = registry.removeprefix("https://").removeprefix("http://").rstrip("/")
            place = place.removesuffix("/v1").removesuffix("/v2")
            place = {"index.docker.io": "docker.io", "registry-1.docker.io": "docker.io"}.get(place, place)
            if reference != place and not reference.startswith(place + "/"):
                continue
            username, password = auth.username, auth.password
            if auth.auth and not username:
                try:
                    username, _, password = base64.b64decode(auth.auth).decode().partition(":")
                except ValueError:
                    continue
            config = cri.AuthConfig(
                username=username,
                password=password,
                identity_token=auth.identitytoken,
                registry_token=auth.registrytoken,
            )
            found.append((len(place), config))
    return [config for _, config in sorted(found, key=lambda pair: -pair[0])]


def should_pull(policy: str, image: str, *, present: bool) -> bool:
    """Whether a policy asks for a pull; without one, ``:latest`` is pulled always."""
    if not policy:
        policy = "Always" if qualified(image).endswith(":latest") else "IfNotPresent"
    return policy == "Always" or (policy == "IfNotPresent" and not present)


class Puller:
    """Ensures that images are present; at most one pull of the same image per pod at a time, with back-off."""

    def __init__(self, images: Images, *, initial: float = 10.0, maximum: float = 300.0) -> None:
        self._images = images
        self.backoff = Backoff(initial, maximum, time.monotonic)
        self._failures: dict[str, str] = {}

    async def ensure(
        self,
        pod: Pod,
        container: Container,
        secrets: Iterable[Secret],
        sandbox: cri.PodSandboxConfig,
        record: Recorder,
    ) -> cri.Image:
        """The image of a container, pulled where its policy says so; raises PullFailure."""
        name = container.image
        if not _REFERENCE.fullmatch(name):
            fault = "repository name must be lowercase" if name != name.lower() else "invalid reference format"
            if fault != "invalid reference format":
                fault = f"invalid reference format: {fault}"
            message = f'Failed to apply default image tag "{name}": couldn\'t parse image name "{name}": {fault}'
            record("Warning", "InspectFailed", message)
            record("Warning", "Failed", "Error: InvalidImageName")
            raise PullFailure("InvalidImageName", message, 60)
        reference = name if "@" in name or ":" in name.rpartition("/")[2] else f"{name}:latest"
        try:
            image = await self._images.image_status(reference)
        except RuntimeFailure as error:
            message = f'Failed to inspect image "{name}": {error}'
            record("Warning", "InspectFailed", message)
            raise PullFailure("ImageInspectError", message, 10) from error
        if image is not None and not should_pull(container.image_pull_policy, name, present=True):
            text = f'Container image "{name}" already present on machine and can be accessed by the pod'
            record("Normal", "Pulled", text)
            return image
        if image is None and container.image_pull_policy == "Never":
            message = f'Container image "{name}" is not present with pull policy of Never'
            record("Warning", "ErrImageNeverPull", message)
            record("Warning", "Failed", "Error: ErrImageNeverPull")
            raise PullFailure("ErrImageNeverPull", message, 10)
        key = f"{pod.metadata.uid}_{name}"
        if (remaining := self.backoff.remaining(key)) > 0:
            message = f'Back-off pulling image "{name}"'
            record("Normal", "BackOff", message)
            record("Warning", "Failed", "Error: ImagePullBackOff")
            raise PullFailure("ImagePullBackOff", f"{message}: {self._failures.get(key, '')}", remaining)
        return await self._pull(key, name, reference, secrets, sandbox, record)

    async def _pull(
        self,
        key: str,
        name: str,
        reference: str,
        secrets: Iterable[Secret],
        sandbox: cri.PodSandboxConfig,
        record: Recorder,
    ) -> cri.Image:
        record("Normal", "Pulling", f'Pulling image "{name}"')
        began = time.monotonic()
        failure: RuntimeFailure | None = None
        for auth in [*credentials(reference, secrets), None]:
            try:
                await self._images.pull_image(reference, auth, sandbox)
                failure = None
                break
            except RuntimeFailure as error:
                failure = failure or error
        image = await self._images.image_status(reference) if failure is None else None
        if image is None:
            self.backoff.failed(key)
            text = str(failure) if failure is not None else "image not found after it was pulled"
            self._failures[key] = f"ErrImagePull: {text}"
            record("Warning", "Failed", f'Failed to pull image "{name}": {text}')
            record("Warning", "Failed", "Error: ErrImagePull")
            raise PullFailure("ErrImagePull", text, min(SAY_BACKOFF, self.backoff.remaining(key)))
        took = go_duration(round(time.monotonic() - began, 3))
        record(
            "Normal",
            "Pulled",
            f'Successfully pulled image "{name}" in {took} ({took} including waiting). Image size: {image.size} bytes.',
        )
        self.forget(key)
        return image

    def forget(self, prefix: str) -> None:
        """Forget the failures of a pod (``<uid>_``) or of one image of it."""
        self.backoff.forget_prefix(prefix)
        for key in [key for key in self._failures if key.startswith(prefix)]:
            del self._failures[key]
