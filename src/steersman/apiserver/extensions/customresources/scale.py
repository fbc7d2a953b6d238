"""``/scale`` of custom resources: replicas and selector are where the definition says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steersman.api.errors import FieldError, internal_error, invalid_value
from steersman.api.types.apiextensions_v1 import CustomResourceSubresourceScale
from steersman.api.types.autoscaling_v1 import Scale, ScaleSpec, ScaleStatus
from steersman.api.unstructured import Unstructured
from steersman.apiserver.registry.strategy import ScaleAccess

from .go_types import go_type

_MOST = 2**31 - 1
_ABSENT = object()


class _Mismatch(ValueError):
    """A value of another type than is wanted on or at the end of a path."""


def scale_access(scale: CustomResourceSubresourceScale) -> ScaleAccess:
    """How objects answer at ``/scale``."""
    replicas, observed = _members(scale.spec_replicas_path), _members(scale.status_replicas_path)
    selector = _members(scale.label_selector_path) if scale.label_selector_path else None

    def read(obj: Unstructured) -> Scale:
        try:
            wanted = _integer(obj, replicas)
            status = ScaleStatus(replicas=_integer(obj, observed) or 0)
            if selector is not None:
                status.selector = _text(obj, selector)
        except _Mismatch as fault:
            raise internal_error(str(fault)) from None
        if wanted is None:
            raise internal_error(f'the spec replicas field "{scale.spec_replicas_path}" does not exist')
        return Scale(spec=ScaleSpec(replicas=wanted or None), status=status)

    def write(obj: Unstructured, wanted: int) -> None:
        place: Any = obj.content
        for name in replicas[:-1]:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                path = "." + ".".join(replicas)
                raise internal_error(f"value cannot be set because {path} is not a map[string]interface{{}}")
        place[replicas[-1]] = wanted

    return ScaleAccess(read, write, tuple(f"f:{name}" for name in replicas))


def scale_faults(
    obj: Unstructured, scale: CustomResourceSubresourceScale, *, spec: bool = True
) -> Iterator[FieldError]:
    """What is wrong with the values that ``/scale`` shows; without ``spec``, those of the status alone."""
    if spec:
        yield from _count(obj, scale.spec_replicas_path)
    yield from _count(obj, scale.status_replicas_path)
    if scale.label_selector_path:
        try:
            _text(obj, _members(scale.label_selector_path))
        except _Mismatch as fault:
            yield invalid_value(scale.label_selector_path, "", str(fault))


def _count(obj: Unstructured, path: str) -> Iterator[FieldError]:
    try:
        value = _integer(obj, _members(path)) or 0
    except _Mismatch as fault:
        yield invalid_value(path, 0, str(fault))
        return
    if value < 0:
        yield invalid_value(path, value, "should be a non-negative integer")
    elif value > _MOST:
        yield invalid_value(path, value, f"should be less than or equal to {_MOST}")


def _members(path: str) -> tuple[str, ...]:
    return tuple(path.removeprefix(".").split("."))


def _integer(obj: Unstructured, members: tuple[str, ...]) -> int | None:
    value = _at(obj, members)
    if value is _ABSENT:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _mismatch(members, value, "int64")


def _text(obj: Unstructured, members: tuple[str, ...]) -> str:
    value = _at(obj, members)
    if value is _ABSENT:
        return ""
    if isinstance(value, str):
        return value
    raise _mismatch(members, value, "string")


def _at(obj: Unstructured, members: tuple[str, ...]) -> Any:
    value: Any = obj.content
    for number, name in enumerate(members):
        if value is None:
            return _ABSENT
        if not isinstance(value, dict):
            raise _mismatch(members[: number + 1], value, "map[string]interface{}")
        value = value.get(name, _ABSENT)
        if value is _ABSENT:
            return _ABSENT
    return value


def _mismatch(members: tuple[str, ...], value: Any, wanted: str) -> _Mismatch:
    shown = "<nil>" if value is None else str(value)
    return _Mismatch(f".{'.'.join(members)} accessor error: {shown} is of the type {go_type(value)}, expected {wanted}")
