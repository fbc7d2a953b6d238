"""The words that faults and questions about requests may use: one that there is not would choose nothing, unnoticed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from steersman.api.scheme import Resource

from . import targets
from .selection import Pattern, fits

__tracebackhide__ = True  # pytest shows what the test asked for

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy")
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
"""The verbs of paths that are no resource."""


class Vocabulary:
    """Of a server that has these resources now."""

    def __init__(self, resources: Callable[[], Iterable[Resource[Any]]]) -> None:
        self._resources = resources

    def check(self, pattern: Mapping[str, Pattern | None], also: Iterable[str] = ()) -> None:
        """Raises ValueError, TypeError for what fits nothing that there is, nor can come.

        The resource of a definition that comes later is named with its group, which is none of Kubernetes's own:
        ``widgets.example.com``.  Resources that are known otherwise may be named, ``also``.
        """
        for name, value in pattern.items():
            found = [text for text in texts(name, value) if text != "*"]
            if name == "verb":
                for text in found:
                    _check_word(name, text, dict.fromkeys((*VERBS, *METHODS)))
            elif name == "resource":
                for text in found:
                    self._check_resource(text, also)
            elif name == "subresource":
                for text in filter(None, found):
                    _check_word(name, text, sorted({part for each in self._resources() for part in each.subresources}))

    def _check_resource(self, text: str, also: Iterable[str]) -> None:
        resources = [*self._resources()]
        names = {each.name for each in resources} | {each.qualified_name for each in resources} | {"", *also}
        if any(fits(text, each) for each in names):
            return
        name, slash, subresource = text.partition("/")
        if slash and any(fits(subresource, each.name) and fits(name, each.group) for each in resources):
            raise ValueError(f"resource {text!r}: the group stands behind, as in '{subresource}.{name}'")
        if slash:
            raise ValueError(f"resource {text!r}: what is below one is said by subresource={subresource!r}")
        try:
            meant = [targets.find(resources, name).qualified_name]
        except ValueError:
            _, dot, group = name.partition(".")
            if dot and group not in {each.group for each in resources if not each.custom}:
                return
            meant = difflib.get_close_matches(name.lower(), names - {""})
        said = f"; {' or '.join(map(repr, meant))} may be meant" if meant else ""
        raise ValueError(
            f"there is no resource {text!r}{said}. "
            "What a definition brings later is named with its group, as 'widgets.example.com'"
        )


def texts(name: str, value: Pattern | None) -> Sequence[str]:
    """Those of a pattern, none where it is None; raises TypeError for what is no pattern."""
    found = () if value is None else (value,) if isinstance(value, str) else value
    if not isinstance(found, Sequence) or not all(isinstance(each, str) for each in found):
        raise TypeError(f"{name} is {value!r}: a text is expected, perhaps with * and ?, or several texts")
    return found


def _check_word(name: str, text: str, known: Iterable[str]) -> None:
    if not any(fits(text, each) for each in known):
        raise ValueError(f"there is no {name} {text!r}: {', '.join(known)} there are")
