"""Schemas of the API types, read from their annotations.

Version 2 and version 3 differ in where definitions live, in how references carry further members, and in the scalars
that may be of two kinds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import msgspec

from steersman.api.scheme import Resource
from steersman.api.shapes import Member, Shape, struct_shape
from steersman.api.types.meta_v1 import ListMeta, ObjectMeta
from steersman.api.unstructured import is_unstructured

from .custom import list_schema, object_schema, package_name
from .defaults import item_default, member_default
from .enums import ENUMS

Dialect = Literal["v2", "v3"]

_PREFIX = {"v2": "#/definitions/", "v3": "#/components/schemas/"}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
TIME = f"{_META}.Time"
MICRO_TIME = f"{_META}.MicroTime"
FIELDS_V1 = f"{_META}.FieldsV1"
PATCH = f"{_META}.Patch"
RAW_EXTENSION = "io.k8s.apimachinery.pkg.runtime.RawExtension"
_JSON = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON"

SCALARS: dict[str, dict[str, Any]] = {
    QUANTITY: {"type": "string"},
    INT_OR_STRING: {"type": "string", "format": "int-or-string"},
    TIME: {"type": "string", "format": "date-time"},
    MICRO_TIME: {"type": "string", "format": "date-time"},
    FIELDS_V1: {"type": "object"},
    PATCH: {"type": "object"},
    RAW_EXTENSION: {"type": "object"},
    _JSON: {},
    f"{_JSON}SchemaPropsOrArray": {},
    f"{_JSON}SchemaPropsOrBool": {},
    f"{_JSON}SchemaPropsOrStringArray": {},
}
_SCALARS_V3: dict[str, dict[str, Any]] = {
    QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
    INT_OR_STRING: {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
}
# Every API group of upstream's scheme has these two kinds, also where it serves nothing of the version any more.
_EVERYWHERE = frozenset({"DeleteOptions", "WatchEvent"})
_GROUP_VERSIONS: dict[str, str] = {
    "": "v1",
    "admission.k8s.io": "v1 v1beta1",
    "admissionregistration.k8s.io": "v1 v1alpha1 v1beta1",
    "apiextensions.k8s.io": "v1 v1beta1",
    "apiregistration.k8s.io": "v1 v1beta1",
    "apps": "v1 v1beta1 v1beta2",
    "authentication.k8s.io": "v1 v1alpha1 v1beta1",
    "authorization.k8s.io": "v1 v1beta1",
    "autoscaling": "v1 v2 v2beta1 v2beta2",
    "batch": "v1 v1beta1",
    "certificates.k8s.io": "v1 v1alpha1 v1beta1",
    "coordination.k8s.io": "v1 v1alpha2 v1beta1",
    "discovery.k8s.io": "v1 v1beta1",
    "events.k8s.io": "v1 v1beta1",
    "extensions": "v1beta1",
    "flowcontrol.apiserver.k8s.io": "v1 v1beta1 v1beta2 v1beta3",
    "imagepolicy.k8s.io": "v1alpha1",
    "internal.apiserver.k8s.io": "v1alpha1",
    "networking.k8s.io": "v1 v1beta1",
    "node.k8s.io": "v1 v1alpha1 v1beta1",
    "policy": "v1 v1beta1",
    "rbac.authorization.k8s.io": "v1 v1alpha1 v1beta1",
    "resource.k8s.io": "v1 v1alpha3 v1beta1 v1beta2",
    "scheduling.k8s.io": "v1 v1alpha1 v1beta1",
    "storage.k8s.io": "v1 v1alpha1 v1beta1",
    "storagemigration.k8s.io": "v1beta1",
}
_LOCALHOST = {"discriminator": "type", "fields-to-discriminateBy": {"localhostProfile": "LocalhostProfile"}}
_UNIONS: dict[str, dict[str, Any]] = {
    "io.k8s.api.core.v1.AppArmorProfile": _LOCALHOST,
    "io.k8s.api.core.v1.SeccompProfile": _LOCALHOST,
    "io.k8s.api.flowcontrol.v1.LimitResponse": {
        "discriminator": "type",
        "fields-to-discriminateBy": {"queuing": "Queuing"},
    },
    "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec": {
        "discriminator": "type",
        "fields-to-discriminateBy": {"exempt": "Exempt", "limited": "Limited"},
    },
    "io.k8s.api.flowcontrol.v1.Subject": {
        "discriminator": "kind",
        "fields-to-discriminateBy": {"group": "Group", "serviceAccount": "ServiceAccount", "user": "User"},
    },
}
# Free JSON of several Go types is one type here; the member tells which it is.
_FREE = {
    "additionalItems": f"{_JSON}SchemaPropsOrBool",
    "additionalProperties": f"{_JSON}SchemaPropsOrBool",
    "dependencies": f"{_JSON}SchemaPropsOrStringArray",
    "items": f"{_JSON}SchemaPropsOrArray",
}


def definition_name(type_: type[Any]) -> str:
    """The name of a type's definition: ``io.k8s.api.apps.v1.Deployment``."""
    if is_unstructured(type_):
        return f"{package_name(type_)}.{type_.KIND}"
    package: str = sys.modules[type_.__module__].PACKAGE
    return f"{package}.{type_.__name__}"


