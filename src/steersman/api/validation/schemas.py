"""The schemas of custom resources: OpenAPI v3 without what Kubernetes does not support, and structural (KEP-1979).

A schema is structural when its skeleton (types, properties, items) stands outside of ``allOf``, ``anyOf``, ``oneOf``
and ``not``, which may then only restrict values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from steersman.api import codecs, errors, patterns
from steersman.api.types.apiextensions_v1 import JSONSchemaProps, ValidationRule

from .faults import Faults

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_META = ("metadata", "kind", "apiVersion")
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_LISTS = ("atomic", "set", "map")
_MAPS = ("atomic", "granular")

_ROOT_MEMBERS = {
    "Description": "description",
    "Type": "type",
    "Format": "format",
    "Title": "title",
    "Maximum": "maximum",
    "ExclusiveMaximum": "exclusive_maximum",
    "Minimum": "minimum",
    "ExclusiveMinimum": "exclusive_minimum",
    "MaxLength": "max_length",
    "MinLength": "min_length",
    "Pattern": "pattern",
    "MaxItems": "max_items",
    "MinItems": "min_items",
    "UniqueItems": "unique_items",
    "MultipleOf": "multiple_of",
    "Required": "required",
    "Items": "items",
    "Properties": "properties",
    "ExternalDocs": "external_docs",
    "Example": "example",
    "XPreserveUnknownFields": "x_kubernetes_preserve_unknown_fields",
    "XValidations": "x_kubernetes_validations",
}
"""What the root may say when there is ``/status``, by the names that the message shows."""


def as_schema(value: Any) -> JSONSchemaProps | None:
    """A schema where there may also be a boolean or a list; None for those."""
    if isinstance(value, JSONSchemaProps):
        return value
    if not isinstance(value, dict):
        return None
    schema: JSONSchemaProps = codecs.from_builtins(JSONSchemaProps, value)
    return schema


class Found(NamedTuple):
    """What a simple path (``.spec.color``) leads to, or why it leads nowhere."""

    schema: JSONSchemaProps | None
    fault: str = ""


def at(schema: JSONSchemaProps, path: str) -> Found:
    """The schema of a field, or of the values of a map, by its simple path."""
    tokens = re.findall(r"[.\[\]]|[^.\[\]]+", path)
    while tokens:
        opening = tokens.pop(0)
        if opening == "[":
            return Found(None, "array notation is not allowed")
        if opening != ".":
            return Found(None, f"expected [ or . but got: {opening}")
        if not tokens:
            return Found(None, "unexpected end of JSON path")
        step = tokens.pop(0)
        below = schema.properties.get(step) if schema.properties else as_schema(schema.additional_properties)
        if below is None:
            return Found(None, "does not refer to a valid field")
        schema = below
    return Found(schema)


def root(faults: Faults, schema: JSONSchemaProps, path: str, *, has_status: bool) -> None:
    """The schema of a version."""
    try:
        if has_status:
            _status_root(faults, schema, path)
        if schema.nullable:
            faults.forbidden(f"{path}.nullable", "nullable cannot be true at the root")
        unsupported = _unsupported(schema)
        if not unsupported:
            found = Faults()
            _structural(found, schema, "root", path)
            _complete(found, schema, schema, path, path)
            faults.extend(sorted(found, key=str))
        before = len(faults)
        _supported(faults, schema, path, at_root=True, meta=False, why="")
        if unsupported and len(faults) == before:
            faults.invalid(path, "", unsupported)
    except (RecursionError, ValueError):
        faults.invalid(path, "", "is nested too deeply, or is no schema")


def _pattern_fault(pattern: str) -> str:
    """Why a pattern is none of RE2; empty where it is one."""
    try:
        patterns.compiled(pattern)
    except ValueError as error:
        return str(error)
    return ""


def _unsupported(schema: JSONSchemaProps) -> str:
    """What keeps a schema from being structural at all, so that nothing else is said of its structure."""
    for name, given in (
        ("id", schema.id),
        ("schema", schema.schema),
        ("$ref", schema.ref),
        ("patternProperties", schema.pattern_properties),
        ("dependencies", schema.dependencies),
        ("additionalItems", schema.additional_items is not None),
        ("definitions", schema.definitions),
    ):
        if given:
            return f"OpenAPIV3Schema '{name}' is not supported"
    if schema.x_kubernetes_preserve_unknown_fields is False:
        return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
    if isinstance(schema.items, list) and schema.items:
        return "OpenAPIV3Schema 'items' must be a schema, but is an array"
    return next(filter(None, (_unsupported(value) for _, value in _children(schema))), "")


def _status_root(faults: Faults, schema: JSONSchemaProps, path: str) -> None:
    if schema.type and schema.type != "object":
        detail = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        faults.invalid(f"{path}.type", schema.type, detail)
        return
    allowed = set(_ROOT_MEMBERS.values())
    for member in JSONSchemaProps.__struct_fields__:
        if member not in allowed and getattr(schema, member) not in (None, "", [], {}, False):
            shown = " ".join(_ROOT_MEMBERS)
            detail = f"only [{shown}] fields are allowed at the root of the schema if the status subresource is enabled"
            faults.invalid(path, schema, detail)
            return


# -- structural ------------------------------------------------------------------------------------------------------

_MISSING_TYPE = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}


def _structural(faults: Faults, schema: JSONSchemaProps, level: str, path: str) -> None:
    items = as_schema(schema.items)
    if schema.type == "array" and items is None:
        faults.append(errors.required(f"{path}.items", "must be specified"))
    if items is not None:
        _structural(faults, items, "item", f"{path}.items")
    for name, value in schema.properties.items():
        _structural(faults, value, "field", f"{path}.properties[{name}]")
    # True says no more than nothing does; False is an explicit ban that only nested objects may have.
    if schema.additional_properties is not None:
        if level == "root":
            faults.forbidden(f"{path}.additionalProperties", "must not be used at the root")
        additional = as_schema(schema.additional_properties)
        if additional is not None:
            _structural(faults, additional, "field", f"{path}.additionalProperties")
    _extensions(faults, schema, path)
    _nested(faults, schema, path, skip=_int_or_string(schema))
    _skeleton(faults, schema, level, path)


def _extensions(faults: Faults, schema: JSONSchemaProps, path: str) -> None:
    if not schema.x_kubernetes_int_or_string:
        return
    for name, value in (
        ("x-kubernetes-preserve-unknown-fields", schema.x_kubernetes_preserve_unknown_fields),
        ("x-kubernetes-embedded-resource", schema.x_kubernetes_embedded_resource),
    ):
        if value:
            faults.invalid(f"{path}.{name}", value, "must be false if x-kubernetes-int-or-string is true")


def _skeleton(faults: Faults, schema: JSONSchemaProps, level: str, path: str) -> None:
    embedded = bool(schema.x_kubernetes_embedded_resource)
    if embedded and schema.type != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        if schema.type:
            faults.invalid(f"{path}.type", schema.type, detail)
        else:
            faults.append(errors.required(f"{path}.type", detail))
    elif not (schema.type or schema.x_kubernetes_int_or_string or schema.x_kubernetes_preserve_unknown_fields):
        faults.append(errors.required(f"{path}.type", _MISSING_TYPE[level]))
    if embedded and schema.additional_properties is not None:
        detail = "must not be used if x-kubernetes-embedded-resource is set"
        faults.forbidden(f"{path}.additionalProperties", detail)
    if level == "root" and schema.type and schema.type != "object":
        faults.invalid(f"{path}.type", schema.type, "must be object at the root")
    if level == "root" or embedded:
        for name, kind in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
            member = schema.properties.get(name)
            if member is not None and member.type != kind:
                faults.invalid(f"{path}.properties[{name}].type", member.type, f"must be {kind}")
    metadata = schema.properties.get("metadata")
    if level == "root" and metadata is not None and not _plain_metadata(metadata):
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        faults.forbidden(f"{path}.properties[metadata]", detail)
    if embedded and not schema.x_kubernetes_preserve_unknown_fields and not schema.properties:
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        faults.append(errors.required(f"{path}.properties", detail))


def _plain_metadata(schema: JSONSchemaProps) -> bool:
    """Whether a schema of metadata restricts names at most."""
    only_names = set(schema.properties) <= {"name", "generateName"}
    bare = JSONSchemaProps(type=schema.type, properties=schema.properties, default=schema.default)
    return only_names and schema == bare


def _int_or_string(schema: JSONSchemaProps) -> frozenset[str]:
    """Where the two types of ``x-kubernetes-int-or-string`` may be said after all, by the paths below the schema."""
    pair = [JSONSchemaProps(type="integer"), JSONSchemaProps(type="string")]
    if schema.any_of == pair:
        return frozenset(("anyOf[0]", "anyOf[1]"))
    if schema.all_of and schema.all_of[0].any_of == pair:
        return frozenset(("allOf[0].anyOf[0]", "allOf[0].anyOf[1]"))
    return frozenset()


def _junctors(schema: JSONSchemaProps) -> Iterator[tuple[str, JSONSchemaProps]]:
    """What stands under the logical operators, by the path below the schema."""
    for name, values in (("anyOf", schema.any_of), ("allOf", schema.all_of), ("oneOf", schema.one_of)):
        for index, value in enumerate(values):
            yield f"{name}[{index}]", value
    if schema.not_ is not None:
        yield "not", schema.not_


def _nested(faults: Faults, schema: JSONSchemaProps, path: str, skip: frozenset[str] = frozenset()) -> None:
    """``skip``: paths below this schema that need not be structural."""
    for below, value in _junctors(schema):
        if below in skip:
            continue
        deeper = frozenset(each.removeprefix(f"{below}.") for each in skip if each.startswith(f"{below}."))
        _value_validation(faults, value, f"{path}.{below}", deeper)
    if schema.pattern and (fault := _pattern_fault(schema.pattern)):
        detail = f"must be a valid regular expression, but isn't: error parsing regexp: {fault}"
        faults.invalid(f"{path}.pattern", schema.pattern, detail)


def _value_validation(faults: Faults, schema: JSONSchemaProps, path: str, skip: frozenset[str] = frozenset()) -> None:
    _nested(faults, schema, path, skip)
    items = as_schema(schema.items)
    if items is not None:
        _value_validation(faults, items, f"{path}.items")
    for name, value in schema.properties.items():
        _value_validation(faults, value, f"{path}.properties[{name}]")
    for name, given, wanted in (
        ("type", schema.type, "empty"),
        ("additionalProperties", schema.additional_properties is not None, "undefined"),
        ("default", schema.default is not None, "undefined"),
        ("title", schema.title, "empty"),
        ("description", schema.description, "empty"),
        ("nullable", schema.nullable, "false"),
        ("x-kubernetes-preserve-unknown-fields", schema.x_kubernetes_preserve_unknown_fields, "false"),
        ("x-kubernetes-embedded-resource", schema.x_kubernetes_embedded_resource, "false"),
        ("x-kubernetes-int-or-string", schema.x_kubernetes_int_or_string, "false"),
        ("x-kubernetes-list-map-keys", schema.x_kubernetes_list_map_keys, "empty"),
        ("x-kubernetes-list-type", schema.x_kubernetes_list_type, "undefined"),
        ("x-kubernetes-map-type", schema.x_kubernetes_map_type, "undefined"),
        ("x-kubernetes-validations", schema.x_kubernetes_validations, "empty"),
    ):
        if given:
            faults.forbidden(f"{path}.{name}", f"must be {wanted} to be structural")
    if "metadata" in schema.properties:
        faults.forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _complete(faults: Faults, value: JSONSchemaProps, skeleton: JSONSchemaProps, path: str, value_path: str) -> None:
    """Whatever is restricted under a logical operator must be part of the skeleton."""
    for below, nested in _junctors(value):
        _complete_nested(faults, nested, skeleton, path, f"{value_path}.{below}")


def _complete_nested(
    faults: Faults, value: JSONSchemaProps, skeleton: JSONSchemaProps | None, path: str, value_path: str
) -> None:
    if skeleton is None:
        faults.append(errors.required(path, f"because it is defined in {value_path}"))
        return
    _complete(faults, value, skeleton, path, value_path)
    items = as_schema(value.items)
    if items is not None:
        _complete_nested(faults, items, as_schema(skeleton.items), f"{path}.items", f"{value_path}.items")
    for name, each in value.properties.items():
        below = f".properties[{name}]"
        _complete_nested(faults, each, skeleton.properties.get(name), path + below, value_path + below)


# -- supported -------------------------------------------------------------------------------------------------------


def _supported(faults: Faults, schema: JSONSchemaProps, path: str, *, at_root: bool, meta: bool, why: str) -> None:
    """``meta``: inside of the metadata of a resource; ``why``: why there may be no defaults here."""
    _members(faults, schema, path, meta=meta, why=why)
    if schema.unique_items:
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        faults.forbidden(f"{path}.uniqueItems", detail)
    additional = schema.additional_properties
    if additional is not None and additional is not True and schema.properties:
        detail = "additionalProperties and properties are mutual exclusive"
        faults.forbidden(f"{path}.additionalProperties", detail)
    embedded = at_root or bool(schema.x_kubernetes_embedded_resource)
    for below, value in _children(schema):
        inside, reason = meta, why
        name = below.removeprefix("properties[").removesuffix("]")
        if below == "additionalProperties" and meta:
            reason = "inside additionalProperties applying to object metadata"
        elif below.startswith("properties[") and embedded and name in _META:
            inside = True
            if at_root:
                reason = f"in top-level {name}"
        _supported(faults, value, f"{path}.{below}", at_root=False, meta=inside, why=reason)
    if schema.x_kubernetes_preserve_unknown_fields is False:
        faults.invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")
    _maps_and_lists(faults, schema, path)
    for index, rule in enumerate(schema.x_kubernetes_validations):
        _rule(faults, schema, rule, f"{path}.x-kubernetes-validations[{index}]")


def _members(faults: Faults, schema: JSONSchemaProps, path: str, *, meta: bool, why: str) -> None:
    if schema.type and schema.type not in TYPES:
        faults.unsupported(f"{path}.type", schema.type, TYPES)
    if schema.default is not None and why:
        faults.forbidden(f"{path}.default", f"must not be set {why}")
    for name, given in (
        ("id", schema.id),
        ("additionalItems", schema.additional_items is not None),
        ("patternProperties", schema.pattern_properties),
        ("definitions", schema.definitions),
        ("dependencies", schema.dependencies),
        ("$ref", schema.ref),
    ):
        if given:
            faults.forbidden(f"{path}.{name}", f"{name} is not supported")
    if schema.type == "null":
        faults.forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(schema.items, list) and schema.items:
        faults.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if meta and schema.x_kubernetes_embedded_resource:
        faults.forbidden(f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta")


def _children(schema: JSONSchemaProps) -> Iterator[tuple[str, JSONSchemaProps]]:
    additional = as_schema(schema.additional_properties)
    if additional is not None:
        yield "additionalProperties", additional
    for name, value in schema.properties.items():
        yield f"properties[{name}]", value
    yield from _junctors(schema)
    for name, value in schema.definitions.items():
        yield f"definitions[{name}]", value
    items = as_schema(schema.items)
    if items is not None:
        yield "items", items


def _maps_and_lists(faults: Faults, schema: JSONSchemaProps, path: str) -> None:
    map_type, list_type = schema.x_kubernetes_map_type, schema.x_kubernetes_list_type
    for name, given, kind in (("map", map_type, "object"), ("list", list_type, "array")):
        if given and schema.type != kind:
            detail = f"must be {kind} if x-kubernetes-{name}-type is specified"
            if schema.type:
                faults.invalid(f"{path}.type", schema.type, detail)
            else:
                faults.append(errors.required(f"{path}.type", detail))
    if map_type and map_type not in _MAPS:
        faults.unsupported(f"{path}.x-kubernetes-map-type", map_type, _MAPS)
    items = as_schema(schema.items)
    if list_type == "set" and schema.type == "array" and items is not None:
        detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
        if items.type == "array" and items.x_kubernetes_list_type not in ("", "atomic"):
            faults.invalid(f"{path}.items.x-kubernetes-list-type", items.x_kubernetes_list_type, detail)
        if items.type == "object" and items.x_kubernetes_map_type != "atomic":
            shown = items.x_kubernetes_list_type or None
            faults.invalid(f"{path}.items.x-kubernetes-map-type", shown, detail)
    if list_type and list_type not in _LISTS:
        faults.unsupported(f"{path}.x-kubernetes-list-type", list_type, _LISTS)
    keys = schema.x_kubernetes_list_map_keys
    if keys and list_type != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        if list_type:
            faults.invalid(f"{path}.x-kubernetes-list-type", list_type, detail)
        else:
            faults.append(errors.required(f"{path}.x-kubernetes-list-type", detail))
    if list_type == "map":
        _list_map(faults, schema, items, path)
    if list_type in ("set", "map") and items is not None and items.nullable:
        faults.forbidden(f"{path}.items.nullable", f"cannot be nullable when x-kubernetes-list-type is {list_type}")


def _list_map(faults: Faults, schema: JSONSchemaProps, items: JSONSchemaProps | None, path: str) -> None:
    keys, place = schema.x_kubernetes_list_map_keys, f"{path}.x-kubernetes-list-map-keys"
    faults.required(place, keys, "must not be empty if x-kubernetes-list-type is map")
    if schema.items is None:
        faults.append(errors.required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map"))
        return
    if items is None:
        detail = "must only have a single schema if x-kubernetes-list-type is map"
        faults.invalid(f"{path}.items", schema.items, detail)
        return
    if items.type != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        faults.invalid(f"{path}.items.type", items.type, detail)
        return
    for index, key in enumerate(keys):
        member = items.properties.get(key)
        where = f"{path}.items.properties[{key}]"
        if member is None:
            faults.invalid(place, keys, "entries must all be names of item properties")
        elif member.type in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            faults.invalid(f"{where}.type", items.type, detail)
        if key in keys[:index]:
            faults.invalid(place, keys, "must not contain duplicate entries")
        if member is None:
            continue
        listed = "this property is in x-kubernetes-list-map-keys, so it"
        if key not in items.required and member.default is None:
            detail = f"{listed} must have a default or be a required property"
            faults.append(errors.required(f"{where}.default", detail))
        if member.nullable:
            faults.forbidden(f"{where}.nullable", f"{listed} cannot be nullable")


def _rule(faults: Faults, schema: JSONSchemaProps, rule: ValidationRule, path: str) -> None:
    """A CEL rule, but for its expressions."""
    expression, message = rule.rule.strip(), rule.message.strip()
    if not expression:
        faults.append(errors.required(f"{path}.rule", "rule is not specified"))
    elif rule.message and not message:
        faults.invalid(f"{path}.message", rule.message, "message must be non-empty if specified")
    elif _breaks(message):
        faults.invalid(f"{path}.message", rule.message, "message must not contain line breaks")
    elif _breaks(expression) and not message:
        faults.append(errors.required(f"{path}.message", "message must be specified if rule contains line breaks"))
    if rule.message_expression and not rule.message_expression.strip():
        detail = "messageExpression must be non-empty if specified"
        faults.append(errors.required(f"{path}.messageExpression", detail))
    if rule.reason and rule.reason not in _REASONS:
        faults.unsupported(f"{path}.reason", rule.reason, _REASONS)
    if rule.field_path and not rule.field_path.strip():
        faults.invalid(f"{path}.fieldPath", rule.field_path, "fieldPath must be non-empty if specified")
    if _breaks(rule.field_path):
        faults.invalid(f"{path}.fieldPath", rule.field_path, "fieldPath must not contain line breaks")
    # Only the simplest form of a path is looked up; others are left to whoever evaluates the rule.
    if re.fullmatch(r"(\.\w+)+", rule.field_path) and at(schema, rule.field_path).fault:
        faults.invalid(f"{path}.fieldPath", rule.field_path, "fieldPath must be a valid path")


def _breaks(text: str) -> bool:
    return "\n" in text or "\r" in text
