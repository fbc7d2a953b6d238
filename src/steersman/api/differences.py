"""What differs between two API objects, for the eyes of whoever is refused a change."""

from __future__ import annotations

from difflib import unified_diff
from typing import Any

import msgspec


def between(old: Any, new: Any) -> str:
    """The lines of both objects' JSON that differ, marked ``-`` and ``+``, with three lines around them."""
    before, after = (
        msgspec.json.format(msgspec.json.encode(each), indent=2).decode().splitlines() for each in (old, new)
    )
    return "\n".join(list(unified_diff(before, after, lineterm=""))[2:])
