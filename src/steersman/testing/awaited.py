"""What :meth:`.cluster.Cluster.wait_for` waits for: what must be true of an object, and what is said when it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.scheme import Object
from steersman.apiserver.extensions.jsonpath import JSONPath

__tracebackhide__ = True  # pytest shows what the test asked for

Predicate = Callable[[Any], object]


class Awaited(msgspec.Struct, frozen=True):
    """``holds`` is given the object, or None where there is none; ``text`` completes "deployment/web in default: …"."""

    holds: Callable[[Any], object]
    text: str


def awaited(predicate: Predicate | None, condition: str, jsonpath: str, deleted: bool) -> Awaited:
    """What was asked for; at most one of them, and existence where none.  Raises ValueError, TypeError."""
    if predicate is not None and not callable(predicate):
        raise TypeError(f"{predicate!r} is no function of the object; condition= and jsonpath= take texts")
    for name, text in (("condition", condition), ("jsonpath", jsonpath)):
        if not isinstance(text, str):
            raise TypeError(f"{name} is {text!r}, no text")
    if sum((predicate is not None, bool(condition), bool(jsonpath), deleted)) > 1:
        raise ValueError("wait for one thing at a time: a function, a condition, a jsonpath, or deletion")
    if deleted:
        return Awaited(lambda obj: obj is None, "still there")
    if condition:
        return _condition(condition)
    if jsonpath:
        return _jsonpath(jsonpath)
    if predicate is not None:
        return _function(predicate)
    return Awaited(lambda obj: obj is not None, "not there")


def _function(predicate: Predicate) -> Awaited:
    name = getattr(predicate, "__name__", "")
    said = name if name and name != "<lambda>" else "what was waited for"
    return Awaited(lambda obj: obj is not None and predicate(obj), f"{said} is not true")


def _condition(text: str) -> Awaited:
    """``Available``, ``Available=False``; names and values in whatever case, as with ``kubectl wait``."""
    name, _, value = text.partition("=")
    value = value or "True"

    def holds(obj: Any) -> bool:
        return obj is not None and any(
            str(each.get("type", "")).lower() == name.lower()
            and str(each.get("status", "")).lower() == value.lower()
            and _is_observed(obj, each)
            for each in _conditions(obj)
        )

    return Awaited(holds, f"condition {name} is not {value}")


def _conditions(obj: Object) -> list[Mapping[str, Any]]:
    status = codecs.to_builtins(obj).get("status")
    found = status.get("conditions") if isinstance(status, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _is_observed(obj: Object, condition: Mapping[str, Any]) -> bool:
    """Whether a condition is of the present generation, as far as it tells."""
    seen = condition.get("observedGeneration")
    if seen is None:
        status = codecs.to_builtins(obj).get("status")
        seen = status.get("observedGeneration") if isinstance(status, Mapping) else None
    return not isinstance(seen, int) or seen >= (obj.metadata.generation or 0)


def _jsonpath(text: str) -> Awaited:
    """``{.status.phase}=Running``, or ``{.status.loadBalancer.ingress}`` for there being something."""
    path, end, value = text.partition("}")
    if not end or not path.startswith("{"):
        raise ValueError(f'jsonpath "{text}": {{.path}}=value or {{.path}} expected')
    path, wanted = path.removeprefix("{"), value.removeprefix("=")
    found = JSONPath(path)

    def holds(obj: Any) -> bool:
        if obj is None:
            return False
        values = found.find(codecs.to_builtins(obj))
        return any(_text(each) == wanted for each in values) if value else bool(values)

    return Awaited(holds, f"{text} is not so" if value else f"{text} is not there")


def _text(value: Any) -> str:
    """A value as kubectl compares it: scalars as they are written, the rest as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