def group_version_kinds(type_: type[Any]) -> list[dict[str, str]]:
    """What ``x-kubernetes-group-version-kind`` says of a type that is a kind; empty for others."""
    if type_.__name__ in _EVERYWHERE:
        return [
            {"group": group, "kind": type_.__name__, "version": version}
            for group, versions in _GROUP_VERSIONS.items()
            for version in versions.split()
        ]
    members = struct_shape(type_).members
    if "kind" not in members or "apiVersion" not in members:
        return []
    sample = type_()
    if not sample.kind or not sample.api_version:
        return []
    group, _, version = sample.api_version.rpartition("/")
    return [{"group": group, "kind": sample.kind, "version": version}]


class _Described(msgspec.Struct, gc=False):
    description: str | dict[str, Any] = ""


class _Definition(msgspec.Struct, gc=False):
    description: str = ""
    properties: dict[str, _Described] = {}


class _Definitions(msgspec.Struct):
    definitions: dict[str, _Definition] = msgspec.field(name="$defs")


class Descriptions:
    """The sentences of the schema, where a package that has them is installed; otherwise there are none."""

    def __init__(self) -> None:
        self._definitions: dict[str, _Definition] = {}
        if (source := self.source()) is None:
            return
        try:
            self._definitions = msgspec.json.decode(source.read_bytes(), type=_Definitions).definitions
        except (OSError, msgspec.MsgspecError):
            return

    @staticmethod
    def source(version: str = "1.35") -> Path | None:
        """The file they are in."""
        spec = find_spec("kubernetes_validate")
        if spec is None or spec.origin is None:
            return None
        found = Path(spec.origin).parent / f"kubernetes-json-schema/v{version}.0-local/_definitions.json"
        return found if found.exists() else None

    def of(self, definition: str, member: str = "") -> str:
        """The description of a definition or of one member of it; empty when unknown."""
        found = self._definitions.get(definition)
        if found is None:
            return ""
        described = found.properties.get(member) if member else found
        description = described.description if described is not None else ""
        return description if isinstance(description, str) else ""


