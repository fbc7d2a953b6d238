"""Expressions, compiled for an environment and evaluated within limits."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
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
LONGEST = 5.0
"""Seconds: what may be spent takes about one."""


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
        self._compiling = Lock()

    def compile(self, expression: str, result: str = "bool") -> Program:
        """``result``: the type it must have, ``dyn`` for any, ``one|other``; raises :class:`.errors.CompileError`.

        What is known only when it runs has none of them: ``object.flag`` is no ``bool``, ``object.flag == true`` is.
        """
        with self._compiling:
            program = self._programs.get((expression, result))
            if program is None:
                program = self._compiled(expression, result)
                self._programs[expression, result] = program
                if len(self._programs) > CACHED:
                    self._programs.popitem(last=False)
            else:
                self._programs.move_to_end((expression, result))
            return program

    def _compiled(self, expression: str, result: str) -> Program:
        tree = self._checker.check(expression)
        wanted = result.split("|")
        if result != "dyn" and tree.result not in wanted:
            told = result if len(wanted) == 1 else f"one of [{' '.join(wanted)}]"
            raise ResultTypeError(f"must evaluate to {told} but got {tree.result}")
        return Program(Evaluator(tree, self.variables), tree, self.variables)


class Program:
    """One expression's closures; evaluation changes nothing but its own frame."""

    __slots__ = ("_compiled", "_extra", "_slots", "_tree", "_variables")

    def __init__(self, evaluator: Evaluator, tree: CheckedExpression, variables: Mapping[str, Decl]) -> None:
        self._tree, self._variables = tree, variables
        self._compiled = evaluator.compiled
        self._slots = tuple(evaluator.slots)
        self._extra = [UNSET] * (evaluator.width - 2 - len(self._slots))

    def result_type(self) -> Decl:
        """The type of what it gives, as a variable of other expressions."""
        return self._compiled.declared or self._tree.declared(self._tree.root)

    def uses(self, variable: str) -> bool:
        return self._tree.mentions(variable)

    def estimate(self) -> int:
        """What it costs at most, by the sizes that the schema allows."""
        return self.estimates()[1]

    def estimates(self) -> tuple[int, int]:
        """What it costs at least and at most."""
        return estimate(self._tree, self._variables)

    def evaluate(
        self, variables: Mapping[str, Any], budget: int = PER_CALL_LIMIT, until: float | None = None
    ) -> Result:
        """``budget``: what remains to the object; the call's own limit holds beside it.

        Its loops end at ``until``, an instant of the monotonic clock: the error is TimeExceeded then.
        """
        limit = budget if budget < PER_CALL_LIMIT else PER_CALL_LIMIT
        given = [variables.get(name, UNSET) for name in self._slots]
        end = time.monotonic() + LONGEST if until is None else until
        frame = [self._compiled.cost, limit, *given, *self._extra, 0, end]
        try:
            value = self._compiled.run(frame)
        except CostExceeded as error:
            return Result(None, frame[0], error)
        except FAULTS as fault:
            return Result(None, frame[0], as_value(fault))
        if frame[0] > limit:
            return Result(None, frame[0], CostExceeded())
        return Result(value, frame[0])
