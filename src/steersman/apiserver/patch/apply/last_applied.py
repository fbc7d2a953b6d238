"""Migration from client-side apply: what ``kubectl`` noted in the annotation it may take over without force."""

from __future__ import annotations

from typing import Any

import msgspec

from . import fields as sets
from .fields import Fields
from .schema import Schema
from .values import compare, field_set

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl"
"""Only this manager takes part."""

MAX_ANNOTATIONS = 256 * 1024


def _annotations(tree: dict[str, Any]) -> dict[str, Any]:
    metadata = tree.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def allowed(live: dict[str, Any], schema: Schema) -> Fields:
    """What was applied last on the client's side and is still so."""
    try:
        last = msgspec.json.decode(_annotations(live).get(ANNOTATION, ""))
    except (msgspec.DecodeError, TypeError, RecursionError):
        return sets.LEAF
    if not isinstance(last, dict) or last.get("apiVersion") != live.get("apiVersion"):
        return sets.LEAF
    result = field_set(last, schema)
    for part in compare(last, live, schema):
        result = sets.difference(result, part)
    return result


def synchronize(tree: dict[str, Any], config: dict[str, Any]) -> None:
    """Write the configuration into an object's annotation, where it has one, for clients that still apply."""
    annotations = _annotations(tree)
    if ANNOTATION not in annotations:
        return
    metadata = dict(config.get("metadata") or {})
    metadata.pop("managedFields", None)
    others = {name: value for name, value in _annotations(config).items() if name != ANNOTATION}
    if "annotations" in metadata:
        metadata["annotations"] = others
    text = msgspec.json.encode({**config, "metadata": metadata}, order="sorted").decode() + "\n"
    size = sum(len(str(name)) + len(str(value)) for name, value in annotations.items() if name != ANNOTATION)
    annotations = dict(annotations)
    annotations[ANNOTATION] = text
    if size + len(ANNOTATION) + len(text.encode()) > MAX_ANNOTATIONS:
        del annotations[ANNOTATION]
    tree["metadata"] = {**tree["metadata"], "annotations": annotations}
