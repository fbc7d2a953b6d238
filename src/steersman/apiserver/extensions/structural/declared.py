"""The defaults that a schema declares: each must be a value that the schema allows, with nothing unknown in it.

A default is also held against the validation rules, as if it was before what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.errors import FieldError
from steersman.api.types.apiextensions_v1 import JSONSchemaProps
from steersman.api.validation.faults import Faults

from .compiler import Compiler
from .embedded import NotCoercible, coerce, validate
from .evaluation import evaluate
from .findings import ABSENT, NOWHERE
from .kinds import text_of
from .nodes import META, Node
from .pruning import prune
from .rules import Budget, RuleCompiler


def default_faults(schema: JSONSchemaProps, path: str, rules: RuleCompiler | None = None) -> list[FieldError]:
    """What is wrong with the defaults of a structural schema, which stands at this path.

    ``rules`` compiles the validation rules; without it they are not evaluated.
    """
    return _Defaults(rules).walk(codecs.to_builtins(schema), path, resource=True, meta=False)


class _Defaults:
    """Those of one schema, whose rules share one budget."""

    def __init__(self, rules: RuleCompiler | None) -> None:
        self._compiler = Compiler(rules)
        self._budget = Budget()

    def walk(self, tree: Mapping[str, Any], path: str, *, resource: bool, meta: bool) -> list[FieldError]:
        """``meta``: within what every resource has.  Below ``additionalProperties`` there are no defaults."""
        faults: list[FieldError] = []
        resource = resource or bool(tree.get("x-kubernetes-embedded-resource"))
        inside = meta and not resource
        if tree.get("default") is not None:
            node = self._compiler.compile(tree, resource=resource)
            found = _faults_of(tree["default"], node, f"{path}.default", whole=not inside)
            faults += found or (self._broken(tree["default"], node, f"{path}.default") if not inside else [])
        if isinstance(tree.get("items"), Mapping):
            faults += self.walk(tree["items"], f"{path}.items", resource=False, meta=inside)
        for name, each in (tree.get("properties") or {}).items():
            below = inside or (resource and name in META)
            faults += self.walk(each, f"{path}.properties[{name}]", resource=False, meta=below)
        return faults

    def _broken(self, value: Any, node: Node, path: str) -> list[FieldError]:
        found = evaluate(value, value, node, self._budget, ratchet=False)
        return [_placed(error, path) for error in found]


def _faults_of(value: Any, node: Node, path: str, *, whole: bool) -> Faults:
    """``whole``: whether the value is complete, and not a part of a resource's metadata."""
    faults = Faults()
    if whole:
        copy = msgspec.json.decode(text_of(value))
        if prune(copy, node):
            faults.invalid(path, value, "must not have unknown fields")
        try:
            coerce(copy, node)
        except NotCoercible as problem:
            faults.append(_placed(problem.error, path))
            return faults
        if found := validate(copy, node):
            faults += [_placed(error, path) for error in found]
            return faults
    if node.check is not None:
        faults += [_placed(finding.error(), path) for finding in node.check(value, ABSENT) or ()]
    return faults


def _placed(error: FieldError, path: str) -> FieldError:
    field = error.field if error.field not in ("", NOWHERE) else ""
    step = f".{field}" if field and not field.startswith("[") else field
    return msgspec.structs.replace(error, field=path + step)
