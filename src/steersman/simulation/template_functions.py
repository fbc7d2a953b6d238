"""The functions that kwok adds to templates; each is called with the subject before its arguments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import yaml

from steersman import __version__
from steersman.api.time import parse_rfc3339, rfc3339

from .gotemplate import TemplateError
from .gotemplate.dates import duration
from .shape import CONDITIONS
from .stage import Subject


def _quote(_: Subject, value: Any) -> str:
    """In double quotes, whatever it is."""
    shown = json.dumps(value, ensure_ascii=False)
    return shown if isinstance(value, str) else json.dumps(shown)


def _yaml(_: Subject, value: Any, indent: int = 0) -> str:
    """YAML, so many times two spaces below where it stands."""
    shown: str = yaml.dump(value, Dumper=yaml.CSafeDumper, default_flow_style=False, allow_unicode=True)
    return ("\n" + shown).replace("\n", "\n" + "  " * indent) if indent > 0 else shown


def _node_conditions(_: Subject) -> list[dict[str, str]]:
    keys = ("type", "status", "reason", "message")
    route = ("NetworkUnavailable", "False", "RouteCreated", "RouteController created a route")
    return [dict(zip(keys, each, strict=True)) for each in (*CONDITIONS[::-1], route)]


def _pod_ip(subject: Subject, host_network: bool = False) -> str:
    status = subject.object.status
    if known := getattr(status, "pod_ip", ""):
        return str(known)
    return subject.place.address if host_network else subject.addresses[0]


def _pod_ip_with(
    subject: Subject, node: str, host_network: bool = False, uid: str = "", name: str = "", namespace: str = ""
) -> str:
    """Of the pod itself: nobody needs another's."""
    mine = subject.object.metadata
    if (node, uid or mine.uid) != (subject.place.name, mine.uid):
        raise TemplateError("the address of another pod is not known")
    return _pod_ip(subject, host_network)


def _node_ip_with(subject: Subject, node: str) -> str:
    if node != subject.place.name:
        raise TemplateError("the address of another node is not known")
    return subject.place.address


OBJECT_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Quote": _quote,
    "YAML": _yaml,
    "Now": lambda subject: rfc3339(subject.instant),
    "now": lambda subject: rfc3339(subject.instant),
    "ago": lambda subject, instant: duration((subject.instant - parse_rfc3339(instant)).total_seconds()),
    "StartTime": lambda subject: rfc3339(subject.place.started),
    "Version": lambda _: __version__,
    "NodeConditions": _node_conditions,
}
"""For objects of any kind."""

TEMPLATE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **OBJECT_FUNCTIONS,
    "NodeName": lambda subject: subject.place.name,
    "NodeIP": lambda subject: subject.place.address,
    "NodeIPWith": _node_ip_with,
    "NodePort": lambda _: 0,
    "PodIP": _pod_ip,
    "PodIPWith": _pod_ip_with,
}
"""For nodes and what is on them."""
