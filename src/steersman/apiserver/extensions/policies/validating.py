"""``ValidatingAdmissionPolicy``: asks the policies that are bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from steersman.api.errors import StatusError
from steersman.api.scheme import Resource
from steersman.api.types.admissionregistration_v1 import MatchResources, NamedRuleWithOperations
from steersman.api.types.core_v1 import Namespace
from steersman.api.types.meta_v1 import StatusCause
from steersman.apiserver.admission.plugin import Cluster, Plugin, Request, Verb
from steersman.apiserver.extensions.compiled_policies import Denial
from steersman.apiserver.extensions.expressions import Asked
from steersman.apiserver.extensions.webhooks.matching import (
    Place,
    Selectors,
    chosen,
    is_exempt,
    place_of,
    selects_object,
)
from steersman.apiserver.registry.registry import Registry

from .bindings import Bound, Policies, Policy
from .params import Misconfigured, params

_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413}


class _Refusal(NamedTuple):
    policy: str
    binding: str
    denial: Denial


class ValidatingPolicies(Plugin):
    """Every policy that matches is asked with every binding and every parameter object; the first refusal is told."""

    name = "ValidatingAdmissionPolicy"
    configured = True
    verbs: frozenset[Verb] = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._policies = Policies(registry)

    def concerns(self, verb: Verb, resource: Resource[Any], subresource: str) -> bool:
        return verb in self.verbs and not is_exempt(resource)

    async def validate(self, request: Request, cluster: Cluster) -> None:
        if not (policies := await self._policies.all()):
            return
        namespace = await self._namespace(request, cluster)
        refusals: list[_Refusal] = []
        for policy in policies:
            refusals += await self._ask(policy, request, namespace)
        if refusals:
            raise _refused(request, refusals[0])

    async def _namespace(self, request: Request, cluster: Cluster) -> Namespace | None:
        if not request.resource.namespaced:
            return None
        return await cluster.get(Namespace, request.namespace)

    async def _ask(self, policy: Policy, request: Request, namespace: Namespace | None) -> list[_Refusal]:
        name = policy.declared.metadata.name
        told = self._told(policy.declared.spec.match_constraints, policy.selectors, request, namespace)
        if told is None:
            return []
        refusals: list[_Refusal] = []
        asked = self._asked(request, told, namespace)
        for bound in policy.bindings:
            binding = bound.declared.metadata.name
            match = bound.declared.spec.match_resources
            if match is not None and self._told(match, bound.selectors, request, namespace) is None:
                continue
            try:
                found = await params(
                    self._registry,
                    policy.declared.spec.param_kind,
                    bound.declared.spec.param_ref,
                    request.namespace if request.resource.namespaced else "",
                )
            except Misconfigured as error:
                if not policy.compiled.fails_open:
                    refusals.append(_Refusal(name, binding, Denial(f"failed to configure binding: {error}")))
                continue
            for each in found:
                for denial in policy.compiled.decide(asked, each):
                    refusals += self._act(name, bound, denial, request)
        return refusals

    def _act(self, policy: str, bound: Bound, denial: Denial, request: Request) -> Iterable[_Refusal]:
        """What a binding makes of a violation.  What is to be audited is, once there is an audit log."""
        name = bound.declared.metadata.name
        for action in bound.declared.spec.validation_actions:
            if action == "Deny":
                yield _Refusal(policy, name, denial)
            elif action == "Warn":
                told = f"Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{name}': "
                if (warning := told + denial.message) not in request.warnings:
                    request.warnings.append(warning)

    # -- matching ------------------------------------------------------------------------------------------------

    def _told(
        self, match: MatchResources | None, selectors: Selectors, request: Request, namespace: Namespace | None
    ) -> Resource[Any] | None:
        """In which version a policy hears of a request, None where it does not."""
        if match is None:
            return request.resource
        if not selects_object(selectors.objects, (request.obj, request.old)):
            return None
        if selectors.namespaces is not None and not _selects_namespace(selectors, request, namespace):
            return None
        place = place_of(request.resource, request.subresource, request.namespace, request.name)
        equivalents = self._equivalents(request)
        policy = match.match_policy or "Equivalent"
        if _chosen(match.exclude_resource_rules, policy, request, place, equivalents) is not None:
            return None
        if not match.resource_rules:
            return request.resource
        found = _chosen(match.resource_rules, policy, request, place, equivalents)
        return found if isinstance(found, Resource) else request.resource if found is not None else None

    def _equivalents(self, request: Request) -> list[Resource[Any]]:
        own = request.resource
        return [
            other
            for other in self._registry.scheme
            if other.storage_prefix == own.storage_prefix and other.kind == own.kind and other is not own
        ]

    def _asked(self, request: Request, told: Resource[Any], namespace: Namespace | None) -> Asked:
        surroundings = self._registry.surroundings
        convert = self._registry.converter(request.resource, told) if told is not request.resource else None
        if convert is None:
            return Asked(request, surroundings, namespace=namespace)
        obj = convert(request.obj) if request.obj is not None else None
        old = convert(request.old) if request.old is not None else None
        return Asked(request, surroundings, told_as=told, obj=obj, old=old, namespace=namespace)


def _chosen(
    rules: Sequence[NamedRuleWithOperations],
    policy: str,
    request: Request,
    place: Place,
    equivalents: Sequence[Resource[Any]],
) -> Resource[Any] | Place | None:
    named = [rule for rule in rules if not rule.resource_names or request.name in rule.resource_names]
    return chosen(named, policy, request.verb, place, equivalents)


def _selects_namespace(selectors: Selectors, request: Request, namespace: Namespace | None) -> bool:
    assert selectors.namespaces is not None
    if request.resource.name == "namespaces" and not request.resource.group:
        obj = request.obj if request.obj is not None else request.old
        return obj is None or bool(selectors.namespaces.matches(obj.metadata.labels))
    if not request.resource.namespaced:
        return True
    return namespace is not None and bool(selectors.namespaces.matches(namespace.metadata.labels))


def _refused(request: Request, refusal: _Refusal) -> StatusError:
    by = f"ValidatingAdmissionPolicy '{refusal.policy}' with binding '{refusal.binding}'"
    message = f"{by} denied request: {refusal.denial.message}"
    error = request.refuse(message)
    status = error.status
    status.reason = refusal.denial.reason or "Invalid"
    status.code = _CODES.get(status.reason, 422)
    if status.details is not None:
        status.details.causes = [StatusCause(message=message)]
    return error
