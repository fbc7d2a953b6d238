"""The containers of a pod, of all three kinds, as one kind."""

from __future__ import annotations

from steersman.api.types.core_v1 import Container, EphemeralContainer, Pod


def of_ephemeral(container: EphemeralContainer) -> Container:
    """An ephemeral container as an ordinary one: the same fields but for the target."""
    return Container(**{name: getattr(container, name) for name in Container.__struct_fields__})


def ephemeral(pod: Pod) -> list[Container]:
    """The ephemeral containers, in order."""
    return [of_ephemeral(each) for each in pod.spec.ephemeral_containers]


def every(pod: Pod) -> list[Container]:
    """Init containers, then the main ones, then ephemeral ones."""
    return [*pod.spec.init_containers, *pod.spec.containers, *ephemeral(pod)]


def find(pod: Pod, name: str) -> Container | None:
    """A container of whatever kind by its name, which is unique in the pod."""
    return next((container for container in every(pod) if container.name == name), None)


def field_path(pod: Pod, name: str) -> str:
    """Where a container stands in the pod's spec, as events say it."""
    if any(container.name == name for container in pod.spec.init_containers):
        kind = "initContainers"
    elif any(container.name == name for container in pod.spec.ephemeral_containers):
        kind = "ephemeralContainers"
    else:
        kind = "containers"
    return f"spec.{kind}{{{name}}}"
