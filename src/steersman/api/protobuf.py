"""Protocol buffer messages and gRPC stubs from ``.proto`` text, at import, with no generated files and no build step.

:func:`load` reads a proto3 file written by us that holds just the messages and fields we use (on the wire only numbers
and types matter), registers its descriptors in a pool of its own, and returns the message classes, which are the very
classes that generated code would have made.  Understood: ``package``, ``message`` (nested too), ``enum``, ``repeated``,
``optional``, ``map<k, v>``, ``oneof``, ``reserved``, ``service`` and ``rpc`` with ``stream``, and
``import`` of google's own types; options and comments are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import resources
from types import SimpleNamespace
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|\s+|("(?:[^"\\]|\\.)*"|[\w.]+|[{}<>=;,()\[\]\-])', re.DOTALL)
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS: dict[str, _Field.Type.ValueType] = {
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "int32": _Field.TYPE_INT32,
    "fixed64": _Field.TYPE_FIXED64,
    "fixed32": _Field.TYPE_FIXED32,
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "uint32": _Field.TYPE_UINT32,
    "sfixed32": _Field.TYPE_SFIXED32,
    "sfixed64": _Field.TYPE_SFIXED64,
    "sint32": _Field.TYPE_SINT32,
    "sint64": _Field.TYPE_SINT64,
}


class Method(NamedTuple):
    """One rpc of a service: ``path`` is what gRPC calls it, request and response are message classes."""

    name: str
    path: str
    request: Any
    response: Any
    client_streaming: bool
    server_streaming: bool


class ProtoFile:
    """The classes of one file: ``file.RangeRequest``, ``file.Outer.Inner``; enum values as ``file.ENUM_VALUE``."""

    def __init__(self, package: str, members: Mapping[str, Any], services: dict[str, dict[str, Method]]) -> None:
        self.package = package
        self.services = services
        self.__dict__.update(members)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"no message or enum value {name} in {self.package}")

    def stub(self, service: str, channel: Any) -> Any:
        """A client of a service over a ``grpc.Channel`` or ``grpc.aio.Channel``: an attribute per rpc."""
        calls = {}
        for method in self.services[service].values():
            kind = f"{_arity(method.client_streaming)}_{_arity(method.server_streaming)}"
            calls[method.name] = getattr(channel, kind)(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )
        return SimpleNamespace(**calls)

    def handler(self, service: str, implementation: Any) -> Any:
        """A ``grpc.GenericRpcHandler`` for the rpcs that ``implementation`` has as methods; add it to a server."""
        import grpc

        handlers = {}
        for method in self.services[service].values():
            behaviour: Callable[..., Any] | None = getattr(implementation, method.name, None)
            if behaviour is not None:
                kind = f"{_arity(method.client_streaming)}_{_arity(method.server_streaming)}_rpc_method_handler"
                handlers[method.name] = getattr(grpc, kind)(
                    behaviour,
                    request_deserializer=method.request.FromString,
                    response_serializer=method.response.SerializeToString,
                )
        return grpc.method_handlers_generic_handler(f"{self.package}.{service}", handlers)


def load(package: str, file: str) -> ProtoFile:
    """The messages of a ``.proto`` file that lies in a Python package: ``load("steersman.storage", "etcd.proto")``."""
    return parse((resources.files(package) / file).read_text(encoding="utf-8"), file)


def parse(text: str, name: str = "inline.proto") -> ProtoFile:
    """The messages of proto3 text; raises ValueError where it cannot be read."""
    parser = _Parser(text, name)
    parser.file()
    pool = descriptor_pool.DescriptorPool()
    for dependency in parser.proto.dependency:
        pool.AddSerializedFile(descriptor_pool.Default().FindFileByName(dependency).serialized_pb)
    pool.Add(parser.proto)
    package = parser.proto.package
    prefix = f"{package}." if package else ""

    def message_class(full_name: str) -> Any:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(full_name))

    members: dict[str, Any] = {m.name: message_class(prefix + m.name) for m in parser.proto.message_type}
    for enum in parser.proto.enum_type:
        members.update({value.name: value.number for value in enum.value})
    services: dict[str, dict[str, Method]] = {}
    for service, rpcs in parser.services.items():
        services[service] = {
            rpc: Method(
                rpc,
                f"/{prefix}{service}/{rpc}",
                message_class(request if "." in request else prefix + request),
                message_class(response if "." in response else prefix + response),
                streams_in,
                streams_out,
            )
            for rpc, (request, streams_in, response, streams_out) in rpcs.items()
        }
    return ProtoFile(package, members, services)


def _arity(streaming: bool) -> str:
    return "stream" if streaming else "unary"


class _Parser:
    """Recursive descent over the tokens of one file, into a FileDescriptorProto."""

    def __init__(self, text: str, name: str) -> None:
        self.proto = descriptor_pb2.FileDescriptorProto(name=name, syntax="proto3")
        self.services: dict[str, dict[str, tuple[str, bool, str, bool]]] = {}
        self._tokens: list[str] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ValueError(f"{name}: cannot read {text[position : position + 20]!r}")
            if match[1] is not None:
                self._tokens.append(match[1])
            position = match.end()
        self._tokens.reverse()

    def _next(self) -> str:
        if not self._tokens:
            raise ValueError(f"{self.proto.name}: unexpected end")
        return self._tokens.pop()

    def _expect(self, token: str) -> None:
        if (found := self._next()) != token:
            raise ValueError(f"{self.proto.name}: expected {token!r}, found {found!r}")

    def _accept(self, token: str) -> bool:
        if self._tokens and self._tokens[-1] == token:
            self._tokens.pop()
            return True
        return False

    def _skip_statement(self) -> None:
        while self._next() != ";":
            pass

    def file(self) -> None:
        while self._tokens:
            word = self._next()
            if word == "package":
                self.proto.package = self._next()
                self._expect(";")
            elif word == "import":
                self.proto.dependency.append(self._next().strip('"'))
                self._expect(";")
            elif word == "message":
                self._message(self.proto.message_type.add())
            elif word == "enum":
                self._enum(self.proto.enum_type.add())
            elif word == "service":
                self._service()
            elif word in ("syntax", "option"):
                self._skip_statement()
            elif word != ";":
                raise ValueError(f"{self.proto.name}: unexpected {word!r}")

    def _enum(self, enum: descriptor_pb2.EnumDescriptorProto) -> None:
        enum.name = self._next()
        self._expect("{")
        while not self._accept("}"):
            name = self._next()
            if name in ("option", "reserved"):
                self._skip_statement()
                continue
            self._expect("=")
            sign = -1 if self._accept("-") else 1
            enum.value.add(name=name, number=sign * int(self._next(), 0))
            self._field_end()

    def _message(self, message: descriptor_pb2.DescriptorProto) -> None:
        message.name = self._next()
        self._expect("{")
        optionals: list[_Field] = []
        while not self._accept("}"):
            word = self._next()
            if word == "message":
                self._message(message.nested_type.add())
            elif word == "enum":
                self._enum(message.enum_type.add())
            elif word in ("option", "reserved"):
                self._skip_statement()
            elif word == "oneof":
                index = len(message.oneof_decl)
                message.oneof_decl.add(name=self._next())
                self._expect("{")
                while not self._accept("}"):
                    self._field(message, self._next()).oneof_index = index
            elif word == "repeated":
                self._field(message, self._next()).label = _Field.LABEL_REPEATED
            elif word == "optional":
                optionals.append(self._field(message, self._next()))
            elif word == "map":
                self._map(message)
            elif word != ";":
                self._field(message, word)
        for field in optionals:  # the synthetic oneofs MUST follow the real ones
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")

    def _field(self, message: descriptor_pb2.DescriptorProto, type_: str) -> _Field:
        field = message.field.add(name=self._next(), label=_Field.LABEL_OPTIONAL)
        self._expect("=")
        field.number = int(self._next(), 0)
        _set_type(field, type_)
        self._field_end()
        return field

    def _field_end(self) -> None:
        if self._accept("["):
            while self._next() != "]":
                pass
        self._expect(";")

    def _map(self, message: descriptor_pb2.DescriptorProto) -> None:
        self._expect("<")
        key_type = self._next()
        self._expect(",")
        value_type = self._next()
        self._expect(">")
        field = self._field(message, "map")
        entry = "".join(part[:1].upper() + part[1:] for part in field.name.split("_")) + "Entry"
        nested = message.nested_type.add(name=entry)
        nested.options.map_entry = True
        _set_type(nested.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL), key_type)
        _set_type(nested.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL), value_type)
        field.label = _Field.LABEL_REPEATED
        field.type_name = entry

    def _service(self) -> None:
        rpcs = self.services.setdefault(self._next(), {})
        self._expect("{")
        while not self._accept("}"):
            self._expect("rpc")
            name = self._next()
            request, streams_in = self._rpc_type()
            self._expect("returns")
            response, streams_out = self._rpc_type()
            rpcs[name] = (request, streams_in, response, streams_out)
            if self._accept("{"):
                while self._next() != "}":
                    pass
            else:
                self._accept(";")

    def _rpc_type(self) -> tuple[str, bool]:
        self._expect("(")
        streaming = self._accept("stream")
        name = self._next()
        self._expect(")")
        return name, streaming


def _set_type(field: _Field, type_: str) -> None:
    if (scalar := _SCALARS.get(type_)) is not None:
        field.type = scalar
    else:  # left without a type, the pool tells messages and enums apart when it resolves the name
        field.type_name = type_
