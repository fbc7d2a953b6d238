"""A ValidatingAdmissionPolicy, compiled, and what it decides about one request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from steersman.api.types.admissionregistration_v1 import (
    AuditAnnotation,
    ValidatingAdmissionPolicySpec,
    Validation,
)
from steersman.apiserver.admission.observer import Observer, Outcome
from steersman.apiserver.extensions.expressions import (
    Asked,
    Conditions,
    Evaluation,
    EvaluationFailed,
    Expression,
    Fault,
    OutOfBudget,
    condition_faults,
)

from .composition import Composition

LONGEST_MESSAGE = 5 * 1024
"""Bytes of what a ``messageExpression`` gives; a longer one is not used."""


class Decision(NamedTuple):
    """What one validation comes to where that is more than that all is well.

    ``reason`` is a Status'; what failed where failures are ignored is ``admitted`` for all that.
    """

    number: int
    message: str
    reason: str = "Invalid"
    admitted: bool = False
    outcome: Outcome = "no_error"
    seconds: float = 0.0


class Noted(NamedTuple):
    """What an audit annotation says."""

    key: str
    value: str


class Judgement(NamedTuple):
    """``refused`` are audit annotations that failed."""

    decisions: list[Decision]
    noted: list[Noted]
    refused: list[Decision]


class _Check(NamedTuple):
    declared: Validation
    expression: Expression
    message: Expression | None


class _Note(NamedTuple):
    declared: AuditAnnotation
    expression: Expression


class ValidatingPolicy:
    """Compiles what there is to compile; what cannot be fails when it is asked."""

    def __init__(self, spec: ValidatingAdmissionPolicySpec, name: str = "") -> None:
        params = spec.param_kind is not None
        self.fails_open = spec.failure_policy == "Ignore"
        self._spec = spec
        self._params = params
        self._composition = Composition(spec.variables, params=params)
        self._conditions = Conditions(spec.match_conditions, name, "policy", "validate", params=params)
        usual, restricted = self._composition.environment(), None
        self._checks: list[_Check] = []
        for each in spec.validations:
            message = None
            if each.message_expression:
                restricted = restricted or self._composition.environment(authorizer=False)
                message = Expression(each.message_expression, restricted, "string")
            self._checks.append(_Check(each, Expression(each.expression, usual, "bool"), message))
        self._notes = [
            _Note(each, Expression(each.value_expression.strip(), usual, "string|null_type"))
            for each in spec.audit_annotations
        ]

    def faults(self) -> Iterator[Fault]:
        """What does not compile."""
        yield from condition_faults(self._spec.match_conditions, "spec.matchConditions", params=self._params)
        yield from self._composition.faults()
        for index, check in enumerate(self._checks):
            where = f"spec.validations[{index}]"
            for name, expression in (("expression", check.expression), ("messageExpression", check.message)):
                if expression is not None and expression.fault and expression.text.strip():
                    yield Fault(f"{where}.{name}", expression.text, expression.fault)
        for index, note in enumerate(self._notes):
            if note.expression.fault and note.expression.text:
                where = f"spec.auditAnnotations[{index}].valueExpression"
                yield Fault(where, note.declared.value_expression, note.expression.fault)

    # -- deciding ------------------------------------------------------------------------------------------------

    def concerns(self, asked: Asked, params: Any, observer: Observer, quick: bool = False) -> bool:
        """Whether all match conditions hold; raises :class:`EvaluationFailed`."""
        if not self._conditions:
            return True
        return self._conditions.hold({**asked.variables, "params": params}, asked.request.verb, observer, quick=quick)

    def decide(self, asked: Asked, params: Any, quick: bool = False) -> Judgement:
        """What is to be said of a request, with one parameter object."""
        evaluation = self._composition.evaluation(asked, params, quick=quick)
        try:
            decisions = list(self._decisions(evaluation))
            return Judgement(decisions, *self._annotate(self._composition.evaluation(asked, params, quick=quick)))
        except OutOfBudget as error:
            return self.failed(error)

    def failed(self, error: EvaluationFailed) -> Judgement:
        """What it comes to that nothing could be decided."""
        return Judgement([self._failed(0, error)], [], [])

    def _failed(self, index: int, error: EvaluationFailed, started: float | None = None) -> Decision:
        seconds = time.perf_counter() - started if started is not None else 0.0
        return Decision(index, str(error), "", self.fails_open, error.outcome, seconds)

    def _decisions(self, evaluation: Evaluation) -> Iterator[Decision]:
        for index, check in enumerate(self._checks):
            started = time.perf_counter()
            try:
                holds = evaluation.evaluate(check.expression) is True
            except OutOfBudget:
                raise
            except EvaluationFailed as error:
                yield self._failed(index, error, started)
                continue
            if not holds:
                seconds = time.perf_counter() - started
                try:
                    message = _message(check, evaluation)
                except OutOfBudget as error:
                    text = f"failed messageExpression: {error}"
                    yield Decision(index, text, "", self.fails_open, error.outcome, seconds)
                    continue
                yield Decision(index, message, check.declared.reason or "Invalid", seconds=seconds)

    def _annotate(self, evaluation: Evaluation) -> tuple[list[Noted], list[Decision]]:
        noted: list[Noted] = []
        refused: list[Decision] = []
        for index, note in enumerate(self._notes):
            started = time.perf_counter()
            try:
                value = evaluation.evaluate(note.expression)
                if value is not None and not isinstance(value, str):
                    raise EvaluationFailed(
                        f"valueExpression '{note.declared.value_expression}' resulted in unsupported return type: "
                        f"{_type_name(value)}. Return type must be either string or null."
                    )
            except OutOfBudget:
                raise
            except EvaluationFailed as error:
                if not self.fails_open:
                    refused.append(self._failed(index, error, started))
                continue
            if value and (text := value.strip()):
                noted.append(Noted(note.declared.key, text))
        return noted, refused


def _message(check: _Check, evaluation: Evaluation) -> str:
    declared = check.declared
    if check.message is not None:
        try:
            value = evaluation.evaluate(check.message)
        except OutOfBudget:
            raise
        except EvaluationFailed:
            value = None
        text = value.strip() if isinstance(value, str) else ""
        if text and "\n" not in text and len(text.encode()) <= LONGEST_MESSAGE:
            return text
    return declared.message.strip() or f"failed expression: {declared.expression.strip()}"


def _type_name(value: Any) -> str:
    from steersman.cel.values import type_name

    return type_name(value)
