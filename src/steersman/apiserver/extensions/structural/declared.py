"""The defaults that a schema declares: each must be a value that the schema allows, with nothing unknown in it."""

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
from .findings import ABSENT, NOWHERE
from .kinds import text_of
from .nodes import META, Node
from .pruning import prune


def default_faults(schema: JSONSchemaProps, path: str) -> list[FieldError]:
    """What is wrong with the defaults of a structural schema, which stands at this path."""
    faults = Faults()
    _walk(faults, codecs.to_builtins(schema), path, Compiler(), resource=True, meta=False)
    return faults


def _walk(
    faults: Faults, tree: Mapping[str, Any], path: str, compiler: Compiler, *, resource: bool, meta: bool
) -> None:
    """``meta``: within what every resource has.  Below ``additionalProperties`` there are no defaults."""
    resource = resource or bool(tree.get("x-kubernetes-embedded-resource"))
    inside = meta and not resource
    if tree.get("default") is not None:
        faults += _faults_of(tree["default"], compiler.compile(tree), f"{path}.default", whole=not inside)
    if isinstance(tree.get("items"), Mapping):
        _walk(faults, tree["items"], f"{path}.items", compiler, resource=False, meta=inside)
    for name, each in (tree.get("properties") or {}).items():
        below = inside or (resource and name in META)
        _walk(faults, each, f"{path}.properties[{name}]", compiler, resource=False, meta=below)


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
