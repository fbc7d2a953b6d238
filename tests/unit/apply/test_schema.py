"""The schemas of the API types against the published ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from steersman.api.resources import builtin_scheme
from steersman.apiserver.endpoints.openapi.schemas import definition_name
from steersman.apiserver.patch.apply.builtin import schema_of
from steersman.apiserver.patch.apply.schema import Schema

SWAGGER = Path(__file__).parents[4] / "shared/kubernetes-v1.35/swagger.json.gz"

DEFAULTED = {("ports", "protocol"): "TCP", ("imagePullSecrets", "name"): "", ("secrets", "name"): ""}
"""Defaults of keys, which the published schema does not tell."""


def published() -> dict[str, Any]:
    definitions: dict[str, Any] = json.loads(gzip.decompress(SWAGGER.read_bytes()))["definitions"]
    return definitions


def differences(name: str, found: Schema, wanted: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """What of one property is not as it is published."""
    ref = wanted.get("$ref", "").rpartition("/")[2]
    target = definitions.get(ref, {})
    if wanted.get("type") == "array":
        kind = wanted.get("x-kubernetes-list-type", "atomic")
        keys = tuple(wanted.get("x-kubernetes-list-map-keys", ()))
        if found.kind != "list" or found.leaf != (kind == "atomic") or found.keys != keys:
            return [name]
        element = {key: "x" for key in keys if (name, key) not in DEFAULTED}
        if keys and DEFAULTED.keys() & {(name, key) for key in keys}:
            described = json.loads(found.element(element)[2:])
            assert all(described[key] == DEFAULTED.get((name, key), "x") for key in keys)
        return []
    map_type = wanted.get("x-kubernetes-map-type", target.get("x-kubernetes-map-type", "granular"))
    if wanted.get("type") == "object" or target.get("properties"):
        return [name] if found.kind not in ("map", "any") or found.leaf != (map_type == "atomic") else []
    return []


@pytest.mark.skipif(not SWAGGER.exists(), reason="the published schema is not here")
def test_lists_and_maps_are_owned_as_published() -> None:
    definitions, wrong, seen = published(), [], set()
    pending = [(definition_name(each.type), schema_of(each.type)) for each in builtin_scheme()]
    while pending:
        definition, schema = pending.pop()
        if definition in seen:
            continue
        seen.add(definition)
        for name, wanted in definitions[definition].get("properties", {}).items():
            found = schema.members[name]
            wrong += [f"{definition}.{each}" for each in differences(name, found, wanted, definitions)]
            inner, below = wanted, found
            while below.item is not None and ("items" in inner or "additionalProperties" in inner):
                inner, below = inner.get("items") or inner["additionalProperties"], below.item
            if (ref := inner.get("$ref", "").rpartition("/")[2]) and below.kind == "map":
                pending.append((ref, below))
    assert wrong == []
    assert len(seen) > 500
