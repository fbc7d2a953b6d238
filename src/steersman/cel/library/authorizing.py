"""The authorizer library, over what answers its checks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from steersman.cel.functions import member

AUTHORIZER = "kubernetes.authorization.Authorizer"
PATH = "kubernetes.authorization.PathCheck"
GROUP = "kubernetes.authorization.GroupCheck"
RESOURCE = "kubernetes.authorization.ResourceCheck"
DECISION = "kubernetes.authorization.Decision"
TYPES = (AUTHORIZER, PATH, GROUP, RESOURCE, DECISION)
CHECK_COST = 350_000


@dataclass(frozen=True, slots=True)
class Decision:
    is_allowed: bool
    reason: str = ""
    error: str = ""

    cel_type = DECISION


@dataclass(frozen=True, slots=True)
class Check:
    """What is asked: about a path, or about a resource."""

    authorizer: Authorizer
    cel_type: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""


class Decides(Protocol):
    """Answers checks, at once."""

    def decide(self, check: Check, verb: str, service_account: tuple[str, str] | None) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Authorizer:
    """The variable ``authorizer``."""

    decides: Decides
    service_account: tuple[str, str] | None = None
    """Namespace and name of who is asked about, if not of who makes the request."""

    cel_type = AUTHORIZER


def check(asked: Check, verb: str) -> Decision:
    return asked.authorizer.decides.decide(asked, verb, asked.authorizer.service_account)


_BUILDING = f"{RESOURCE} string -> {RESOURCE}"

FUNCTIONS = (
    member("path", lambda a, path: Check(a, PATH, path=path), f"{AUTHORIZER} string -> {PATH}"),
    member("group", lambda a, group: Check(a, GROUP, group=group), f"{AUTHORIZER} string -> {GROUP}"),
    member(
        "serviceAccount",
        lambda a, namespace, name: Authorizer(a.decides, (namespace, name)),
        f"{AUTHORIZER} string string -> {AUTHORIZER}",
    ),
    member("resource", lambda c, name: replace(c, cel_type=RESOURCE, resource=name), f"{GROUP} string -> {RESOURCE}"),
    member("subresource", lambda c, name: replace(c, subresource=name), _BUILDING),
    member("namespace", lambda c, name: replace(c, namespace=name), _BUILDING),
    member("name", lambda c, name: replace(c, name=name), _BUILDING),
    member("fieldSelector", lambda c, text: replace(c, field_selector=text), _BUILDING),
    member("labelSelector", lambda c, text: replace(c, label_selector=text), _BUILDING),
    member("check", check, f"{PATH} string -> {DECISION}", f"{RESOURCE} string -> {DECISION}", cost=CHECK_COST),
    member("allowed", lambda d: d.is_allowed, f"{DECISION} -> bool"),
    member("reason", lambda d: d.reason, f"{DECISION} -> string"),
    member("error", lambda d: d.error, f"{DECISION} -> string"),
    member("errored", lambda d: bool(d.error), f"{DECISION} -> bool"),
)
