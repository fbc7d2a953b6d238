"""How much structure a body may have: a few megabytes of ``{},{},{}`` would become a gigabyte of objects.

The numbers are far beyond what any object in use has, and small enough to be read in a fraction of a second.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .errors import StatusError, too_large

MOST_OBJECTS = 30_000
"""Objects and lists in one body."""

MOST_VALUES = 100_000
"""Members and elements of all of them."""


def check_json(data: bytes) -> None:
    """Raise a 413 for a body with too much in it; one that is no JSON passes."""
    if data.count(b"{") + data.count(b"[") <= MOST_OBJECTS and data.count(b",") <= MOST_VALUES:
        return
    # Braces and commas may be those of texts.
    try:
        tree = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    check_tree(tree)


def check_tree(tree: Any) -> None:
    """Raise a 413 for data with too much in it."""
    objects = values = 0
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            children = list(node.values())
        elif isinstance(node, list):
            children = node
        else:
            continue
        objects += 1
        values += len(children)
        if objects > MOST_OBJECTS or values > MOST_VALUES:
            raise too_much()
        waiting += [child for child in children if isinstance(child, dict | list)]


def too_much() -> StatusError:
    """The refusal."""
    return too_large(f"Request entity too large: limit is {MOST_OBJECTS} objects and {MOST_VALUES} values")
