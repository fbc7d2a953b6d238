"""From an OpenAPI v3 schema to nodes: once for each schema, and once for all equal parts of all schemas."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from steersman.api import codecs
from steersman.api.types.apiextensions_v1 import JSONSchemaProps

from . import alternatives, defaulting, formats, values
from .findings import Check, Found
from .kinds import text_of
from .nodes import Node
from .rules import RuleCompiler

MOST_LEVELS = 200
"""How deep a schema may be nested; far beyond any in use, and within what can be walked."""

_SILENT = frozenset(("description", "title", "example", "externalDocs", "id", "$schema"))
_NESTED = frozenset(("properties", "items", "additionalProperties", "allOf", "anyOf", "oneOf", "not"))
_TEXT = ("maxLength", "minLength", "pattern")
_NUMBER = ("multipleOf", "minimum", "maximum")
_LIST = ("minItems", "maxItems", "uniqueItems")
_OBJECT = ("minProperties", "maxProperties", "required")


class SchemaTooDeep(ValueError):
    """A schema that is nested beyond what is walked."""


class Compiler:
    """Compiles schemas; nodes live as long as a schema that has them.

    ``rules`` compiles the validation rules; without it they are not evaluated.
    """

    def __init__(self, rules: RuleCompiler | None = None) -> None:
        self._rules = rules
        self._nodes: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()
        self._lock = threading.Lock()
        """Schemas are compiled in any thread, one at a time."""

    def compile(self, schema: JSONSchemaProps | Mapping[str, Any], *, resource: bool = True) -> Node:
        """The node of a whole schema; ``resource``: it is that of the root of a resource."""
        tree = codecs.to_builtins(schema) if isinstance(schema, JSONSchemaProps) else schema
        with self._lock:
            return self._node(tree, 0, resource=resource)

    def _node(self, tree: Mapping[str, Any], level: int, *, resource: bool = False) -> Node:
        if level > MOST_LEVELS:
            raise SchemaTooDeep(f"the schema has more than {MOST_LEVELS} levels")
        properties = {name: self._node(each, level + 1) for name, each in (tree.get("properties") or {}).items()}
        given = tree.get("additionalProperties")
        additional = self._node(given, level + 1) if isinstance(given, Mapping) else None
        items = self._node(tree["items"], level + 1) if isinstance(tree.get("items"), Mapping) else None
        branches = {
            name: [(self._node(each, level + 1).check, each) for each in tree[name]]
            for name in ("allOf", "anyOf", "oneOf")
            if tree.get(name)
        }
        negated = self._node(tree["not"], level + 1) if isinstance(tree.get("not"), Mapping) else None
        key = self._key(tree, properties, additional, items, resource)
        node = self._nodes.get(key)
        if node is None:
            node = self._build(tree, properties, additional, items, resource)
            node.check = _check(node, tree, _junctors(branches, negated))
            self._nodes[key] = node
        return node

    def _key(
        self,
        tree: Mapping[str, Any],
        properties: Mapping[str, Node],
        additional: Node | None,
        items: Node | None,
        resource: bool,
    ) -> tuple[Any, ...]:
        """What equal nodes have in common.  The parts are held by the node, so that their identities remain theirs."""
        own = {name: value for name, value in tree.items() if name not in _SILENT and name not in _NESTED}
        if isinstance(given := tree.get("additionalProperties"), bool):
            own["additionalProperties"] = given
        for name in ("allOf", "anyOf", "oneOf", "not"):
            if tree.get(name):
                own[name] = tree[name]
        parts = tuple((name, id(node)) for name, node in properties.items())
        return resource, text_of(own), parts, id(additional), id(items)

    def _build(
        self,
        tree: Mapping[str, Any],
        properties: dict[str, Node],
        additional: Node | None,
        items: Node | None,
        resource: bool,
    ) -> Node:
        node = Node()
        node.type = tree.get("type") or ""
        node.properties, node.additional, node.items = properties, additional, items
        node.open = additional is not None or bool(tree.get("additionalProperties"))
        node.preserve = bool(tree.get("x-kubernetes-preserve-unknown-fields"))
        node.embedded = bool(tree.get("x-kubernetes-embedded-resource"))
        node.nullable = bool(tree.get("nullable"))
        node.list_type = tree.get("x-kubernetes-list-type") or ""
        node.map_type = tree.get("x-kubernetes-map-type") or ""
        node.keys = tuple(tree.get("x-kubernetes-list-map-keys") or ())
        if rules := tree.get("x-kubernetes-validations"):
            node.owner = self._rules
            if self._rules is not None:
                node.rules = self._rules.compile(tree, rules, resource=resource or node.embedded)
        below = [*properties.values(), *(each for each in (additional, items) if each is not None)]
        node.has_embedded = node.embedded or any(each.has_embedded for each in below)
        node.has_lists = node.list_type in ("set", "map") or any(each.has_lists for each in below)
        node.has_rules = node.rules is not None or any(each.has_rules for each in below)
        node.seal()
        if (default := tree.get("default")) is not None:
            node.set_default(default)
            complete = node.default()
            defaulting.apply(complete, node)
            node.set_default(complete)
        return node


def _types(tree: Mapping[str, Any]) -> tuple[str, ...]:
    if tree.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    return (tree["type"],) if tree.get("type") else ()


def _format(tree: Mapping[str, Any]) -> str:
    """The format, if it means something."""
    name: str = tree.get("format") or ""
    return name if formats.known(name, tree.get("type") or "") else ""


def _check(node: Node, tree: Mapping[str, Any], junctors: list[Check]) -> Check | None:
    """All that a schema demands."""
    types = _types(tree)
    class_ = values.class_of(types)
    typed = values.of_type(types, _format(tree), nullable=node.nullable)
    rest = _all(junctors + _own_checks(tree, node))
    if typed is None:
        return rest
    if rest is None:
        node.class_ = class_
        return typed
    if class_ is None:
        return _all([typed, rest])
    if not junctors and not tree.get("enum") and not tree.get("format") and class_ in (str, list, dict):
        # One closure then sees to the type as well.
        alone = _own_checks(tree, node, typed)
        if len(alone) == 1:
            return alone[0]
    return _typed(class_, typed, rest)


def _own_checks(tree: Mapping[str, Any], node: Node, otherwise: Check | None = None) -> list[Check]:
    """What a schema demands beside its type and its logical operators, in the order in which faults are told.

    ``otherwise`` looks at values of another type than that of the demand.
    """
    additional = node.additional.check if node.additional is not None else None
    item = node.items.check if node.items is not None else None
    parts: list[Check | None] = []
    if any(tree.get(name) is not None for name in _TEXT):
        parts.append(values.of_text(tree, otherwise))
    if format_ := _format(tree):
        parts.append(values.of_format(format_))
    if any(tree.get(name) is not None for name in _NUMBER):
        parts.append(values.of_number(tree))
    if item is not None or any(tree.get(name) is not None for name in _LIST):
        parts.append(values.of_list(item, tree, otherwise))
    if tree.get("enum"):
        parts.append(values.of_enum(tree["enum"]))
    closed = tree.get("additionalProperties") is False
    inner = additional is not None or any(each.check is not None for each in node.properties.values())
    if closed or inner or any(tree.get(name) is not None for name in _OBJECT):
        parts.append(values.of_object(node.properties, additional, tree, otherwise))
    return [part for part in parts if part is not None]


def _junctors(branches: Mapping[str, list[alternatives.Branch]], negated: Node | None) -> list[Check]:
    parts: list[Check | None] = []
    if "anyOf" in branches:
        parts.append(alternatives.any_of(branches["anyOf"]))
    if "oneOf" in branches:
        parts.append(alternatives.one_of(branches["oneOf"]))
    if "allOf" in branches and any(check is not None for check, _ in branches["allOf"]):
        parts.append(alternatives.all_of(branches["allOf"]))
    if negated is not None:
        parts.append(alternatives.not_(negated.check))
    return [part for part in parts if part is not None]


def _all(parts: list[Check]) -> Check | None:
    """All demands, made one."""
    match parts:
        case []:
            return None
        case [only]:
            return only

    def every(value: Any, old: Any) -> Found:
        found: Found = None
        for part in parts:
            inner = part(value, old)
            if inner is not None:
                found = inner if found is None else found + inner
        return found

    return every


def _typed(class_: type, typed: Check, rest: Check) -> Check:
    """The demands on values that are of a class but for their faults."""

    def check(value: Any, old: Any) -> Found:
        if value.__class__ is class_:
            return rest(value, old)
        found = typed(value, old)
        other = rest(value, old)
        if other is None:
            return found
        return other if found is None else found + other

    return check
