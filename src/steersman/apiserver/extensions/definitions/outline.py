"""A definition without its schemas, which are nearly all of it: to know what to serve takes a twentieth of the time."""

from __future__ import annotations

from typing import Any

import msgspec

from steersman.api.types.apiextensions_v1 import (
    CustomResourceDefinition,
    CustomResourceDefinitionSpec,
    CustomResourceDefinitionVersion,
)
from steersman.storage.watch_cache import Entry


class _Version(CustomResourceDefinitionVersion, kw_only=True):
    schema: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]


class _Spec(CustomResourceDefinitionSpec, kw_only=True):
    versions: list[_Version] = []  # type: ignore[assignment]


class _Outline(CustomResourceDefinition, kw_only=True):
    spec: _Spec


_decode = msgspec.json.Decoder(_Outline).decode


def outline(entry: Entry[Any]) -> CustomResourceDefinition:
    """A definition to look at, whose schemas MUST NOT be; the whole one where somebody has read it already."""
    whole: CustomResourceDefinition | None = entry.peek()
    return whole if whole is not None else _decode(entry.raw)
