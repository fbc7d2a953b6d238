"""Walking values by schema: the set of a value's fields, what two values differ in, and whether a value fits."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from . import elements
from .fields import LEAF, SELF, Fields, Kept
from .schema import Schema

_MOST_FOUND = 64
"""Fields that are remembered of one type."""

_LONGEST_LIST = 32
_LONGEST_KEY = 256
"""Lists whose fields are remembered have so many items at most, and characters in the keys of those."""


class Comparison(NamedTuple):
    """What is only in the new value, what both have but not alike, what only the old one has."""

    added: Fields
    modified: Fields
    removed: Fields

    @property
    def same(self) -> bool:
        """Whether the values do not differ."""
        return not (self.added or self.modified or self.removed)


# -- the fields of one value -----------------------------------------------------------------------------------------


def field_set(value: dict[str, Any], schema: Schema, *, hollow: bool = False) -> Fields:
    """The fields that a configuration speaks of: leaves, and the entries of maps and lists that it holds.

    Empty lists are among them only where they are asked for (``hollow``): nobody owns one.
    """
    return _collect(value, schema, hollow) or LEAF


def _collect(value: Any, schema: Schema, hollow: bool) -> Fields | None:
    """What to note of a value; None: nothing."""
    schema = schema.for_value(value)
    if schema.leaf:
        return LEAF
    result: Fields = {}
    if schema.kind == "map":
        if not isinstance(value, dict):
            return None
        members = schema.members
        for name, each in value.items():
            child = members.get(name, schema.item)
            if child is None:
                continue
            below = _collect(each, child, hollow)
            owned = name not in members or each is None or each == {}
            if owned and below != LEAF:
                below = {SELF: LEAF, **below} if below else LEAF
            if below is not None:
                result["f:" + name] = below
        return result or None
    for element, occurrences in _elements(value, schema).items():
        assert schema.item is not None
        below = _collect(occurrences[0], schema.item, hollow) if len(occurrences) == 1 else None
        result[element] = {SELF: LEAF, **below} if below else LEAF
    return result or (LEAF if hollow else None)


def everything(value: Any, schema: Schema) -> Fields:
    """Every field of a value that was not there before, the value itself among them."""
    if schema.kind == "any":
        schema = schema.for_value(value)
    if schema.leaf or not value:
        return LEAF
    result: Fields = {SELF: LEAF}
    if schema.kind == "map":
        if not isinstance(value, dict):
            return LEAF
        if schema.is_flat:
            return _flat(schema, tuple(value))
        steps = schema.steps
        for name, each in value.items():
            element, child = steps[name]
            if child is not None:
                result[element] = LEAF if child.leaf else everything(each, child)
        return result
    assert schema.item is not None
    if schema.has_flat_items and (outline := _outline(value, schema.keys[0])) is not None:
        return _flat_items(schema, outline)
    for element, occurrences in _elements(value, schema).items():
        result[element] = everything(occurrences[0], schema.item) if len(occurrences) == 1 else LEAF
    return result


def _flat(schema: Schema, names: tuple[str, ...]) -> Fields:
    """The fields of a map that has nothing but leaves, itself among them."""
    if (found := schema.found.get(names)) is None:
        steps = [schema.steps[name] for name in names]
        found = _keep(schema, names, {SELF: LEAF, **{element: LEAF for element, child in steps if child is not None}})
    return found


_Outline = tuple[tuple[str, ...], ...]


def _outline(value: Any, key: str) -> _Outline | None:
    """Each item's key and the names of its members: what a list's fields depend on where its items are flat.

    None for long lists, for those with anything but maps that have a short string for a key, and for single items,
    of which there are as many as there are addresses of pods.
    """
    if not isinstance(value, list) or not 1 < len(value) <= _LONGEST_LIST:
        return None
    for each in value:
        if not isinstance(each, dict) or not isinstance(name := each.get(key), str) or len(name) > _LONGEST_KEY:
            return None
    return tuple([(each[key], *each) for each in value])


def _flat_items(schema: Schema, outline: _Outline) -> Fields:
    """The fields of a list with such items, itself among them: what conditions come to, which everybody reports."""
    if (found := schema.found.get(outline)) is None:
        assert schema.item is not None
        items: Fields = {SELF: LEAF}
        for name, *names in outline:
            element = elements.by_key({schema.keys[0]: name})
            items[element] = LEAF if element in items else _flat(schema.item, tuple(names))
        found = _keep(schema, outline, items)
    return found


def _keep(schema: Schema, alike: tuple[Any, ...], fields: Fields) -> Fields:
    """Remember the fields of a type's values that are alike in something."""
    if len(schema.found) >= _MOST_FOUND:
        schema.found.clear()
    schema.found[alike] = kept = Kept(fields)
    return kept


def _elements(value: Any, schema: Schema) -> dict[str, list[Any]]:
    """The elements of a list by what identifies them; those that nothing identifies are passed over."""
    found: dict[str, list[Any]] = {}
    for each in value if isinstance(value, list) else ():
        try:
            found.setdefault(schema.element(each), []).append(each)
        except ValueError:
            continue
    return found


