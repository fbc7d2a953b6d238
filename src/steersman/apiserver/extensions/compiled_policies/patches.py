"""What a mutation says, applied to JSON data: as an apply configuration, or as a JSON patch (KEP-3962)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steersman.api.errors import StatusError
from steersman.apiserver.patch import json_patch
from steersman.apiserver.patch.apply.merge import merge
from steersman.apiserver.patch.apply.schema import Schema
from steersman.apiserver.patch.apply.values import faults


class Unpatchable(ValueError):
    """The object cannot be changed as a mutation says; the message is upstream's."""


def configured(live: dict[str, Any], value: Any, schema: Schema) -> dict[str, Any]:
    """The object with what an apply configuration says: merged by its schema, as in server-side apply, but unowned.

    Lists and maps that are atomic may not be spoken of, because what is not said of them would be lost.
    """
    from steersman.cel.construction import Built, mismatches, plain
    from steersman.cel.errors import CELError

    if not isinstance(value, Built):
        raise Unpatchable(f"unsupported return type from ApplyConfiguration expression: {_type_name(value)}")
    if found := list(mismatches(value)):
        raise Unpatchable("type mismatch: " + "\n".join(found))
    try:
        patch = {**plain(value), "apiVersion": live.get("apiVersion", ""), "kind": live.get("kind", "")}
    except CELError as error:
        raise Unpatchable(f"invalid return type: {error}") from None
    if found := faults(patch, schema):
        raise Unpatchable(f"error applying patch: failed to convert patch object to typed object: {_joined(found)}")
    if atomic := list(_atomic(patch, schema, "")):
        told = f"may not mutate atomic arrays, maps or structs: {', '.join(atomic)}"
        raise Unpatchable(f"error applying patch: invalid ApplyConfiguration: {told}")
    if found := faults(live, schema):
        raise Unpatchable(f"error applying patch: failed to convert original object to typed object: {_joined(found)}")
    merged: dict[str, Any] = merge(live, patch, schema)
    return merged


def _joined(found: list[str]) -> str:
    return found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {fault}" for fault in found)


def _atomic(value: Any, schema: Schema, path: str) -> Iterator[str]:
    schema = schema.for_value(value)
    if schema.kind == "map" and isinstance(value, dict):
        if schema.leaf:
            yield path
        for name, each in value.items():
            if (member := schema.members.get(name)) is not None:
                yield from _atomic(each, member, f"{path}.{name}")
    elif schema.kind == "list" and isinstance(value, list):
        if schema.leaf:
            yield path
        assert schema.item is not None
        for index, each in enumerate(value):
            yield from _atomic(each, schema.item, f"{path}[{index}]")


def patched(live: dict[str, Any], value: Any) -> dict[str, Any]:
    """The object with the operations of a JSON patch; as it is where one of its tests fails."""
    if not isinstance(value, list):
        raise Unpatchable("type mismatch: JSONPatchType.expression should evaluate to array")
    operations = [_operation(each) for each in value]
    try:
        changed: dict[str, Any] = json_patch.apply(live, operations)
    except json_patch.TestFailed:
        return live
    except StatusError as error:
        raise Unpatchable(f"JSONPath: {json_patch.cause(error)}") from None
    return changed


def _operation(value: Any) -> dict[str, Any]:
    from steersman.cel.construction import PATCH, Built, mismatches, plain
    from steersman.cel.errors import CELError

    if not isinstance(value, Built) or value.type_name != PATCH:
        raise Unpatchable(
            "type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch, "
            f"got element of {_type_name(value)}"
        )
    operation = {"op": value.get("op", ""), "path": value.get("path", "")}
    if value.get("from"):
        operation["from"] = value["from"]
    if "value" in value:
        given = value["value"]
        if isinstance(given, Built) and (found := list(mismatches(given, given.type_name))):
            raise Unpatchable("type mismatch: " + "\n".join(found))
        try:
            operation["value"] = plain(given)
        except CELError as error:
            raise Unpatchable(
                f"JSONPath valueExpression evaluated to a type that could not marshal to JSON: {error}"
            ) from None
    return operation


def _type_name(value: Any) -> str:
    from steersman.cel.values import type_name

    return type_name(value)
