"""The labels and annotations by which a runtime's objects say what they belong to; upstream's."""

from __future__ import annotations

import hashlib
from pathlib import Path

from steersman.api.types.core_v1 import Container, Pod

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"

HASH = "io.kubernetes.container.hash"
RESTART_COUNT = "io.kubernetes.container.restartCount"
TERMINATION_PATH = "io.kubernetes.container.terminationMessagePath"
TERMINATION_POLICY = "io.kubernetes.container.terminationMessagePolicy"
GRACE_PERIOD = "io.kubernetes.pod.terminationGracePeriod"
CONFIG_SOURCE = "kubernetes.io/config.source"
CONFIG_SEEN = "kubernetes.io/config.seen"


def container_hash(container: Container) -> str:
    """What of a container cannot change without restarting it: its name and image."""
    return hashlib.sha256(f"{container.name}\0{container.image}".encode()).hexdigest()[:8]


def log_directory(root: Path, pod: Pod) -> Path:
    """Where a pod's logs are: ``<namespace>_<name>_<uid>``."""
    return root / f"{pod.metadata.namespace}_{pod.metadata.name}_{pod.metadata.uid}"


def describe(pod: Pod) -> str:
    """A pod as upstream's messages name it: ``name_namespace(uid)``."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"
