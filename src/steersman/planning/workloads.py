"""The workloads of a scenario: Kubernetes manifests, strictly read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from steersman.api import codecs, quantity
from steersman.api.errors import StatusError
from steersman.api.normalize import normalize
from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Object
from steersman.api.shapes import Shape, StructShape, struct_shape
from steersman.api.types.apps_v1 import Deployment, ReplicaSet
from steersman.api.types.core_v1 import Pod
from steersman.api.yaml import YAMLError
from steersman.testing import manifests

from .faults import ScenarioError
from .happenings import MOST_REPLICAS

UNSUPPORTED = {
    "CronJob": "has no controller here yet: nothing would become of it",
    "DaemonSet": "has no controller here yet; give the nodes less cpu and memory instead",
    "HorizontalPodAutoscaler": "has no controller here yet; scale by events instead",
    "Job": "has no controller here yet; write its pods as a ReplicaSet instead",
    "PodDisruptionBudget": "has no controller here yet: no pod could be evicted",
    "ReplicationController": "has no controller here yet; write a ReplicaSet instead",
    "StatefulSet": "has no controller here yet; write a Deployment instead",
}


class Workload(NamedTuple):
    """One object, and where it is written."""

    path: str
    object: Object


def read(items: Iterable[Any], directory: Path) -> tuple[Workload, ...]:
    """The objects of manifests: data, or files relative to a directory.  Raises ScenarioError."""
    return tuple(each for number, item in enumerate(items) for each in _read(item, f"workloads[{number}]", directory))


def _read(item: Any, path: str, directory: Path) -> Iterator[Workload]:
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


def _object(tree: dict[str, Any], origin: str) -> Workload:
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
    for path, text in _malformed(struct_shape(resource.type), tree):
        raise ScenarioError(f"{origin}: {path}", f"{text!r} is no quantity")
    normalize(obj)  # type: ignore[arg-type]
    if isinstance(obj, Deployment | ReplicaSet) and (obj.spec.replicas or 0) > MOST_REPLICAS:
        raise ScenarioError(f"{origin}: spec.replicas", f"too many: {MOST_REPLICAS} at most")
    if isinstance(obj, Pod) and obj.spec.node_name:
        raise ScenarioError(f"{origin}: spec.nodeName", "the scheduler is to choose the node")
    if resource.namespaced:
        obj.metadata.namespace = obj.metadata.namespace or "default"
    return Workload(origin, obj)


def _malformed(struct: StructShape, tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """The quantities that are none, with their paths."""
    for name, value in tree.items():
        if (member := struct.members.get(name)) is not None and value is not None:
            yield from _malformed_in(member.shape, value, f"{path}.{name}" if path else name)


def _malformed_in(shape: Shape, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if shape.kind == "quantity":
        try:
            quantity.parse(str(value))
        except quantity.QuantityError:
            yield path, str(value)
    elif shape.struct is not None and isinstance(value, Mapping):
        yield from _malformed(struct_shape(shape.struct), value, path)
    elif shape.item is not None and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _malformed_in(shape.item, item, f"{path}[{number}]")
    elif shape.item is not None and isinstance(value, Mapping):
        for name, item in value.items():
            yield from _malformed_in(shape.item, item, f"{path}.{name}")
