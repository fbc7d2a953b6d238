"""Whom a request concerns: rules, scopes, equivalent resources, selectors.  Pure decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from steersman.api.scheme import Resource
from steersman.api.selectors import LabelSelector, from_label_selector
from steersman.api.types.core_v1 import Namespace
from steersman.api.types.meta_v1 import LabelSelector as Declared
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.admission.plugin import Request

_CONFIGURATIONS = frozenset(
    {
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    }
)


class Rule(Protocol):
    """Operations on resources; ``*`` stands for all."""

    operations: list[str]
    api_groups: list[str]
    api_versions: list[str]
    resources: list[str]
    scope: str


class Place(NamedTuple):
    """What is written, as a rule sees it; ``namespace`` is empty for what lies in none."""

    group: str
    version: str
    resource: str
    subresource: str
    namespace: str


def is_configuration(resource: Resource[Any]) -> bool:
    """Whether a resource says who is asked: then nobody may be asked about it, lest what is broken stay so."""
    return resource.group == "admissionregistration.k8s.io" and resource.name in _CONFIGURATIONS


def place_of(resource: Resource[Any], subresource: str, namespace: str, name: str) -> Place:
    """Namespaces themselves lie in none, although upstream's requests for them name one."""
    return Place(resource.group, resource.version, resource.name, subresource, namespace if resource.namespaced else "")


def matches(rule: Rule, verb: str, place: Place) -> bool:
    """Whether a rule covers an operation."""
    return (
        _has(rule.operations, verb)
        and _in_scope(rule.scope, place)
        and _has(rule.api_groups, place.group)
        and _has(rule.api_versions, place.version)
        and any(_is_resource(each, place) for each in rule.resources)
    )


def chosen(
    rules: Sequence[Rule], policy: str, verb: str, place: Place, equivalents: Iterable[Resource[Any]]
) -> Resource[Any] | Place | None:
    """Under which resource a request is told: its own, with policy ``Equivalent`` else another version's; or not."""
    if any(matches(rule, verb, place) for rule in rules):
        return place
    if policy != "Equivalent":
        return None
    others = list(equivalents)
    for rule in rules:
        for other in others:
            if matches(rule, verb, place._replace(group=other.group, version=other.version)):
                return other
    return None


def _has(patterns: Sequence[str], value: str) -> bool:
    return "*" in patterns or value in patterns


def _in_scope(scope: str, place: Place) -> bool:
    if scope == "Namespaced":
        return bool(place.namespace)
    if scope == "Cluster":
        return not place.namespace
    return True


def _is_resource(pattern: str, place: Place) -> bool:
    resource, _, subresource = pattern.partition("/")
    return resource in ("*", place.resource) and subresource in ("*", place.subresource)


class Selectors(NamedTuple):
    """The selectors of a webhook or a policy; None selects everything."""

    namespaces: LabelSelector | None
    objects: LabelSelector | None


def selectors(namespaces: Declared | None, objects: Declared | None) -> Selectors:
    """Compile them; raises ValueError."""

    def compiled(declared: Declared | None) -> LabelSelector | None:
        if declared is None or not (declared.match_labels or declared.match_expressions):
            return None
        return from_label_selector(declared)

    return Selectors(compiled(namespaces), compiled(objects))


def selects_namespace(selector: LabelSelector, request: Request, namespace: Namespace | None) -> bool:
    """Whether the namespace of a request is selected, which of a namespace is itself; what lies in none always is."""
    if request.resource.name == "namespaces" and not request.resource.group:
        obj = request.obj if request.obj is not None else request.old
        return obj is None or bool(selector.matches(obj.metadata.labels))
    if not request.resource.namespaced:
        return True
    return namespace is not None and bool(selector.matches(namespace.metadata.labels))


def selects_object(selector: LabelSelector | None, objects: Iterable[Any]) -> bool:
    """Whether the new or the old state of an object is selected; what has no labels is only by everything."""
    if selector is None:
        return True
    metas = [getattr(obj, "metadata", None) for obj in objects]
    return any(isinstance(meta, ObjectMeta) and selector.matches(meta.labels) for meta in metas)
