"""Valid objects, and changes to them that are written in YAML."""

from __future__ import annotations

from typing import Any

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.types import core_v1 as v1
from steersman.api.validation import validate, validate_update
from steersman.api.yaml import load_yaml

CONTAINER = "{name: a, image: b}"


def merged(base: Any, change: Any) -> Any:
    """Mappings are merged, everything else is replaced; null removes."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    result = {key: value for key, value in base.items() if not (key in change and change[key] is None)}
    for key, value in change.items():
        if value is not None:
            result[key] = merged(base.get(key), value)
    return result


def build(type_: type[Any], base: str, change: str = "{}") -> Any:
    """An object as it is after defaulting."""
    tree = merged(load_yaml(base), load_yaml(change))
    obj = codecs.from_builtins(type_, tree)
    apply_defaults(obj)
    return obj


def faults(type_: type[Any], base: str, change: str = "{}") -> list[str]:
    """What is said of a new object."""
    return [str(fault) for fault in validate(build(type_, base, change))]


def update_faults(type_: type[Any], base: str, change: str, subresource: str = "") -> list[str]:
    """What is said of a change."""
    old, new = build(type_, base), build(type_, base, change)
    return [str(fault) for fault in validate_update(new, old, subresource)]


POD = f"""
metadata: {{name: p, namespace: default}}
spec: {{serviceAccountName: default, containers: [{CONTAINER}]}}
"""


def pod(spec: str = "{}") -> v1.Pod:
    """A pod with this in its spec."""
    obj: v1.Pod = build(v1.Pod, POD, f"spec: {spec}")
    return obj


def relative(found: list[str], prefix: str) -> list[str]:
    """Faults without the part of their paths that all of them have."""
    return [fault.removeprefix(prefix) for fault in found]
