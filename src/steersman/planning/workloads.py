"""The workloads of a scenario: Kubernetes manifests, strictly read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Object
from steersman.api.types.core_v1 import Pod
from steersman.api.yaml import YAMLError
from steersman.testing import manifests

from .faults import ScenarioError

UNSUPPORTED = {
    "CronJob": "has no controller here yet: nothing would become of it",
    "DaemonSet": "has no controller here yet; give the nodes less cpu and memory instead",
    "HorizontalPodAutoscaler": "has no controller here yet; scale by events instead",
    "Job": "has no controller here yet; write its pods as a ReplicaSet instead",
    "PodDisruptionBudget": "has no controller here yet: no pod could be evicted",
    "ReplicationController": "has no controller here yet; write a ReplicaSet instead",
    "StatefulSet": "has no controller here yet; write a Deployment instead",
}


def read(items: Iterable[Any], directory: Path) -> tuple[Object, ...]:
    """The objects of manifests: data, or files relative to a directory.  Raises ScenarioError."""
    return tuple(obj for number, item in enumerate(items) for obj in _read(item, f"workloads[{number}]", directory))


def _read(item: Any, path: str, directory: Path) -> Iterator[Object]:
    if isinstance(item, dict) and set(item) == {"file"}:
        item = item["file"]
    origin = path
    try:
        if isinstance(item, str):
            origin = f"{path}: {item}"
            trees = manifests.read([directory / item])
        elif isinstance(item, dict):
            trees = manifests.read([item])
        else:
            raise ScenarioError(path, "this is neither a manifest nor a file")
    except FileNotFoundError:
        raise ScenarioError(path, f"there is no file {item}") from None
    except (OSError, YAMLError, ValueError) as error:
        if isinstance(error, ScenarioError):
            raise
        raise ScenarioError(path, str(error).removeprefix("data: ")) from error
    for tree in trees:
        yield _object(tree, origin)


def _object(tree: dict[str, Any], origin: str) -> Object:
    version, kind = str(tree["apiVersion"]), str(tree["kind"])
    metadata = tree.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    origin = f"{origin}: {kind} {name}".rstrip()
    if kind in UNSUPPORTED:
        raise ScenarioError(origin, UNSUPPORTED[kind])
    resource = builtin_scheme().by_kind(version, kind)
    if resource is None:
        raise ScenarioError(origin, f'no matches for kind "{kind}" in version "{version}"')
    if kind == "Node":
        raise ScenarioError(origin, "nodes are written under nodes")
    try:
        obj: Object = codecs.from_builtins(resource.type, tree)
    except (StatusError, ValueError) as error:
        raise ScenarioError(origin, str(error)) from error
    if unknown := codecs.prune(obj, tree):
        raise ScenarioError(origin, ", ".join(unknown))
    if isinstance(obj, Pod) and obj.spec.node_name:
        raise ScenarioError(f"{origin}: spec.nodeName", "the scheduler is to choose the node")
    if resource.namespaced:
        obj.metadata.namespace = obj.metadata.namespace or "default"
    return obj
