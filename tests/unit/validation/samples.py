"""A valid pod, and changes to objects that are written in YAML."""

from __future__ import annotations

from typing import Any

from steersman.api.types import core_v1 as v1
from steersman.api.validation import validate, validate_update

from .objects import built

CONTAINER = "{name: a, image: b}"


def build(type_: type[Any], base: str, change: str = "{}") -> Any:
    """An object as it is after defaulting."""
    return built(type_, base, change)


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
