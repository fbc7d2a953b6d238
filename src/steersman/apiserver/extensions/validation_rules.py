"""Validation rules (``x-kubernetes-validations``, KEP-2876): compiled from schemas, evaluated on custom resources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from steersman.api import errors
from steersman.api.errors import FieldError
from steersman.cel import (
    CompileError,
    CostExceeded,
    Decl,
    Environment,
    Program,
    Result,
    ResultTypeError,
    from_schema,
    optional,
)
from steersman.cel.values import NONE, Optional

from .structural import ABSENT, Budget, RuleFault

LONGEST_MESSAGE = 5 * 1024
"""Bytes of what a ``messageExpression`` gives; a longer one is not used."""
_EXHAUSTED = "validation failed due to running out of cost budget, no further validation rules will be run"
_MESSAGE_EXHAUSTED = (
    "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run"
)
_STEP = re.compile(r"\.([^.\[\]']+)|\[('(?:[^'\\]|\\.)*')\]")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


class Rule(msgspec.Struct, frozen=True):
    """One rule; at most one of ``program`` and ``error`` is there, neither for an empty one."""

    text: str
    program: Program | None = None
    error: str = ""
    uses_old: bool = False
    """Whether it is a transition rule: one that compares with what was before."""
    optional_old: bool = False
    message: str = ""
    message_program: Program | None = None
    message_text: str = ""
    message_error: str = ""
    reason: str = ""
    field_path: str = ""
    """Of the field that is told, below the rule's own."""

    def named(self) -> str:
        """What messages call the rule."""
        return (self.message or self.text).strip()


class Rules:
    """The rules of one schema."""

    def __init__(self, type_: str, rules: Sequence[Rule], fault: str = "") -> None:
        self.type = type_
        """What is shown as the value of what could not be evaluated."""
        self.rules = tuple(rules)
        self.fault = fault
        """Why none of them can be evaluated."""

    def evaluate(self, value: Any, old: Any, path: str, budget: Budget) -> Iterator[RuleFault]:
        """The rules that do not hold; null breaks none."""
        if value is None:
            return
        if self.fault:
            yield self._plain(path, f"rule compiler initialization error: {self.fault}")
            return
        if budget.remaining <= 0:
            budget.remaining = -1
            yield self._plain(path, _EXHAUSTED)
            return
        former = None if old is ABSENT else old
        plain = {"self": value} if former is None else {"self": value, "oldSelf": former}
        for rule in self.rules:
            if rule.error:
                yield self._plain(path, f"rule compile error: {rule.error}")
            elif rule.program is not None and not (rule.uses_old and former is None and not rule.optional_old):
                variables: Mapping[str, Any] = plain
                if rule.optional_old:
                    variables = {"self": value, "oldSelf": NONE if former is None else Optional(True, former)}
                yield from self._one(rule, rule.program.evaluate(variables, budget.remaining), plain, path, budget)
                if budget.remaining < 0:
                    return

    def _one(
        self, rule: Rule, result: Result, variables: Mapping[str, Any], path: str, budget: Budget
    ) -> Iterator[RuleFault]:
        if result.cost > budget.remaining:
            budget.remaining = -1
            yield self._plain(path, _EXHAUSTED)
            return
        budget.remaining -= result.cost
        if result.error is None:
            if result.value is not True:
                yield self._broken(rule, variables, path, budget)
            return
        if isinstance(result.error, CostExceeded):
            budget.remaining = -1
            told = "no further validation rules will be run due to call cost exceeds limit for rule"
            yield self._plain(path, f"'{result.error}': {told}: {rule.named()}")
        elif str(result.error).startswith("no such overload"):
            told = "call arguments did not match a supported operator, function or macro signature for rule"
            yield self._plain(path, f"'{result.error}': {told}: {rule.named()}")
        else:
            yield self._plain(path, f"{result.error} evaluating rule: {rule.named()}")

    def _plain(self, path: str, detail: str) -> RuleFault:
        return RuleFault(errors.invalid_value(path, self.type, detail), ratcheted=False)

    def _broken(self, rule: Rule, variables: Mapping[str, Any], path: str, budget: Budget) -> RuleFault:
        where = f"{path}.{rule.field_path}" if path and rule.field_path else path or rule.field_path
        detail = ""
        if rule.message_program is not None:
            result = rule.message_program.evaluate(variables, budget.remaining)
            if result.cost > budget.remaining:
                budget.remaining = -1
                return RuleFault(errors.invalid_value(where, self.type, _MESSAGE_EXHAUSTED), not rule.uses_old)
            budget.remaining -= result.cost
            if isinstance(result.error, CostExceeded):
                budget.remaining = -1
                text = (
                    "no further validation rules will be run due to call cost exceeds limit for messageExpression: "
                    f"{errors.go_value(rule.message_text)}"
                )
                return RuleFault(errors.invalid_value(where, self.type, text), not rule.uses_old)
            detail = _usable(result.value)
        if not detail:
            detail = rule.message.strip() if rule.message else f"failed rule: {rule.text.strip()}"
        return RuleFault(self._told(where, variables["self"], detail, rule.reason), not rule.uses_old)

    def _told(self, path: str, value: Any, detail: str, reason: str) -> FieldError:
        """Scalars are shown, objects and lists are not."""
        shown = "" if self.type in ("object", "array") else f": {errors.go_value(value)}"
        match reason:
            case "FieldValueForbidden":
                return errors.forbidden_field(path, detail)
            case "FieldValueRequired":
                return errors.required(path, detail)
            case "FieldValueDuplicate":
                return FieldError(path, "FieldValueDuplicate", f"Duplicate value{shown}")
        return FieldError(path, "FieldValueInvalid", f"Invalid value{shown}: {detail}")


