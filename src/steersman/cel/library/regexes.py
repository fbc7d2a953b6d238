"""The regex library, in RE2's syntax."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from steersman.cel.errors import CELError
from steersman.cel.functions import matching, member


@lru_cache(maxsize=128)  # RE2 keeps up to 8 MB for each, and patterns may be data
def pattern(text: str) -> Any:
    """A compiled pattern; what RE2 refuses is an error of the expression."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise CELError(f"error parsing regexp: {error}") from error


def matches(text: str, expression: str) -> bool:
    return pattern(expression).search(text) is not None


def find(text: str, expression: str) -> str:
    found = pattern(expression).search(text)
    return str(found.group()) if found else ""


def find_all(text: str, expression: str, limit: int = -1) -> list[str]:
    found: list[str] = []
    for match in pattern(expression).finditer(text):
        if 0 <= limit <= len(found):
            break
        found.append(match.group())
    return found


FUNCTIONS = (
    member("find", find, "string string -> string", cost=matching),
    member("findAll", find_all, "string string -> list<string>", "string string int -> list<string>", cost=matching),
)
