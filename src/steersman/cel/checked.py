"""Reads ``cel.expr.CheckedExpr``, which the checker serialises, by field numbers alone (cel-spec, checked.proto)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from .types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, Decl

_KINDS = {"int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "double": 1}
_MESSAGES = {
    "Any": "type_url:1:string value:2:bytes",
    "CheckedExpr": "reference_map:2:*ReferenceEntry type_map:3:*TypeEntry expr:4:Expr source_info:5:SourceInfo",
    "SourceInfo": "positions:4:*Position",
    "Position": "key:1:int64 value:2:int32",
    "ReferenceEntry": "key:1:int64 value:2:Reference",
    "TypeEntry": "key:1:int64 value:2:Type",
    "Reference": "name:1:string overload_id:3:*string value:4:Constant",
    "Nothing": "",
    "Type": "dyn:1:Nothing null:2:?int32 primitive:3:int32 wrapper:4:int32 well_known:5:int32 list_type:6:ListType "
    "map_type:7:MapType message_type:9:string type_param:10:string type:11:Type abstract_type:14:Abstract",
    "ListType": "elem_type:1:Type",
    "MapType": "key_type:1:Type value_type:2:Type",
    "Abstract": "name:1:string parameter_types:2:*Type",
    "Constant": "null_value:1:?int32 bool_value:2:?bool int64_value:3:?int64 uint64_value:4:?uint64 "
    "double_value:5:?double string_value:6:?string bytes_value:7:?bytes",
    "Expr": "id:2:int64 const_expr:3:Constant ident_expr:4:Ident select_expr:5:Select call_expr:6:Call "
    "list_expr:7:CreateList struct_expr:8:CreateStruct comprehension_expr:9:Comprehension",
    "Ident": "name:1:string",
    "Select": "operand:1:Expr field:2:string test_only:3:bool",
    "Call": "target:1:Expr function:2:string args:3:*Expr",
    "CreateList": "elements:1:*Expr optional_indices:2:*int32",
    "CreateStruct": "message_name:1:string entries:2:*Entry",
    "Entry": "id:1:int64 field_key:2:string map_key:3:Expr value:4:Expr optional_entry:5:bool",
    "Comprehension": "iter_var:1:string iter_range:2:Expr accu_var:3:string accu_init:4:Expr loop_condition:5:Expr "
    "loop_step:6:Expr result:7:Expr iter_var2:8:string",
}
_FORMS = ("const_expr", "ident_expr", "select_expr", "call_expr", "list_expr", "struct_expr", "comprehension_expr")
_PRIMITIVES = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
_WELL_KNOWN = {2: "timestamp", 3: "duration"}


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="checked.proto", package="checked", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for declared in fields.split():
            field, number, kind = declared.split(":")
            entry = message.field.add(name=field, number=int(number), label=3 if kind[0] == "*" else 1)
            plain = kind.lstrip("*?")
            if plain in _KINDS:
                entry.type = _KINDS[plain]  # type: ignore[assignment]
            else:
                entry.type = 11  # type: ignore[assignment]
                entry.type_name = f".checked.{plain}"
            if kind[0] == "?":
                entry.proto3_optional = True
                entry.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"checked.{name}")) for name in _MESSAGES}


_CLASSES = _messages()


class CheckedExpression:
    """The syntax tree, with the type and the overloads of each of its nodes."""

    def __init__(self, serialized: bytes, built: Mapping[str, str]) -> None:
        wrapped = _CLASSES["Any"].FromString(serialized)
        checked = _CLASSES["CheckedExpr"].FromString(wrapped.value)
        self.root = checked.expr
        self.built = built
        """The types of objects that the expression builds, by the names that the tree has for them."""
        self._types = {entry.key: entry.value for entry in checked.type_map}
        self._places = {entry.key: entry.value for entry in checked.source_info.positions}
        self._references = {entry.key: entry.value for entry in checked.reference_map}

    def name_member(self, owner: str, name: str) -> None:
        """Make a variable, whose type they keep, of all optional members of another one."""
        pending = [self.root]
        while pending:
            node = pending.pop()
            call = node.call_expr if node.HasField("call_expr") else None
            if call is not None and call.function == "_?._" and call.args[0].ident_expr.name == owner:
                node.ClearField("call_expr")
                node.ident_expr.name = name
                self._references[node.id] = _CLASSES["Reference"](name=name)
            else:
                pending.extend(children(node))

    def type_of(self, expression: Any) -> str:
        """``int``, ``list``, ``map``, ``dyn``, …; an object's or an abstract type's own name."""
        found = self._types.get(expression.id)
        return _name(found) if found is not None else "dyn"

    @property
    def result(self) -> str:
        """The type of the whole, as messages have it."""
        found = self._types.get(self.root.id)
        text = spelled(found) if found is not None else "dyn"
        for name, written in self.built.items():
            text = text.replace(name, written)
        return text

    def declared(self, expression: Any) -> Decl:
        """The type of an expression's value; ``dyn`` for what only the checker has names for."""
        return _declared(self._types.get(expression.id))

    def element_of(self, expression: Any) -> str:
        """The type of a list's elements."""
        found = self._types.get(expression.id)
        if found is None or not found.HasField("list_type"):
            return "dyn"
        return _name(found.list_type.elem_type)

    def overloads(self, expression: Any) -> tuple[str, ...]:
        found = self._references.get(expression.id)
        return tuple(found.overload_id) if found is not None else ()

    def exact_type(self, expression: Any) -> Any:
        """For :func:`assignable` and :func:`spelled`."""
        return self._types.get(expression.id)

    def place(self, expression: Any) -> int:
        """Where the source has it: how many characters are before it."""
        return int(self._places.get(expression.id, 0))

    def mentions(self, name: str) -> bool:
        """Whether a variable is used."""
        return any(found.name == name for found in self._references.values())

    def reference(self, expression: Any) -> str:
        """The full name of what an identifier or selection means, ``""`` for none."""
        found = self._references.get(expression.id)
        return str(found.name) if found is not None else ""


