"""What a ValidatingAdmissionPolicy gets wrong about the kinds of objects that it matches (KEP-3488).

That is told in its status, and changes nothing else: a policy may match kinds of which each has other members.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from steersman.api.types.admissionregistration_v1 import ExpressionWarning, ValidatingAdmissionPolicySpec

from .composition import Composition, Types

if TYPE_CHECKING:
    from steersman.cel import Decl, Environment


class Kind(NamedTuple):
    """A kind that a policy matches, and the type of its objects."""

    group: str
    version: str
    kind: str
    type: Decl

    @property
    def text(self) -> str:
        """As Go prints it."""
        return f"{self.group}/{self.version}, Kind={self.kind}"


def warnings(
    spec: ValidatingAdmissionPolicySpec, kinds: Sequence[Kind], params: Decl | None
) -> list[ExpressionWarning]:
    """What is wrong with the validations of a policy, for each of its expressions."""
    environments = [
        (kind, Composition(spec.variables, params=params is not None, types=Types(kind.type, params)).environment())
        for kind in kinds
    ]
    found = []
    for path, expression in _expressions(spec):
        told = [
            f"{kind.text}: {fault}\n"
            for kind, environment in environments
            if (fault := _fault(environment, expression))
        ]
        if told:
            found.append(ExpressionWarning(field_ref=path, warning="\n".join(told)))
    return found


def _expressions(spec: ValidatingAdmissionPolicySpec) -> Iterator[tuple[str, str]]:
    for index, validation in enumerate(spec.validations):
        yield f"spec.validations[{index}].expression", validation.expression
        if validation.message_expression:
            yield f"spec.validations[{index}].messageExpression", validation.message_expression


def _fault(environment: Environment, expression: str) -> str:
    from steersman.cel import CompileError

    try:
        environment.compile(expression, "dyn")
    except CompileError as error:
        return str(error).removeprefix("compilation failed: ")
    return ""