class Schemas:
    """Finds the definitions that types need, in one dialect: whoever refers to a type asks for its definition."""

    def __init__(self, dialect: Dialect, descriptions: Descriptions) -> None:
        self._dialect = dialect
        self._descriptions = descriptions
        self._asked: set[str] = set()
        self._pending: list[type[Any]] = []
        self._scalars: list[str] = []
        self._lists: list[tuple[str, Resource[Any]]] = []

    def add(self, type_: type[Any]) -> str:
        """Ask for the definition of a type, and of everything it is made of; its name."""
        name = definition_name(type_)
        if name not in self._asked:
            self._asked.add(name)
            self._pending.append(type_)
        return name

    def add_list(self, resource: Resource[Any]) -> str:
        """Ask for the definition of a custom resource's lists; its name."""
        name = f"{package_name(resource.type)}.{resource.list_kind}"
        if name not in self._asked:
            self._asked.add(name)
            self._lists.append((name, resource))
        return name

    def take(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The definitions that have been asked for since, each once, in no order."""
        for name, resource in self._lists:
            yield (
                name,
                list_schema(resource, self._header("PodList", ListMeta), self.reference(self.add(resource.type))),
            )
        self._lists.clear()
        while self._pending:
            type_ = self._pending.pop()
            name = definition_name(type_)
            yield name, self._definition(type_, name)
        while self._scalars:
            name = self._scalars.pop()
            schema = _SCALARS_V3.get(name, SCALARS[name]) if self._dialect == "v3" else SCALARS[name]
            text = self._descriptions.of(name)
            yield name, {**schema, "description": text} if text else dict(schema)

    def reference(self, name: str) -> dict[str, Any]:
        """A reference to a definition; a scalar's is asked for by that."""
        if name in SCALARS and name not in self._asked:
            self._asked.add(name)
            self._scalars.append(name)
        return {"$ref": _PREFIX[self._dialect] + name}

    def _definition(self, type_: type[Any], name: str) -> dict[str, Any]:
        if is_unstructured(type_):
            return object_schema(type_, self._header("Pod", ObjectMeta), v2=self._dialect == "v2")
        schema: dict[str, Any] = {}
        if text := self._descriptions.of(name):
            schema["description"] = text
        members = struct_shape(type_).members
        if members:
            schema["properties"] = {
                member.name: self._member(member, name)
                for member in sorted(members.values(), key=lambda each: each.name)
            }
        if type_.REQUIRED:
            schema["required"] = sorted(type_.REQUIRED)
        schema["type"] = "object"
        if kinds := group_version_kinds(type_):
            schema["x-kubernetes-group-version-kind"] = kinds
        if (union := _UNIONS.get(name)) is not None:
            schema["x-kubernetes-unions"] = [union]
        if type_.MAP_TYPE:
            schema["x-kubernetes-map-type"] = type_.MAP_TYPE
        return schema

    def _header(self, example: str, metadata: type[Any]) -> dict[str, dict[str, Any]]:
        """What every object has, described as it is of a kind that is built in."""
        text = {"type": "string"}
        header = {"apiVersion": text, "kind": text, "metadata": self.reference(self.add(metadata))}
        for name, schema in header.items():
            if described := self._descriptions.of(f"io.k8s.api.core.v1.{example}", name):
                refers = "$ref" in schema and self._dialect == "v3"
                header[name] = {**({"allOf": [schema]} if refers else schema), "description": described}
        return header

    def _member(self, member: Member, owner: str) -> dict[str, Any]:
        schema = self._of(member.shape, member.name)
        extra: dict[str, Any] = {}
        if self._dialect == "v3":
            default = member_default(owner, member.name, member.shape, required=member.required)
            if default is not None:
                extra["default"] = default
        if self._dialect == "v3" and (values := ENUMS.get((owner, member.name))) is not None:
            if "items" in schema:
                schema["items"] = {**schema["items"], "enum": values}
            else:
                extra["enum"] = values
        if text := self._descriptions.of(owner, member.name):
            extra["description"] = text
        if (merge := member.shape.merge) is not None:
            if merge.list_type:
                extra["x-kubernetes-list-type"] = merge.list_type
            if merge.map_keys:
                extra["x-kubernetes-list-map-keys"] = list(merge.map_keys)
            if merge.map_type:
                extra["x-kubernetes-map-type"] = merge.map_type
            if merge.patch_strategy:
                extra["x-kubernetes-patch-strategy"] = ",".join(merge.patch_strategy)
            if merge.patch_merge_key:
                extra["x-kubernetes-patch-merge-key"] = merge.patch_merge_key
        if not extra:
            return schema
        if "$ref" in schema and self._dialect == "v3":
            return {"allOf": [schema], **extra}
        return {**schema, **extra}

    def _item(self, shape: Shape, name: str) -> dict[str, Any]:
        """What a list or a map holds."""
        schema = self._of(shape, name)
        default = item_default(shape) if self._dialect == "v3" else None
        if default is None:
            return schema
        return {"allOf": [schema], "default": default} if "$ref" in schema else {**schema, "default": default}

    def _of(self, shape: Shape, name: str) -> dict[str, Any]:
        match shape.kind:
            case "struct":
                assert shape.struct is not None
                return self.reference(self.add(shape.struct))
            case "list":
                assert shape.item is not None
                # A list of free JSON is the enumeration of a schema.
                return {"items": self._item(shape.item, ""), "type": "array"}
            case "map":
                assert shape.item is not None
                return {"additionalProperties": self._item(shape.item, name), "type": "object"}
            case "quantity":
                return self.reference(QUANTITY)
            case "int-or-string":
                return self.reference(INT_OR_STRING)
            case "time":
                return self.reference(MICRO_TIME if shape.format == "micro-time" else TIME)
            case "any" if name == "dependencies":
                return {"additionalProperties": self.reference(_FREE[name]), "type": "object"}
            case "any" if shape.format == "object":
                return self.reference(RAW_EXTENSION)
            case "any" if shape.format == "raw":
                return self.reference(FIELDS_V1)
            case "any":
                return self.reference(_FREE.get(name, _JSON))
            case "bytes":
                return {"format": "byte", "type": "string"}
            case kind:
                return {"format": shape.format, "type": kind} if shape.format else {"type": kind}
