"""The variables of a policy, and the environments that they make up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from steersman.apiserver.extensions.expressions import Asked, Evaluation, Expression, Fault

if TYPE_CHECKING:
    from steersman.cel import Decl, Environment


_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Declared(Protocol):
    """A variable, in any version of the API."""

    name: str
    expression: str


class Types(NamedTuple):
    """What is known of the objects and of the parameters: nothing, but where types are checked."""

    objects: Decl | None = None
    params: Decl | None = None


_UNKNOWN = Types()


class Composition:
    """Variables may use those before them; everything else but match conditions may use all."""

    def __init__(self, variables: Sequence[Declared], *, params: bool, types: Types = _UNKNOWN) -> None:
        self._params = params
        self._given = types
        self._types: dict[str, Decl] = {}
        self._expressions: list[Expression] = []
        self.variables: dict[str, Expression] = {}
        made = self.environment()
        for variable in variables:
            expression = self.variables[variable.name] = Expression(variable.expression, made)
            self._expressions.append(expression)
            if _NAME.fullmatch(variable.name):  # nobody can ask for another
                self._types[variable.name] = _type_of(expression)
                made = self.environment()

    def faults(self) -> Iterator[Fault]:
        """The variables that do not compile."""
        for index, expression in enumerate(self._expressions):
            if expression.fault and expression.text.strip():
                yield Fault(f"spec.variables[{index}].expression", expression.text, expression.fault)

    def environment(self, *, authorizer: bool = True, mutating: bool = False) -> Environment:
        """What the expressions of the policy may use."""
        from steersman.cel import DYN, admission

        return admission.environment(
            objects=self._given.objects or DYN,
            params=(self._given.params or DYN) if self._params else None,
            authorizer=authorizer,
            variables=dict(self._types),
            mutating=mutating,
        )

    def evaluation(self, asked: Asked, params: Any, *, quick: bool = False) -> Evaluation:
        """Evaluates the expressions of the policy about a request, with one parameter object."""
        from steersman.cel import RUNTIME_COST_BUDGET

        return Evaluation({**asked.variables, "params": params}, RUNTIME_COST_BUDGET, self.variables, quick=quick)


def _type_of(expression: Expression) -> Decl:
    from steersman.cel import DYN

    return expression.program.result_type() if expression.program is not None else DYN
