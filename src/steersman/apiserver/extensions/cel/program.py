"""Expressions, compiled for an environment and evaluated within limits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from .checked import CheckedExpression
from .checking import Checker
from .errors import FAULTS, CELError, CostExceeded, ResultTypeError, as_value
from .estimate import estimate
from .evaluation import UNSET, Evaluator
from .types import Decl

PER_CALL_LIMIT = 1_000_000
"""What one evaluation may cost."""
RUNTIME_COST_BUDGET = 10_000_000
"""What all the rules of one object may cost together."""
CACHED = 256
_TYPES = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}


class Result(NamedTuple):
    value: Any
    cost: int
    error: CELError | CostExceeded | None = None


class Environment:
    """The variables that expressions may use; keep one as long as expressions are compiled for it."""

    def __init__(self, variables: Mapping[str, Decl], *, mutating: bool = False) -> None:
        """``mutating``: expressions may build objects and patches (:mod:`.construction`)."""
        self.variables = dict(variables)
        self._checker = Checker(self.variables, mutating=mutating)
        self._programs: OrderedDict[tuple[str, str], Program] = OrderedDict()

    def compile(self, expression: str, result: str = "bool") -> Program:
        """``result``: the type it must have, ``dyn`` for any; raises :class:`.errors.CompileError`.

        What is only known when it runs may be of any type.
        """
        program = self._programs.get((expression, result))
        if program is None:
            tree = self._checker.check(expression)
            found = tree.type_of(tree.root)
            if result not in ("dyn", found) and found != "dyn":
                raise ResultTypeError(f"must evaluate to {_TYPES.get(result, result)}")
            program = Program(Evaluator(tree, self.variables), tree, self.variables)
            self._programs[expression, result] = program
            if len(self._programs) > CACHED:
                self._programs.popitem(last=False)
        else:
            self._programs.move_to_end((expression, result))
        return program


class Program:
    """One expression's closures; evaluation changes nothing but its own frame."""

    __slots__ = ("_compiled", "_extra", "_slots", "_tree", "_variables")

    def __init__(self, evaluator: Evaluator, tree: CheckedExpression, variables: Mapping[str, Decl]) -> None:
        self._tree, self._variables = tree, variables
        self._compiled = evaluator.compiled
        self._slots = tuple(evaluator.slots)
        self._extra = [UNSET] * (evaluator.width - 2 - len(self._slots))

    def uses(self, variable: str) -> bool:
        return self._tree.mentions(variable)

    def estimate(self) -> int:
        """What it costs at most, by the sizes that the schema allows."""
        return self.estimates()[1]

    def estimates(self) -> tuple[int, int]:
        """What it costs at least and at most."""
        return estimate(self._tree, self._variables)

    def evaluate(self, variables: Mapping[str, Any], budget: int = PER_CALL_LIMIT) -> Result:
        """``budget``: what remains to the object; the call's own limit holds beside it."""
        limit = budget if budget < PER_CALL_LIMIT else PER_CALL_LIMIT
        frame = [self._compiled.cost, limit, *[variables.get(name, UNSET) for name in self._slots], *self._extra]
        try:
            value = self._compiled.run(frame)
        except CostExceeded as error:
            return Result(None, frame[0], error)
        except FAULTS as fault:
            return Result(None, frame[0], as_value(fault))
        if frame[0] > limit:
            return Result(None, frame[0], CostExceeded())
        return Result(value, frame[0])
