r"""Kubernetes's protobuf: how Go clients such as ``kubectl`` since 1.32 send the objects that they create and update.

A body is the four bytes ``k8s\0`` and a ``runtime.Unknown``, which names kind and version and holds the object's
message.  What is inside follows from our types and from :mod:`.fields`, the field numbers of every message; nothing
else is stored here.  An encoder would walk the same two.

:func:`envelope` opens a body, :func:`decode` reads the message.  Both read what upstream reads: unknown fields are
skipped, repeated fields may be packed or not, a message field that comes twice is merged.  Everything else is a
:class:`WireError`, whose text is what Go says; no input makes them fail otherwise.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from .decoder import Counted, decoder
from .reader import BYTES, WireError
from .values import scan

__all__ = ["MEDIA_TYPE", "Envelope", "WireError", "decode", "envelope", "knows"]

T = TypeVar("T")

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
"""The media type of such bodies."""

_MAGIC = b"k8s\0"


class Envelope(NamedTuple):
    """What is around an object: its identity, each part empty where it is not given, and the object's message."""

    api_version: str
    kind: str
    raw: bytes


def knows(type_: type) -> bool:
    """Whether objects of a type can be read here."""
    return decoder(type_) is not None


def envelope(body: bytes) -> Envelope:
    """Open a body; raises WireError."""
    if not body.startswith(_MAGIC):
        prefix = " ".join(str(byte) for byte in _MAGIC)
        raise WireError(f"provided data does not appear to be a protobuf message, expected prefix [{prefix}]")
    if len(body) == len(_MAGIC):
        raise WireError("empty body")
    unknown = scan(body, len(_MAGIC), len(body), "Unknown", {1: BYTES, 2: BYTES, 3: BYTES, 4: BYTES})
    header: bytes = unknown.get(1, b"")
    identity = scan(header, 0, len(header), "TypeMeta", {1: BYTES, 2: BYTES})
    return Envelope(_text(identity.get(1, b"")), _text(identity.get(2, b"")), unknown.get(2, b""))


def decode(type_: type[T], raw: bytes) -> T:
    """An object from its message; raises WireError.  The type MUST be one that is known here."""
    found = decoder(type_)  # type: ignore[arg-type]
    assert found is not None
    try:
        result: T = found.read(Counted(raw), 0, len(raw), 0)
    except RecursionError:
        raise WireError("proto: exceeded max depth") from None
    return result


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
