"""A structural schema as those use it who read, write and serve custom resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from steersman.api.errors import FieldError, bad_request
from steersman.api.json_text import TOO_DEEP
from steersman.api.types.apiextensions_v1 import JSONSchemaProps

from . import defaulting, embedded, evaluation, lists, pruning
from .compiler import Compiler
from .findings import ABSENT, Found
from .kinds import same
from .nodes import Node
from .rules import Budget

MOST_FAULTS = 1_000
"""More are not told of one object: each costs many times what it takes to make it."""


class StructuralSchema:
    """The schema of one version of a custom resource.

    Objects are JSON data (dicts, lists, scalars) and changed in place; none of this validates the object's own
    apiVersion, kind and metadata.
    """

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def prune(self, obj: dict[str, Any], *, drop: bool = False) -> list[str]:
        """Remove what the schema does not know and bring embedded metadata in form; returns the paths removed.

        Raises :class:`.embedded.NotCoercible`, but not with ``drop``, for objects that are read from the store.
        """
        with _bounded():
            pruned = pruning.prune(obj, self.node, root=True)
            return pruned + embedded.coerce(obj, self.node, drop=drop)

    def default(self, obj: dict[str, Any]) -> None:
        """Set what is missing and has a default, and remove nulls where there may be none."""
        with _bounded():
            defaulting.apply(obj, self.node)

    def validate(
        self, obj: dict[str, Any], *, also: Sequence[FieldError] = (), budget: Budget | None = None
    ) -> list[FieldError]:
        """Everything that is wrong with an object that is created, and what was found otherwise.

        Rules are not evaluated where the rest is not of the form that they expect.
        """
        with _bounded():
            errors = self._errors(self._check(obj, ABSENT), obj, also)
            errors += _told(lists.check(obj, self.node))
            return self._rules(errors, obj, ABSENT, budget)

    def validate_update(
        self,
        obj: dict[str, Any],
        old: dict[str, Any],
        *,
        also: Sequence[FieldError] = (),
        budget: Budget | None = None,
    ) -> list[FieldError]:
        """Everything that is wrong with an object that is updated, but for what was so before (KEP-4008)."""
        with _bounded():
            found = self._check(obj, ABSENT)
            if found is not None:
                found = None if same(obj, old) else self._check(obj, old)
            errors = self._errors(found, obj, also)
            repeated = lists.check(obj, self.node)
            if repeated is not None and lists.check(old, self.node) is None:
                errors += _told(repeated)
            return self._rules(errors, obj, old, budget)

    def _check(self, obj: Any, old: Any) -> Found:
        return self.node.check(obj, old) if self.node.check is not None else None

    def _errors(self, found: Found, obj: Any, also: Sequence[FieldError]) -> list[FieldError]:
        return [*_told(found), *also, *embedded.validate(obj, self.node)]

    def _rules(self, errors: list[FieldError], obj: Any, old: Any, budget: Budget | None) -> list[FieldError]:
        if not self.node.has_rules:
            return errors
        if evaluation.blocked(errors):
            return [*errors, evaluation.UNCHECKED]
        return errors + evaluation.evaluate(obj, old, self.node, budget or Budget())


def compile_schema(schema: JSONSchemaProps | Mapping[str, Any], compiler: Compiler | None = None) -> StructuralSchema:
    """Compile the schema of a version; schemas of one compiler share what is equal in them."""
    return StructuralSchema((compiler or Compiler()).compile(schema))


def _told(found: Found) -> list[FieldError]:
    return [finding.error() for finding in (found or ())[:MOST_FAULTS]]


@contextmanager
def _bounded() -> Iterator[None]:
    """Objects that are nested too deeply are refused."""
    try:
        yield
    except RecursionError:
        raise bad_request(TOO_DEEP) from None
