"""The seam to validation rules (``x-kubernetes-validations``), which are written in CEL and evaluated elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from steersman.api.errors import FieldError

RUNTIME_COST_BUDGET = 10_000_000
"""What all the rules of one object may cost together, in CEL's units."""


class Budget:
    """What evaluation may still cost; below zero it is exhausted, and no more rules are evaluated."""

    __slots__ = ("remaining",)

    def __init__(self, remaining: int = RUNTIME_COST_BUDGET) -> None:
        self.remaining = remaining


class RuleFault(msgspec.Struct, frozen=True):
    """A rule that was broken or could not be evaluated."""

    error: FieldError
    """With the complete path."""
    ratcheted: bool = True
    """Whether it goes untold where the value is what it was: not for transition rules nor an exhausted budget."""


class NodeRules(Protocol):
    """The rules of one schema, compiled."""

    def evaluate(self, value: Any, old: Any, path: str, budget: Budget) -> Iterable[RuleFault]:
        """Evaluate all rules with ``self`` and ``oldSelf``, spending from the budget.

        ``old`` is ``ABSENT`` where nothing corresponds to the value: transition rules are skipped then, but for those
        with ``optionalOldSelf``.  ``path`` is that of the value, empty at the root (``<nil>`` is put in its place).
        """
        ...


class RuleCompiler(Protocol):
    """Compiles the rules of a schema; the same for the same schema, since equal schemas share the result."""

    def compile(self, schema: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], *, resource: bool) -> NodeRules:
        """``schema`` is the tree that has the rules; ``resource``: it has apiVersion, kind and metadata as well."""
        ...
