"""``MutatingAdmissionPolicy``: lets the policies that are bound change what is written (KEP-3962)."""

from __future__ import annotations

import time
from functools import partial
from typing import Any, NamedTuple

import msgspec

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.errors import StatusError, internal_error
from steersman.api.types import admissionregistration_v1beta1 as v1beta1
from steersman.api.types.core_v1 import Namespace
from steersman.api.types.meta_v1 import StatusCause
from steersman.apiserver.admission.observer import Observer, Outcome
from steersman.apiserver.admission.plugin import Cluster, Request, Verb
from steersman.apiserver.extensions.compiled_policies.mutating import MutatingPolicy, Mutation
from steersman.apiserver.extensions.compiled_policies.patches import Unpatchable, configured, patched
from steersman.apiserver.extensions.expressions import EvaluationFailed, evaluated
from steersman.apiserver.extensions.replacement import replace
from steersman.apiserver.extensions.versions import Told, Versions, converting
from steersman.apiserver.patch.apply.schemas import schema_of
from steersman.apiserver.registry.registry import Registry

from .bindings import Policies
from .dispatch import Invocation, Misfit, PolicyPlugin


class _Failure(NamedTuple):
    policy: str
    binding: str
    message: str
    reason: str = ""

    @property
    def text(self) -> str:
        if self.binding:
            return f"policy '{self.policy}' with binding '{self.binding}' denied request: {self.message}"
        return f'policy "{self.policy}" denied request: {self.message}'


class MutatingPolicies(PolicyPlugin[MutatingPolicy]):
    """Whom a request concerns is decided on the object as it came; then each changes what those before it left.

    A mutation that fails leaves the object as it was; the request is refused in the end, unless the policy ignores it.
    """

    name = "MutatingAdmissionPolicy"
    verbs: frozenset[Verb] = frozenset({"CREATE", "UPDATE", "CONNECT"})

    def __init__(self, registry: Registry, versions: Versions, observer: Observer) -> None:
        policies = Policies(
            registry, v1beta1.MutatingAdmissionPolicy, v1beta1.MutatingAdmissionPolicyBinding, MutatingPolicy
        )
        super().__init__(registry, policies, versions, observer)

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        if not (policies := await self._policies.all()):
            return
        namespace = await self._namespace(request, cluster)
        found = await self._concerned(policies, request, namespace)
        if not found:
            return
        invocations = request.reinvocation.of(self.name)
        if request.reinvocation.again:
            invocations.begin(request.obj)
        failures: list[_Failure] = []
        for each in found:
            if each.policy.compiled.fails_open:
                await self._perform(each, request, namespace)
            else:
                failures += await self._perform(each, request, namespace)
        if request.reinvocation.wanted:
            invocations.changed()
        invocations.end(request.obj)
        if failures:
            raise _refused(request, failures)

    async def _perform(
        self, each: Invocation[MutatingPolicy] | Misfit[MutatingPolicy], request: Request, namespace: Namespace | None
    ) -> list[_Failure]:
        """Change the object as one policy says; what of it failed."""
        policy = each.policy.declared.metadata.name
        binding = each.bound.declared.metadata.name if each.bound is not None else ""
        if isinstance(each, Misfit):
            return [_Failure(policy, binding, each.message)]
        compiled, rounds, elsewhere = each.policy.compiled, request.reinvocation, self._registry.heavy.do
        asked = await self._asked(request, each.told, namespace)
        try:
            if not await evaluated(asked, elsewhere, partial(compiled.concerns, asked, each.param, self._observer)):
                return []
        except EvaluationFailed as error:
            return [_Failure(policy, binding, str(error), "Invalid")]
        invocations, key = rounds.of(self.name), (policy, binding, _name_of(each.param))
        if rounds.again and not invocations.is_due(key):
            return []
        failures: list[_Failure] = []
        changed = False
        for mutation in compiled.mutations if request.obj is not None else ():
            started = time.perf_counter()
            outcome: Outcome = "no_error"
            try:
                now = asked if not changed else await self._asked(request, each.told, namespace)
                given = await evaluated(now, elsewhere, partial(compiled.evaluate, mutation, now, each.param))
                changed = await converting(partial(self._mutate, mutation, request, each.told, given)) or changed
                # Upstream does not ask whether that made a difference.
                rounds.wanted = True
            except EvaluationFailed as error:
                outcome = error.outcome
                failures.append(_Failure(policy, binding, str(error), "Invalid"))
            except Unpatchable as error:
                outcome = "invalid_error"
                failures.append(_Failure(policy, binding, str(error), "Invalid"))
            self._observer.mutation(policy, binding, outcome, time.perf_counter() - started)
        if changed:
            invocations.changed()
        if compiled.wants_again:
            invocations.note(key)
        return failures

    @staticmethod
    def _mutate(mutation: Mutation, request: Request, told: Told, value: Any) -> bool:
        """Carry one mutation out, with what it gave; whether the object is another one now."""
        present = told.there(request.obj)
        # Below a resource may be objects of other kinds: bindings, evictions, options.
        kind: Any = told.resource.type if isinstance(present, told.resource.type) else type(present)
        live = codecs.to_builtins(present)
        if mutation.form == "ApplyConfiguration":
            tree, strictness = configured(live, value, schema_of(kind)), "Ignore"
        else:
            tree, strictness = patched(live, value), "Strict"
        if tree == live:
            return False
        try:
            body, target = msgspec.json.encode(tree), told.resource if kind is told.resource.type else kind
            obj, _ = codecs.decode_body(target, body, "application/json", strictness)
        except StatusError as error:
            raise internal_error(str(error.__cause__ or error)) from None
        apply_defaults(obj)
        before = codecs.encode(request.obj)
        replace(request.obj, told.back(obj))
        return codecs.encode(request.obj) != before


def _name_of(param: Any) -> tuple[str, str]:
    metadata = (param or {}).get("metadata") or {}
    return metadata.get("namespace", ""), metadata.get("name", "")


def _refused(request: Request, failures: list[_Failure]) -> StatusError:
    status = request.refuse("admission request denied by policy").status
    status.message = failures[0].text
    status.reason = failures[0].reason or status.reason
    if status.details is not None:
        status.details.causes = [StatusCause(message=failure.text) for failure in failures]
    return StatusError(status)
