"""What both sorts of policies have in common: which of them, with which bindings and parameters, a request concerns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from steersman.api.scheme import Resource
from steersman.api.types.core_v1 import Namespace
from steersman.apiserver.admission.observer import Observer
from steersman.apiserver.admission.plugin import Cluster, Plugin, Request, Verb
from steersman.apiserver.extensions.expressions import Asked
from steersman.apiserver.extensions.matching import (
    Place,
    Rule,
    Selectors,
    chosen,
    is_configuration,
    place_of,
    selects_namespace,
    selects_object,
)
from steersman.apiserver.extensions.versions import Told, Versions, states
from steersman.apiserver.registry.registry import Registry

from .bindings import Bound, Policies, Policy
from .params import Misconfigured, params

C = TypeVar("C")

_REVIEWS = frozenset(
    {
        "selfsubjectreviews.authentication.k8s.io",
        "tokenreviews.authentication.k8s.io",
        "localsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectaccessreviews.authorization.k8s.io",
        "selfsubjectrulesreviews.authorization.k8s.io",
        "subjectaccessreviews.authorization.k8s.io",
    }
)
"""Questions by which the cluster itself works: no policy may stand in their way."""


class Invocation(NamedTuple, Generic[C]):
    """One policy, with one binding and one parameter object (None: without)."""

    policy: Policy[C]
    bound: Bound
    told: Told
    param: Any


class Misfit(NamedTuple, Generic[C]):
    """A policy, or (with one) its binding, that concerns the request and cannot be carried out."""

    policy: Policy[C]
    bound: Bound | None
    message: str


class PolicyPlugin(Plugin, Generic[C]):
    """``policies`` are this sort's."""

    configured = True

    def __init__(self, registry: Registry, policies: Policies[C], versions: Versions, observer: Observer) -> None:
        self._registry = registry
        self._policies = policies
        self._versions = versions
        self._observer = observer

    def concerns(self, verb: Verb, resource: Resource[Any], subresource: str) -> bool:
        return verb in self.verbs and not is_configuration(resource) and resource.qualified_name not in _REVIEWS

    async def _namespace(self, request: Request, cluster: Cluster) -> Namespace | None:
        if not request.resource.namespaced:
            return None
        return await cluster.get(Namespace, request.namespace)

    async def _concerned(
        self, policies: Sequence[Policy[C]], request: Request, namespace: Namespace | None
    ) -> list[Invocation[C] | Misfit[C]]:
        """In the order of the policies' names, then of their bindings'."""
        found: list[Invocation[C] | Misfit[C]] = []
        for policy in policies:
            found += [each async for each in self._ask(policy, request, namespace)]
        return found

    async def _ask(self, policy: Policy[C], request: Request, namespace: Namespace | None) -> Any:
        spec = policy.declared.spec
        matched = self._matched(spec.match_constraints, policy.selectors, request, namespace)
        if matched is None:
            return
        kind = spec.param_kind
        if kind is not None and self._registry.scheme.by_kind(kind.api_version, kind.kind) is None:
            group, _, version = kind.api_version.rpartition("/")
            text = f"failed to find resource referenced by paramKind: '{group}/{version}, Kind={kind.kind}'"
            yield Misfit(policy, None, f"failed to configure policy: {text}")
            return
        told = self._versions.told(request.resource, matched)
        if told is None:
            yield Misfit(policy, None, "failed to configure policy: failed to convert object version")
            return
        for bound in policy.bindings:
            match = bound.declared.spec.match_resources
            if match is not None and self._matched(match, bound.selectors, request, namespace) is None:
                continue
            place = request.namespace if request.resource.namespaced else ""
            try:
                found = await params(self._registry, kind, bound.declared.spec.param_ref, place)
            except Misconfigured as error:
                yield Misfit(policy, bound, f"failed to configure binding: {error}")
                continue
            for param in found:
                yield Invocation(policy, bound, told, param)

    def _matched(
        self, match: Any, selectors: Selectors, request: Request, namespace: Namespace | None
    ) -> Resource[Any] | None:
        """In which version a policy hears of a request, None where it does not."""
        if match is None:
            return request.resource
        if not selects_object(selectors.objects, (request.obj, request.old)):
            return None
        if selectors.namespaces is not None and not selects_namespace(selectors.namespaces, request, namespace):
            return None
        place = place_of(request.resource, request.subresource, request.namespace, request.name)
        if self._chosen(match, match.exclude_resource_rules, request, place) is not None:
            return None
        if not match.resource_rules:
            return request.resource
        found = self._chosen(match, match.resource_rules, request, place)
        return found if isinstance(found, Resource) else request.resource if found is not None else None

    def _chosen(self, match: Any, rules: Sequence[Any], request: Request, place: Place) -> Resource[Any] | Place | None:
        named: list[Rule] = [rule for rule in rules if not rule.resource_names or request.name in rule.resource_names]
        policy = match.match_policy or "Equivalent"
        others = self._versions.others(request.resource) if named and policy == "Equivalent" else ()
        return chosen(named, policy, request.verb, place, others)

    async def _asked(self, request: Request, told: Told, namespace: Namespace | None) -> Asked:
        """The request as expressions see it now."""
        surroundings = self._registry.surroundings
        if told.resource is request.resource:
            return Asked(request, surroundings, namespace=namespace)
        obj, old = await states(told, request)
        return Asked(request, surroundings, told_as=told.resource, obj=obj, old=old, namespace=namespace)


def by_policy(
    found: Sequence[Invocation[C] | Misfit[C]],
) -> Iterator[tuple[Policy[C], list[Invocation[C] | Misfit[C]]]]:
    """What there is to do for each policy."""
    groups: dict[str, list[Invocation[C] | Misfit[C]]] = {}
    for each in found:
        groups.setdefault(each.policy.declared.metadata.name, []).append(each)
    for group in groups.values():
        yield group[0].policy, group
