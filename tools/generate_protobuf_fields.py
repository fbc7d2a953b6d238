"""Write down the protobuf field numbers of the API's types: ``protobuf_fields.json`` of the API server.

The numbers are read from the descriptors that Go programs built with Kubernetes's API carry (``kubectl`` up to 1.33)::

    python tools/generate_protobuf_fields.py /usr/bin/kubectl

Only facts are kept: names, numbers, types.  ``*`` marks a repeated field, ``%`` a map (with its value's type), ``~``
a struct that is inlined in JSON; scalars are ``s`` (text), ``b`` (bytes), ``i`` (integer), ``B`` (boolean) and
``d`` (double).
"""

from __future__ import annotations

import json
import re
import sys
import zlib
from importlib import import_module
from pathlib import Path

import msgspec
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from steersman.api.resources import builtin_scheme

TARGET = Path(__file__).parent.parent / "src/steersman/apiserver/endpoints/protobuf_fields.json"
SCALARS = {1: "d", 3: "i", 5: "i", 8: "B", 9: "s", 12: "b", 4: "i", 13: "i"}
COMMON = ("k8s.io.apimachinery.pkg.apis.meta.v1", "k8s.io.apimachinery.pkg.api.resource",
          "k8s.io.apimachinery.pkg.runtime", "k8s.io.apimachinery.pkg.util.intstr")  # fmt: skip


def descriptors(program: bytes) -> dict[str, FileDescriptorProto]:
    """Every Kubernetes file descriptor in a program, by package."""
    found = {}
    for match in re.finditer(rb"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff", program):
        try:
            raw = zlib.decompressobj(31).decompress(program[match.start() : match.start() + 2_000_000])
            file = FileDescriptorProto()
            file.ParseFromString(raw)
        except Exception:
            continue
        if file.name.startswith("k8s.io/"):
            found[file.package] = file
    return found


def json_names(package: str) -> dict[str, set[str]]:
    """The JSON names of our structs of a package."""
    parts = package.split(".")
    module = "meta_v1" if parts[-2] == "meta" else f"{parts[-2]}_{parts[-1]}"
    try:
        types = import_module(f"steersman.api.types.{module}")
    except ModuleNotFoundError:
        return {}
    return {
        name: {field.encode_name for field in msgspec.structs.fields(type_)}
        for name, type_ in vars(types).items()
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct) and name != "APIStruct"
    }


def field_type(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    """The code of a field's type."""
    if field.type != FieldDescriptorProto.TYPE_MESSAGE:
        code = SCALARS[field.type]
    else:
        reference = field.type_name.lstrip(".")
        entry = next((n for n in message.nested_type if reference.endswith(f"{message.name}.{n.name}")), None)
        if entry is not None:
            return "%" + field_type(entry.field[1], entry)
        code = reference
    return f"*{code}" if field.label == FieldDescriptorProto.LABEL_REPEATED else code


def main() -> None:
    """Read the program named on the command line and write the table."""
    files = descriptors(Path(sys.argv[1]).read_bytes())
    wanted = {
        f"k8s.io.api.{(resource.group or 'core').partition('.')[0]}.{resource.version}" for resource in builtin_scheme()
    }
    wanted |= {"k8s.io.api.apiserverinternal.v1alpha1", *COMMON}
    table: dict[str, list[list[object]]] = {}
    for package in sorted(wanted & files.keys()):
        names = json_names(package)
        for message in files[package].message_type:
            known = names.get(message.name)
            rows: list[list[object]] = []
            for field in message.field:
                code = field_type(field, message)
                if known and field.name not in known and code.startswith("k8s.io."):
                    code = f"~{code}"
                rows.append([field.number, field.name, code])
            table[f"{package}.{message.name}"] = rows
    lines = [f"{json.dumps(name)}: {json.dumps(rows, separators=(',', ':'))}" for name, rows in sorted(table.items())]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
