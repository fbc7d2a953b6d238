"""The scalar types of the Kubernetes API, and the markers that carry schema facts.

The generated modules beside this one are built from these names.  A marker in an
``Annotated`` type is ignored by msgspec; patching, server-side apply and OpenAPI read it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeAlias

import msgspec


class Merge(msgspec.Struct, frozen=True):
    """How lists and maps merge: ``x-kubernetes-list-type`` and its neighbours (KEP-555, strategic merge patch).

    ``list_type`` is ``atomic``, ``set``, ``map`` or empty; ``map_keys`` name the members that
    identify an element of a ``map`` list.  ``patch_strategy`` (of ``merge``, ``replace``,
    ``retainKeys``) and ``patch_merge_key`` belong to strategic merge patch.  ``map_type`` is
    ``atomic``, ``granular`` or empty.
    """

    list_type: str = ""
    map_keys: tuple[str, ...] = ()
    patch_strategy: tuple[str, ...] = ()
    patch_merge_key: str = ""
    map_type: str = ""


class Format(msgspec.Struct, frozen=True):
    """The OpenAPI ``format`` of a scalar that its Python type does not tell."""

    name: str


Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1), Format("int32")]
Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1), Format("int64")]
Double: TypeAlias = Annotated[float, Format("double")]

Time: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True), Format("date-time")]
"""An instant with a resolution of one second, in UTC (RFC 3339)."""

MicroTime: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True), Format("micro-time")]
"""An instant with a resolution of one microsecond, in UTC.

Go's clients demand six fractional digits, which msgspec leaves out when the microseconds are zero:
:mod:`steersman.api.micro_times` sees to them, and :func:`steersman.api.time.now_micro` makes instants that need no such care.
"""

Quantity: TypeAlias = Annotated[str, Format("quantity")]
"""A number with a suffix, as text; :mod:`steersman.api.quantity` computes with it."""

IntOrString: TypeAlias = int | str
RawExtension: TypeAlias = dict[str, Any]
FieldsV1: TypeAlias = msgspec.Raw
"""A set of fields as JSON, kept as it is: few ever look inside."""
JSON: TypeAlias = Any
JSONSchemaPropsOrBool: TypeAlias = Any
JSONSchemaPropsOrArray: TypeAlias = Any
JSONSchemaPropsOrStringArray: TypeAlias = Any


def required_list() -> list[Any]:
    """The default of a list that is written even when it is empty."""
    return []


def required_map() -> dict[str, Any]:
    """The default of a map that is written even when it is empty."""
    return {}


def required_bytes() -> bytes:
    """The default of bytes that are written even when they are empty."""
    return b""


def no_instant() -> None:
    """The default of an instant that is written as ``null`` where there is none."""
    return


def constant(text: str) -> Callable[[], str]:
    """A default that msgspec always writes, unlike a plain one under ``omit_defaults``."""
    return lambda: text


class APIStruct(msgspec.Struct, omit_defaults=True, rename="camel", kw_only=True, gc=False):
    """The base of every generated type.

    Objects that come out of a cache are shared: treat them as immutable and change a copy
    (:func:`steersman.api.codecs.copy`).
    """

    REQUIRED: ClassVar[tuple[str, ...]] = ()
    """JSON names of the members that the schema requires."""

    MAP_TYPE: ClassVar[str] = ""
    """``x-kubernetes-map-type`` of the whole struct."""