# -- two values ------------------------------------------------------------------------------------------------------


def compare(old: dict[str, Any], new: dict[str, Any], schema: Schema) -> Comparison:
    """What two objects of a schema differ in."""
    result = Comparison({}, {}, {})
    _compare_maps(old, new, schema, result)
    return result


def _compare_maps(old: dict[str, Any], new: dict[str, Any], schema: Schema, result: Comparison) -> None:
    steps = schema.steps
    for name, each in new.items():
        if name in old and old[name] == each:
            continue
        element, child = steps[name]
        if child is None:
            continue
        if name in old:
            _compare(element, old[name], each, child, result)
        else:
            result.added[element] = LEAF if child.leaf else everything(each, child)
    for name, each in old.items():
        if name not in new:
            element, child = steps[name]
            if child is not None:
                result.removed[element] = everything(each, child)


def _compare(element: str, old: Any, new: Any, schema: Schema, result: Comparison) -> None:
    """Two values that are not equal."""
    if schema.kind == "any":
        schema, other = schema.for_value(new if new is not None else old), schema.for_value(old)
        if old is not None and schema is not other:
            result.modified[element] = LEAF
            return
    if schema.leaf or not (old or new):
        result.modified[element] = LEAF
        return
    below = Comparison({}, {}, {})
    if schema.kind == "map":
        _compare_maps(old if isinstance(old, dict) else {}, new if isinstance(new, dict) else {}, schema, below)
    else:
        _compare_lists(old, new, schema, below)
    for part, whole in zip(below, result, strict=True):
        if part:
            whole[element] = part


def _compare_lists(old: Any, new: Any, schema: Schema, result: Comparison) -> None:
    assert schema.item is not None
    before, after = _elements(old, schema), _elements(new, schema)
    for element, occurrences in after.items():
        present = before.get(element)
        if present is None:
            single = len(occurrences) == 1
            result.added[element] = everything(occurrences[0], schema.item) if single else LEAF
        elif present != occurrences:
            if len(present) == len(occurrences) == 1:
                _compare(element, present[0], occurrences[0], schema.item, result)
            else:
                result.modified[element] = LEAF
    for element, occurrences in before.items():
        if element not in after:
            single = len(occurrences) == 1
            result.removed[element] = everything(occurrences[0], schema.item) if single else LEAF


# -- whether a value fits --------------------------------------------------------------------------------------------


def faults(value: Any, schema: Schema, path: str = "") -> list[str]:
    """Why a configuration is not one of a schema, in upstream's words, each with its path."""
    schema = schema.for_value(value)
    prefix = f"{path}: " if path else ""
    if schema.kind == "scalar":
        fault = _scalar_fault(value, schema)
        return [prefix + fault] if fault else []
    if value is None:
        return []
    found: list[str] = []
    if schema.kind == "map":
        if not isinstance(value, dict):
            return [f"{prefix}expected map, got &{{{_go(value)}}}"]
        for name, each in value.items():
            child = schema.member(name)
            if child is None:
                found.append(f"{path}.{name}: field not declared in schema")
            else:
                found += faults(each, child, f"{path}.{name}")
        return found
    if not isinstance(value, list):
        return [f"{prefix}expected list, got &{{{_go(value)}}}"]
    assert schema.item is not None
    seen = set()
    for index, each in enumerate(value):
        step = f"[{index}]"
        if not schema.leaf:
            try:
                element = schema.element(each)
            except ValueError as error:
                return [*found, f"{prefix}element {index}: {error}"]
            step = elements.text(element)
            if element in seen:
                found.append(f"{prefix}duplicate entries for key {step}")
            seen.add(element)
        found += faults(each, schema.item, path + step)
    return found


def _scalar_fault(value: Any, schema: Schema) -> str:
    if value is None:
        return ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match schema.scalar:
        case "numeric":
            return "" if is_number else f"expected numeric (int or float), got {_go_type(value)}"
        case "string":
            found = f"&value.valueUnstructured{{Value:{_go_syntax(value)}}}"
            return "" if isinstance(value, str) else f"expected string, got {found}"
        case "boolean":
            return "" if isinstance(value, bool) else f"expected boolean, got &{{{_go(value)}}}"
    return "" if not isinstance(value, dict | list) else f"expected scalar, got {_go_type(value)}"


def _go_type(value: Any) -> str:
    """The Go type of JSON data."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "int64" if isinstance(value, int) else "float64"
    if isinstance(value, str):
        return "string"
    return "[]interface {}" if isinstance(value, list) else "map[string]interface {}"


def _go(value: Any) -> str:
    """JSON data as Go's ``%v`` prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{name}:{_go(value[name])}' for name in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go, value))}]"
    if value is None:
        return "<nil>"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _go_syntax(value: Any) -> str:
    """JSON data as Go's ``%#v`` prints it."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_go_syntax(name)}:{_go_syntax(value[name])}" for name in sorted(value))
        return f"{_go_type(value)}{{{inner}}}"
    if isinstance(value, list):
        return f"{_go_type(value)}{{{', '.join(map(_go_syntax, value))}}}"
    return msgspec.json.encode(value).decode() if value is not None else "interface {}(nil)"
