"""The seam to the checker, which parses, expands macros and finds types: declarations in, a checked tree out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, struct_pb2, timestamp_pb2

from . import construction, literals
from .checked import CheckedExpression
from .errors import CompileError
from .functions import Function
from .library import ABSTRACT, COMPARISONS, FUNCTIONS, MUTATING
from .types import DYN, Decl

_EXTENSIONS = "extensions:\n" + "".join(f"- name: {name}\n" for name in ("two-var-comprehensions", "optional", "lists"))
# The libraries have these with more overloads.
_EXTENSIONS += "stdlib:\n  exclude_functions:\n" + "".join(f"  - name: {name}\n" for name in ("string", *COMPARISONS))
_WIRE = {"bool": 8, "int": 3, "uint": 4, "double": 1, "string": 9, "bytes": 12}
_KNOWN = {
    "timestamp": ".google.protobuf.Timestamp",
    "duration": ".google.protobuf.Duration",
    "list": ".google.protobuf.ListValue",
    "map": ".google.protobuf.Struct",
}
_STATUS = re.compile(r"\A[A-Z_]+: |( not found in struct '[^']*')| \[[A-Z_]+\]\Z")
_OBJECT = re.compile(r"declared\.Object\d+", re.ASCII)
_RESERVED_NUMBERS = 19000
_OWNER = "_"
"""Whose member is an optional variable to the checker."""


def _type(text: str) -> Any:
    if text in ABSTRACT:
        return cel.Type.AbstractType(text)
    return cel.Type({"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}.get(text, text))


def _list_of(text: str) -> Any:
    return cel.Type.List(_type(text[5:-1])) if text.startswith("list<") else _type(text)


def _declarations(functions: Iterable[Function]) -> list[Any]:
    overloads: dict[str, list[Any]] = {}
    for function in functions:
        if not function.signatures:  # the checker has it already
            continue
        known = overloads.setdefault(function.name, [])
        for signature in function.signatures:
            parameters, _, result = signature.partition("->")
            name = f"{function.name}_{len(known)}"
            types = [_list_of(parameter) for parameter in parameters.split()]
            known.append(cel.Overload(name, _list_of(result.strip()), types, function.member))
    return [cel.FunctionDecl(name, known) for name, known in overloads.items()]


def _comparisons() -> list[Any]:
    numbers = ("int", "uint", "double")
    same = ("bool", "string", "bytes", "timestamp", "duration")
    pairs = [(one, other) for one in numbers for other in numbers] + [(kind, kind) for kind in same]
    return [
        cel.FunctionDecl(
            name,
            [
                cel.Overload(f"{name}{one}_{other}", cel.Type.BOOL, [_type(one), _type(other)], False)
                for one, other in pairs
            ],
        )
        for name in COMPARISONS
    ]


_DECLARED = [*_declarations(FUNCTIONS), *_comparisons()]
_MUTATING = [*_declarations((*FUNCTIONS, *MUTATING)), *_comparisons()]


class Checker:
    """Checks expressions over declared variables; ``mutating`` ones may build objects and patches.

    The checker's optional functions take no optional that is declared outside of it, but they take a member that may
    be absent: one variable that is optional is told as that, in as many letters, so that places in messages are right.
    """

    def __init__(self, variables: Mapping[str, Decl], *, mutating: bool = False) -> None:
        self._file = descriptor_pb2.FileDescriptorProto(name="declared.proto", package="declared", syntax="proto3")
        self._file.dependency.extend(
            ("google/protobuf/struct.proto", "google/protobuf/timestamp.proto", "google/protobuf/duration.proto")
        )
        self._messages: dict[int, str] = {}
        absent = {name: declared.element for name, declared in variables.items() if declared.kind == "optional"}
        self._optional = next(iter(absent), "")
        plain = {name: declared for name, declared in variables.items() if name not in absent}
        for name, element in absent.items():
            plain[_OWNER] = Decl("object", {name[3:]: (name[3:], element or DYN)})
        self._types = {name: _type(self._spelled(declared)) for name, declared in plain.items()}
        self._mutating = mutating
        self._environment = None if mutating else self._made(None)

    def check(self, expression: str) -> CheckedExpression:
        built = construction.source(expression) if self._mutating else None
        environment = self._environment or self._made(built)
        name = self._optional
        member = f"{_OWNER}.?{name[3:]}"
        try:
            text = re.sub(rf"(?<![\w.])(?<!\.\?){name}(?!\w)", member, expression) if name else expression
            checked = environment.compile(built.text if built else text).serialize()
        except RuntimeError as error:
            text = _OBJECT.sub("object", _STATUS.sub("", str(error)).strip().replace("null_type", "null"))
            if name:
                text = text.replace(member, name)
            for name, written in built.types.items() if built else ():
                text = text.replace(name, written)
            raise CompileError("compilation failed: " + text) from error
        tree = CheckedExpression(checked, built.types if built else {})
        if name:
            tree.name_member(_OWNER, name)
        literals.check(tree, expression)
        return tree

    def _made(self, built: construction.Source | None) -> Any:
        pool = descriptor_pool.DescriptorPool()
        for module in (struct_pb2, timestamp_pb2, duration_pb2):
            pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        pool.Add(self._file)
        if built is not None:
            pool.Add(_buildable(built))
        config = cel.NewEnvConfigFromYaml(_EXTENSIONS)
        functions = _MUTATING if self._mutating else _DECLARED
        # Types that are compared with by name; the checker has no equality of those that it does not know.
        names = dict.fromkeys(ABSTRACT, cel.Type.DYN)
        return cel.NewEnv(pool, config=config, variables={**names, **self._types}, functions=functions)

    def _spelled(self, declared: Decl) -> str:
        if declared.kind == "list" and declared.element is not None:
            return f"list<{self._spelled(declared.element)}>"
        if declared.kind == "map" and declared.element is not None:
            return f"map<string,{self._spelled(declared.element)}>"
        if declared.kind == "object":
            return "declared." + self._message(declared)
        known = {"timestamp": "google.protobuf.Timestamp", "duration": "google.protobuf.Duration"}
        return known.get(declared.kind, declared.kind)

    def _message(self, declared: Decl) -> str:
        name = self._messages.get(id(declared))
        if name is not None:
            return name
        name = self._messages[id(declared)] = f"Object{len(self._messages)}"
        message = self._file.message_type.add(name=name)
        for index, (field, (_, kind)) in enumerate(declared.fields.items(), 1):
            number = index if index < _RESERVED_NUMBERS else index + 1000
            entry = message.field.add(name=field, number=number, label=1, json_name=f"f{number}")
            entries = "".join(part[:1].upper() + part[1:] for part in field.split("_")) + "Entry"
            clash = kind.kind == "map" and any(nested.name == entries for nested in message.nested_type)
            repeated = kind.kind in ("list", "map") and kind.element is not None and not clash
            if repeated:
                entry.label = 3  # type: ignore[assignment]
            if kind.kind == "map" and kind.element is not None and repeated:
                nested = message.nested_type.add(name=entries)
                nested.options.map_entry = True
                nested.field.add(name="key", number=1, type=9, label=1)
                self._typed(nested.field.add(name="value", number=2, label=1), kind.element)
                entry.type = 11  # type: ignore[assignment]
                entry.type_name = f".declared.{name}.{nested.name}"
            else:
                self._typed(entry, kind.element if repeated and kind.element is not None else kind)
        return name

    def _typed(self, entry: Any, declared: Decl) -> None:
        if declared.kind in _WIRE:
            entry.type = _WIRE[declared.kind]
            return
        entry.type = 11
        if declared.kind == "object":
            entry.type_name = ".declared." + self._message(declared)
        else:
            entry.type_name = _KNOWN.get(declared.kind, ".google.protobuf.Value")


def _buildable(built: construction.Source) -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="built.proto", syntax="proto3")
    file.dependency.append("google/protobuf/struct.proto")
    for name in built.types:
        message = file.message_type.add(name=name)
        for number, field in enumerate(sorted(built.fields), 1):
            _any(message, field, number)
    patch = file.message_type.add(name=construction.PATCH)
    for number, field in enumerate(construction.PATCH_FIELDS, 1):
        if field == "value":
            _any(patch, field, number)
        else:
            patch.field.add(name=field, number=number, label=1, type=_WIRE["string"])
    return file


def _any(message: Any, field: str, number: int) -> None:
    entry = message.field.add(name=field, number=number, label=1, type=11, json_name=f"f{number}")
    entry.type_name = ".google.protobuf.Value"