class Compiler:
    """Compiles the rules of schemas, each in an environment of the schema's own types."""

    def compile(self, schema: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], *, resource: bool) -> Rules:
        type_ = str(schema.get("type") or "")
        declared = from_schema(schema, resource=resource)
        if declared is None:
            preserve = str(bool(schema.get("x-kubernetes-preserve-unknown-fields"))).lower()
            return Rules(
                type_,
                (),
                "rule declared on schema that does not support validation rules type: "
                f"'{type_}' x-kubernetes-preserve-unknown-fields: '{preserve}'",
            )
        environments = _Environments(declared)
        return Rules(type_, [_rule(schema, rule, environments) for rule in rules])


class _Environments:
    """Made when the first rule needs them."""

    def __init__(self, declared: Decl) -> None:
        self._declared = declared
        self._made: dict[bool, Environment] = {}

    def get(self, *, optional_old: bool) -> Environment:
        if optional_old not in self._made:
            old = optional(self._declared) if optional_old else self._declared
            self._made[optional_old] = Environment({"self": self._declared, "oldSelf": old})
        return self._made[optional_old]


def _rule(schema: Mapping[str, Any], rule: Mapping[str, Any], environments: _Environments) -> Rule:
    text = rule.get("rule") or ""
    if not text.strip():
        return Rule(text)
    common: dict[str, Any] = {
        "optional_old": bool(rule.get("optionalOldSelf")),
        "message": rule.get("message") or "",
        "message_text": rule.get("messageExpression") or "",
        "reason": rule.get("reason") or "",
        "field_path": field_path(rule.get("fieldPath") or "", schema) or "",
    }
    try:
        program = environments.get(optional_old=common["optional_old"]).compile(text)
    except ResultTypeError:
        return Rule(text, error="cel expression must evaluate to a bool", **common)
    except CompileError as error:
        return Rule(text, error=str(error), **common)
    compiled, fault = None, ""
    if common["message_text"]:
        try:
            compiled = environments.get(optional_old=False).compile(common["message_text"], "string")
        except ResultTypeError:
            fault = "messageExpression must evaluate to a string"
        except CompileError as error:
            fault = f"messageExpression {error}"
    uses = program.uses("oldSelf")
    return Rule(text, program, uses_old=uses, message_program=compiled, message_error=fault, **common)


def field_path(text: str, schema: Mapping[str, Any]) -> str | None:
    """A rule's ``fieldPath`` (``.spec.labels['a']``) as faults show it, ``None`` for one that leads nowhere."""
    path, at = "", 0
    node: Mapping[str, Any] | None = schema
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None or node is None:
            return None
        at = step.end()
        name = step[1] if step[1] is not None else _unquoted(step[2][1:-1])
        if name is None:
            return None
        if node.get("properties") is not None:
            path = f"{path}.{name}" if path else name
            node = node["properties"].get(name)
        elif isinstance(node.get("additionalProperties"), Mapping):
            path = f"{path}[{name}]"
            node = node["additionalProperties"]
        else:
            return None
        if node is None:
            return None
    return path


def _unquoted(text: str) -> str | None:
    if any(escape not in _ESCAPES for escape in _ESCAPE.findall(text)):
        return None
    return _ESCAPE.sub(lambda match: _ESCAPES[match[1]], text)


def _usable(message: Any) -> str:
    """What a ``messageExpression`` gave, empty where it cannot be told."""
    text = message.strip() if isinstance(message, str) else ""
    return "" if "\n" in text or len(text.encode()) > LONGEST_MESSAGE else text
