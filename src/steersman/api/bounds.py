"""How much structure a body may have: a few megabytes of ``{},{},{}`` would become a gigabyte of objects.

The numbers are far beyond what any object in use has, and small enough to be read in a fraction of a second.
"""

from __future__ import annotations

import re

from .errors import StatusError, too_large

MOST_OBJECTS = 30_000
"""Objects and lists in one body."""

MOST_VALUES = 100_000
"""Members and elements of all of them."""


_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_DEEP = re.compile(rb"[\[{]{2000}")


def check_json(data: bytes) -> None:
    """Raise a 413 for a body with too much in it."""
    if not _is_much(data):
        return
    structure = _TEXT.sub(b"", data)
    # What is too deep is left to the parser, which says so at once.
    if _is_much(structure) and not _DEEP.search(structure.translate(None, _NO_BRACKETS)):
        raise too_much()


def _is_much(data: bytes) -> bool:
    return data.count(b"{") + data.count(b"[") > MOST_OBJECTS or data.count(b",") > MOST_VALUES


def too_much() -> StatusError:
    """The refusal."""
    return too_large(f"Request entity too large: limit is {MOST_OBJECTS} objects and {MOST_VALUES} values")
