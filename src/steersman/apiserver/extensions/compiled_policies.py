"""A policy, compiled, and what it decides about one request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from steersman.api.errors import FieldError, invalid_value
from steersman.api.types.admissionregistration_v1 import (
    MatchCondition,
    ValidatingAdmissionPolicySpec,
    Validation,
    Variable,
)
from steersman.apiserver.extensions.expressions import Asked, MatchExpression

if TYPE_CHECKING:
    from steersman.apiserver.extensions.cel import Environment, Program, Result

LONGEST_MESSAGE = 5 * 1024
"""Bytes of what a ``messageExpression`` gives; a longer one is not used."""

_USES = re.compile(r"\bvariables\.([A-Za-z_][A-Za-z0-9_]*)")


class Fault(NamedTuple):
    """What of a policy does not compile: where, what, and why."""

    path: str
    expression: str
    detail: str

    def error(self) -> FieldError:
        """As it is told of the policy."""
        return invalid_value(self.path, self.expression, self.detail)


class Denial(NamedTuple):
    """Why a request is refused; ``reason`` is a Status'."""

    message: str
    reason: str = ""


class _Check(NamedTuple):
    declared: Validation
    program: Program
    message: Program | None


class CompiledPolicy:
    """Compiles what compiles; ``faults`` are the rest."""

    def __init__(self, spec: ValidatingAdmissionPolicySpec) -> None:
        self.faults: list[Fault] = []
        self.fails_open = spec.failure_policy == "Ignore"
        self._variables: dict[str, tuple[Program, str]] = {}
        self._parametrized = spec.param_kind is not None
        environment = self._compose(spec.variables)
        self._conditions = self._compile_conditions(spec.match_conditions, environment)
        self._checks = [
            check
            for index, each in enumerate(spec.validations)
            if (check := self._check(each, f"spec.validations[{index}]", environment)) is not None
        ]
        for index, annotation in enumerate(spec.audit_annotations):
            where = f"spec.auditAnnotations[{index}].valueExpression"
            self._compile(annotation.value_expression, "dyn", where, environment)

    def _compose(self, variables: Sequence[Variable]) -> Environment:
        """An environment with each variable that those after it, and everything else, may use."""
        from steersman.apiserver.extensions.cel import DYN, admission

        known: dict[str, Any] = {}

        def make() -> Environment:
            params = DYN if self._parametrized else None
            return admission.environment(params=params, variables=dict(known) or None)

        environment = make()
        for index, variable in enumerate(variables):
            where = f"spec.variables[{index}].expression"
            program = self._compile(variable.expression, "dyn", where, environment)
            known[variable.name] = DYN
            if program is not None:
                self._variables[variable.name] = (program, variable.expression)
            environment = make()
        return environment

    def _compile(self, expression: str, result: str, where: str, environment: Environment) -> Program | None:
        from steersman.apiserver.extensions.cel import CompileError

        try:
            return environment.compile(expression, result)
        except CompileError as error:
            self.faults.append(Fault(where, expression, str(error)))
            return None

    def _check(self, declared: Validation, where: str, environment: Environment) -> _Check | None:
        program = self._compile(declared.expression, "bool", f"{where}.expression", environment)
        message = None
        if declared.message_expression:
            message = self._compile(declared.message_expression, "string", f"{where}.messageExpression", environment)
        return _Check(declared, program, message) if program is not None else None

    def _compile_conditions(
        self, conditions: Sequence[MatchCondition], environment: Environment
    ) -> list[tuple[MatchExpression, str]]:
        found = []
        for index, each in enumerate(conditions):
            where = f"spec.matchConditions[{index}].expression"
            if (program := self._compile(each.expression, "bool", where, environment)) is not None:
                found.append((MatchExpression(each, program), each.expression))
        return found

    # -- deciding ------------------------------------------------------------------------------------------------

    def decide(self, asked: Asked, params: Any) -> list[Denial]:
        """Why a request is to be refused, with one parameter object; empty where it is not."""
        from steersman.apiserver.extensions.cel import RUNTIME_COST_BUDGET

        evaluation = _Evaluation(asked, params, self._variables, RUNTIME_COST_BUDGET)
        failure = ""
        for condition, expression in self._conditions:
            try:
                if not condition.holds(asked, evaluation.variables(expression)):
                    return []
            except ValueError as error:
                failure = failure or str(error)
        if failure:
            return [] if self.fails_open else [Denial(failure)]
        return list(self._decisions(evaluation))

    def _decisions(self, evaluation: _Evaluation) -> Iterator[Denial]:
        for check in self._checks:
            declared = check.declared
            try:
                result = evaluation.evaluate(check.program, declared.expression)
            except ValueError as error:
                if not self.fails_open:
                    yield Denial(f"expression '{declared.expression}' resulted in error: {error}")
                continue
            if result.value is not True:
                yield Denial(self._message(check, evaluation), declared.reason or "Invalid")

    def _message(self, check: _Check, evaluation: _Evaluation) -> str:
        declared = check.declared
        if check.message is not None:
            try:
                value = evaluation.evaluate(check.message, declared.message_expression).value
            except ValueError:
                value = None
            text = value.strip() if isinstance(value, str) else ""
            if text and "\n" not in text and len(text.encode()) <= LONGEST_MESSAGE:
                return text
        return declared.message.strip() or f"failed expression: {declared.expression.strip()}"


class _Evaluation:
    """One request with one parameter object; variables are evaluated when an expression first uses them."""

    def __init__(self, asked: Asked, params: Any, declared: Mapping[str, tuple[Program, str]], budget: int) -> None:
        self._given = {**asked.variables, "params": params}
        self._declared = declared
        self._budget = budget
        self._values: dict[str, Any] = {}

    def variables(self, expression: str) -> Mapping[str, Any]:
        """What an expression sees; raises ValueError for a variable of a policy that cannot be evaluated."""
        for name in _USES.findall(expression):
            if name in self._declared and name not in self._values:
                program, text = self._declared[name]
                try:
                    self._values[name] = self.evaluate(program, text).value
                except ValueError as error:
                    raise ValueError(f'composited variable "{name}" fails to evaluate: {error}') from None
        return {**self._given, "variables": self._values}

    def evaluate(self, program: Program, expression: str) -> Result:
        """Raises ValueError where there is no result."""
        result = program.evaluate(self.variables(expression), self._budget)
        self._budget -= result.cost
        if result.error is not None:
            raise ValueError(str(result.error))
        return result
