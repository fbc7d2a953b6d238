"""The JSON patch library: keys as parts of JSON pointers (RFC 6901)."""

from __future__ import annotations

from steersman.cel.functions import free, traversal


def escape_key(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


FUNCTIONS = (free("jsonpatch.escapeKey", escape_key, "string -> string", cost=traversal),)
