"""Which container of a pod a request means."""

from __future__ import annotations

from steersman.api.errors import bad_request
from steersman.api.types.core_v1 import Pod


def choose_container(pod: Pod, name: str) -> str:
    """The container that is named, the only one where none is; raises 400 in upstream's words."""
    spec, pod_name = pod.spec, pod.metadata.name
    containers = [container.name for container in spec.containers]
    every = [container.name for container in spec.init_containers] + containers
    every += [container.name for container in spec.ephemeral_containers]
    if name:
        if name not in every:
            raise bad_request(f"container {name} is not valid for pod {pod_name}")
        return name
    if len(containers) == 1:
        return containers[0]
    text = f"a container name must be specified for pod {pod_name}"
    raise bad_request(f"{text}, choose one of: [{' '.join(every)}]" if containers else text)
