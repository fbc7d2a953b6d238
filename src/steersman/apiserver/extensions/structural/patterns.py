"""Regular expressions in the dialect of Go: RE2, matched anywhere in a text."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

_SHORT = 128
_options = re2.Options()
_options.log_errors = False


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern occurs in a text; raises ``ValueError`` where it is no pattern."""
    return _remembered(pattern, text) if len(text) <= _SHORT else _search(pattern, text)


@lru_cache(maxsize=8192)
def _remembered(pattern: str, text: str) -> bool:
    return _search(pattern, text)


def _search(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    try:
        return re2.compile(pattern, _options)
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        raise ValueError(detail.decode() if isinstance(detail, bytes) else str(detail)) from None
