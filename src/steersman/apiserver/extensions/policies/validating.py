"""``ValidatingAdmissionPolicy``: asks the policies that are bound (KEP-3488)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from steersman.api.errors import StatusError
from steersman.api.types.admissionregistration_v1 import ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding
from steersman.api.types.core_v1 import Namespace
from steersman.api.types.meta_v1 import StatusCause
from steersman.apiserver.admission.observer import Observer
from steersman.apiserver.admission.plugin import Cluster, Request, Verb
from steersman.apiserver.extensions.compiled_policies.validating import Decision, Judgement, ValidatingPolicy
from steersman.apiserver.extensions.expressions import Asked, EvaluationFailed, evaluated
from steersman.apiserver.extensions.versions import Versions
from steersman.apiserver.registry.registry import Registry

from .bindings import Bound, Policies, Policy
from .dispatch import Invocation, Misfit, PolicyPlugin, by_policy

LONGEST_ANNOTATION = 10 * 1024
"""Bytes of the value of an audit annotation; what is beyond is cut off."""

_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413}
_FAILURE = "validation.policy.admission.k8s.io/validation_failure"


class _Refusal(NamedTuple):
    policy: str
    binding: str
    message: str
    reason: str = ""


class ValidatingPolicies(PolicyPlugin[ValidatingPolicy]):
    """Every policy that matches is asked with every binding and every parameter object; the first refusal is told."""

    name = "ValidatingAdmissionPolicy"
    verbs: frozenset[Verb] = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})

    def __init__(self, registry: Registry, versions: Versions, observer: Observer) -> None:
        policies = Policies(registry, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingPolicy)
        super().__init__(registry, policies, versions, observer)

    async def validate(self, request: Request, cluster: Cluster) -> None:
        if not (policies := await self._policies.all()):
            return
        namespace = await self._namespace(request, cluster)
        asked: dict[str, Asked] = {}
        refusals: list[_Refusal] = []
        for policy, found in by_policy(await self._concerned(policies, request, namespace)):
            refusals += await self._judge(policy, found, request, namespace, asked)
        if refusals:
            raise _refused(request, refusals[0])

    async def _judge(
        self,
        policy: Policy[ValidatingPolicy],
        found: Sequence[Invocation[ValidatingPolicy] | Misfit[ValidatingPolicy]],
        request: Request,
        namespace: Namespace | None,
        asked: dict[str, Asked],
    ) -> list[_Refusal]:
        """What one policy has against a request; ``asked`` is the request in the versions in which it was told."""
        name, compiled = policy.declared.metadata.name, policy.compiled
        refusals: list[_Refusal] = []
        noted: dict[str, dict[str, None]] = {}
        for each in found:
            if isinstance(each, Misfit):
                if not compiled.fails_open:
                    binding = each.bound.declared.metadata.name if each.bound is not None else ""
                    refusals.append(_Refusal(name, binding, each.message))
                continue
            version = each.told.resource.group_version
            if version not in asked:
                asked[version] = await self._asked(request, each.told, namespace)
            judgement = await self._decided(compiled, asked[version], each.param)
            if judgement is None:
                continue
            binding = each.bound.declared.metadata.name
            for decision in judgement.decisions:
                if decision.admitted:
                    self._observer.validation(name, binding, decision.outcome, "allow", decision.seconds)
                else:
                    refusals += self._act(name, each.bound, decision, request)
            for note in judgement.noted:
                value = note.value.encode()[:LONGEST_ANNOTATION].decode(errors="ignore")
                noted.setdefault(note.key, {})[value] = None
            for decision in judgement.refused:
                refusals.append(_Refusal(name, binding, decision.message))
                self._observer.validation(name, binding, decision.outcome, "deny", decision.seconds)
        for key, values in noted.items():
            request.annotations.add(f"{name}/{key}", ", ".join(values))
        return refusals

    async def _decided(self, compiled: ValidatingPolicy, asked: Asked, param: Any) -> Judgement | None:
        """None where conditions keep the policy from a request."""
        elsewhere = self._registry.heavy.do
        try:
            concerns = await evaluated(asked, elsewhere, partial(compiled.concerns, asked, param, self._observer))
        except EvaluationFailed as error:
            return compiled.failed(error)
        if not concerns:
            return None
        return await evaluated(asked, elsewhere, partial(compiled.decide, asked, param))

    def _act(self, policy: str, bound: Bound, decision: Decision, request: Request) -> list[_Refusal]:
        """Do what a binding makes of a violation."""
        binding, actions = bound.declared.metadata.name, bound.declared.spec.validation_actions
        refusals = []
        for action in actions:
            self._observer.validation(policy, binding, decision.outcome, action.lower(), decision.seconds)
            if action == "Deny":
                refusals.append(_Refusal(policy, binding, decision.message, decision.reason))
            elif action == "Warn":
                told = f"Validation failed for ValidatingAdmissionPolicy '{policy}' with binding '{binding}': "
                if (warning := told + decision.message) not in request.warnings:
                    request.warnings.append(warning)
            elif action == "Audit":
                failure = {
                    "message": decision.message,
                    "policy": policy,
                    "binding": binding,
                    "expressionIndex": decision.number,
                    "validationActions": actions,
                }
                request.annotations.add(_FAILURE, msgspec.json.encode([failure]).decode())
        return refusals


def _refused(request: Request, refusal: _Refusal) -> StatusError:
    by = f"ValidatingAdmissionPolicy '{refusal.policy}'"
    if refusal.binding:
        by += f" with binding '{refusal.binding}'"
    message = f"{by} denied request: {refusal.message}"
    error = request.refuse(message)
    status = error.status
    status.reason = refusal.reason or "Invalid"
    status.code = _CODES.get(status.reason, 422)
    if status.details is not None:
        status.details.causes = [StatusCause(message=message)]
    return error
