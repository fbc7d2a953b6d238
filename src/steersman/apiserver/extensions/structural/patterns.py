"""Regular expressions in the dialect of Go: RE2, matched anywhere in a text."""

from __future__ import annotations

from functools import lru_cache

from steersman.api.patterns import compiled

_SHORT = 128


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern occurs in a text; raises ``ValueError`` where it is no pattern."""
    return _remembered(pattern, text) if len(text) <= _SHORT and len(pattern) <= _SHORT else _search(pattern, text)


@lru_cache(maxsize=8192)
def _remembered(pattern: str, text: str) -> bool:
    return _search(pattern, text)


def _search(pattern: str, text: str) -> bool:
    return compiled(pattern).search(text) is not None