def form(expression: Any) -> str:
    """Which of the syntax's forms a node has."""
    return next((name for name in _FORMS if expression.HasField(name)), "const_expr")


def is_empty_list(node: Any) -> bool:
    """Whether a node is ``[]``."""
    return form(node) == "list_expr" and not node.list_expr.elements


def constant(value: Any) -> Any:
    """A literal's value; unsigned ones are told apart by the node's type."""
    for name in ("bool", "int64", "uint64", "double", "string", "bytes"):
        if value.HasField(f"{name}_value"):
            return getattr(value, f"{name}_value")
    return None


def children(node: Any) -> list[Any]:
    """The nodes that a node is made of."""
    match form(node):
        case "select_expr":
            return [node.select_expr.operand]
        case "call_expr":
            target = [node.call_expr.target] if node.call_expr.HasField("target") else []
            return [*target, *node.call_expr.args]
        case "list_expr":
            return list(node.list_expr.elements)
        case "struct_expr":
            keys = [entry.map_key for entry in node.struct_expr.entries if entry.HasField("map_key")]
            return [*keys, *(entry.value for entry in node.struct_expr.entries)]
        case "comprehension_expr":
            fold = node.comprehension_expr
            return [fold.iter_range, fold.accu_init, fold.loop_condition, fold.loop_step, fold.result]
    return []


def assignable(one: Any, other: Any) -> bool:
    """Whether values of two types can be together where there is to be one type."""
    left, right = _outer(one), _outer(other)
    if "dyn" in (left, right):
        return True
    if left == "list" == right:
        return assignable(one.list_type.elem_type, other.list_type.elem_type)
    if left == "map" == right:
        keys = assignable(one.map_type.key_type, other.map_type.key_type)
        return keys and assignable(one.map_type.value_type, other.map_type.value_type)
    if left == "null_type" or right == "null_type":
        return left == right or _outer(other if left == "null_type" else one) not in _NEVER_NULL
    return left == right


def spelled(kind: Any) -> str:
    """A type as messages have it: ``list(int)``."""
    match _outer(kind):
        case "list":
            return f"list({spelled(kind.list_type.elem_type)})"
        case "map":
            return f"map({spelled(kind.map_type.key_type)}, {spelled(kind.map_type.value_type)})"
        case name:
            return {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}.get(name, name)


def _declared(kind: Any) -> Decl:
    match _outer(kind):
        case "list":
            return Decl("list", element=_declared(kind.list_type.elem_type), size=DYN.size, least=2)
        case "map" if _outer(kind.map_type.key_type) == "string":
            return Decl("map", element=_declared(kind.map_type.value_type), size=DYN.size, least=2)
        case name:
            return _SIMPLE.get(name, DYN)


_SIMPLE = {
    "bool": BOOL,
    "int": INT,
    "uint": UINT,
    "double": DOUBLE,
    "string": STRING,
    "bytes": BYTES,
    "timestamp": TIMESTAMP,
    "duration": DURATION,
}


def _outer(kind: Any) -> str:
    if kind is None:
        return "dyn"
    if kind.HasField("null") and not kind.primitive:
        return "null_type"
    return _name(kind)


_NEVER_NULL = frozenset(("bool", "int", "uint", "double", "string", "bytes", "list", "map", "type"))


def qualified(node: Any) -> str:
    """``a.b`` for what is written so, ``""`` for anything else."""
    if node.HasField("ident_expr"):
        return str(node.ident_expr.name)
    if node.HasField("select_expr"):
        inner = qualified(node.select_expr.operand)
        return f"{inner}.{node.select_expr.field}" if inner else ""
    return ""


def is_binding(fold: Any) -> bool:
    """Whether a comprehension only gives a value a name: it goes over an empty list and never proceeds."""
    empty = fold.iter_range.HasField("list_expr") and not fold.iter_range.list_expr.elements
    return bool(empty) and constant(fold.loop_condition.const_expr) is False and fold.accu_var[:2] != "__"


def _name(kind: Any) -> str:
    if kind.primitive:
        return _PRIMITIVES.get(kind.primitive, "dyn")
    if kind.wrapper:
        return "dyn"
    if kind.well_known:
        return _WELL_KNOWN.get(kind.well_known, "dyn")
    if kind.HasField("list_type"):
        return "list"
    if kind.HasField("map_type"):
        return "map"
    if kind.HasField("abstract_type"):
        return str(kind.abstract_type.name)
    if kind.HasField("type"):
        return "type"
    return str(kind.message_type) or "dyn"
