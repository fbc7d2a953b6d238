"""A MutatingAdmissionPolicy, compiled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from steersman.api.types.admissionregistration_v1beta1 import MutatingAdmissionPolicySpec
from steersman.apiserver.admission.observer import Observer
from steersman.apiserver.extensions.expressions import Asked, Conditions, Expression, Fault, condition_faults

from .composition import Composition

Form = Literal["ApplyConfiguration", "JSONPatch"]


class Mutation(NamedTuple):
    """What one mutation gives, and how that is meant."""

    form: Form
    expression: Expression


class MutatingPolicy:
    """Compiles what there is to compile; what cannot be fails when it is asked."""

    def __init__(self, spec: MutatingAdmissionPolicySpec, name: str = "") -> None:
        params = spec.param_kind is not None
        self.fails_open = spec.failure_policy == "Ignore"
        self.wants_again = spec.reinvocation_policy == "IfNeeded"
        self._spec = spec
        self._params = params
        self._composition = Composition(spec.variables, params=params)
        self._conditions = Conditions(spec.match_conditions, name, "policy", "validate", params=params)
        environment = self._composition.environment(mutating=True)
        self.mutations: list[Mutation] = []
        self._paths: list[str] = []
        for index, each in enumerate(spec.mutations):
            where = f"spec.mutations[{index}]"
            if each.patch_type == "ApplyConfiguration" and each.apply_configuration is not None:
                text = each.apply_configuration.expression
                self.mutations.append(Mutation("ApplyConfiguration", Expression(text, environment, "Object")))
                self._paths.append(f"{where}.applyConfiguration.expression")
            elif each.patch_type == "JSONPatch" and each.json_patch is not None:
                text = each.json_patch.expression
                self.mutations.append(Mutation("JSONPatch", Expression(text, environment, "list(JSONPatch)")))
                self._paths.append(f"{where}.jsonPatch.expression")

    def faults(self) -> Iterator[Fault]:
        """What does not compile."""
        yield from condition_faults(self._spec.match_conditions, "spec.matchConditions", params=self._params)
        yield from self._composition.faults()
        for path, (_, expression) in zip(self._paths, self.mutations, strict=True):
            if expression.fault and expression.text.strip():
                yield Fault(path, expression.text, expression.fault)

    def concerns(self, asked: Asked, params: Any, observer: Observer, quick: bool = False) -> bool:
        """Whether all match conditions hold; raises :class:`EvaluationFailed`."""
        if not self._conditions:
            return True
        return self._conditions.hold({**asked.variables, "params": params}, asked.request.verb, observer, quick=quick)

    def evaluate(self, mutation: Mutation, asked: Asked, params: Any, quick: bool = False) -> Any:
        """What a mutation gives; raises :class:`EvaluationFailed`."""
        return self._composition.evaluation(asked, params, quick=quick).evaluate(mutation.expression)
