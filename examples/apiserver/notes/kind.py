"""What a note is: its names, its schema, its columns, its rules.  Nothing here waits or keeps anything."""

import hashlib
from typing import Any

import msgspec

from steersman.api.errors import FieldError, StatusError, invalid, invalid_value, required, too_long
from steersman.api.types.meta_v1 import Status

GROUP, VERSION = "notes.example.com", "v1"
GROUP_VERSION = f"{GROUP}/{VERSION}"
PATH = f"/apis/{GROUP_VERSION}"
KIND, LIST, RESOURCE = "Note", "NoteList", "notes"
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
LONGEST = 10_000

Tree = dict[str, Any]

COLUMNS = [
    {"name": "Name", "type": "string", "format": "name", "description": "Of the note", "priority": 0},
    {"name": "Done", "type": "boolean", "format": "", "description": "Whether it has been dealt with", "priority": 0},
    {"name": "Text", "type": "string", "format": "", "description": "Its first line", "priority": 0},
    {"name": "Created", "type": "date", "format": "", "description": "When it was made", "priority": 1},
]


def cells(note: Tree) -> list[Any]:
    """A note as a row of :data:`COLUMNS`."""
    spec, metadata = note["spec"], note["metadata"]
    return [metadata["name"], spec["done"], spec["text"].partition("\n")[0][:60], metadata["creationTimestamp"]]


def completed(body: Tree) -> Tree:
    """A client's note with its defaults, and without members that notes do not have; raises 400 for what is none."""
    if (body.get("apiVersion", GROUP_VERSION), body.get("kind", KIND)) != (GROUP_VERSION, KIND):
        raise _unreadable(f"the object is no {KIND} of {GROUP_VERSION}")
    metadata, spec = body.get("metadata") or {}, body.get("spec") or {}
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise _unreadable("metadata and spec have to be objects")
    return {
        "apiVersion": GROUP_VERSION,
        "kind": KIND,
        "metadata": metadata,
        "spec": {"text": spec.get("text", ""), "done": spec.get("done", False)},
    }


def check(note: Tree) -> None:
    """Raises 422 with everything that is wrong with a note."""
    errors: list[FieldError] = []
    text, done = note["spec"]["text"], note["spec"]["done"]
    if not isinstance(text, str):
        errors.append(invalid_value("spec.text", text, "must be a string"))
    elif not text:
        errors.append(required("spec.text"))
    elif len(text) > LONGEST:
        errors.append(too_long("spec.text", LONGEST))
    if not isinstance(done, bool):
        errors.append(invalid_value("spec.done", done, "must be true or false"))
    if errors:
        raise invalid(KIND, note["metadata"].get("name", ""), errors, GROUP)


def _unreadable(message: str) -> StatusError:
    return StatusError(Status(status="Failure", code=400, reason="BadRequest", message=message))


# -- discovery ---------------------------------------------------------------------------------------------------------

_VERSION = {"groupVersion": GROUP_VERSION, "version": VERSION}
_GROUP = {"name": GROUP, "versions": [_VERSION], "preferredVersion": _VERSION}
DISCOVERY: dict[str, Tree] = {
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_GROUP]},
    f"/apis/{GROUP}": {"kind": "APIGroup", "apiVersion": "v1", **_GROUP},
    PATH: {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": GROUP_VERSION,
        "resources": [
            {
                "name": RESOURCE,
                "singularName": "note",
                "namespaced": True,
                "kind": KIND,
                "verbs": VERBS,
                "shortNames": ["nt"],
                "categories": ["all"],
            }
        ],
    },
}

# -- OpenAPI: what `kubectl explain` shows, and what kubectl checks manifests by ---------------------------------------

_NAME = "com.example.notes.v1.Note"
_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_MAP = {"type": "object", "additionalProperties": _TEXT}
_METADATA = {
    "type": "object",
    "description": "Standard metadata of objects.",
    "properties": {
        **dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion"), _TEXT),
        **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), _TIME),
        **dict.fromkeys(("labels", "annotations"), _MAP),
        "generation": {"type": "integer", "format": "int64"},
        "finalizers": {"type": "array", "items": _TEXT},
        "ownerReferences": {"type": "array", "items": {"type": "object"}},
        "managedFields": {"type": "array", "items": {"type": "object"}},
    },
}
_SCHEMA = {
    "type": "object",
    "description": "Something that somebody wants to remember.",
    "required": ["spec"],
    "properties": {
        "apiVersion": _TEXT,
        "kind": _TEXT,
        "metadata": _METADATA,
        "spec": {
            "type": "object",
            "description": "What is to be remembered.",
            "required": ["text"],
            "properties": {
                "text": {"type": "string", "description": "The note; its first line is its title."},
                "done": {"type": "boolean", "description": "Whether it has been dealt with."},
            },
        },
    },
    "x-kubernetes-group-version-kind": [{"group": GROUP, "kind": KIND, "version": VERSION}],
}
_INFO = {"title": "Notes", "version": VERSION}
_ITEM = f"{PATH}/namespaces/{{namespace}}/{RESOURCE}/{{name}}"


def _get(answer: Tree) -> Tree:
    """The paths: one operation is enough for kubectl to find the kind by."""
    gvk = {"group": GROUP, "kind": KIND, "version": VERSION}
    operation = {"operationId": "readNote", "x-kubernetes-action": "get", "x-kubernetes-group-version-kind": gvk}
    parameters: list[Tree] = [{"in": "path", "name": name, "required": True} for name in ("namespace", "name")]
    if "content" in answer:
        parameters = [{**each, "schema": _TEXT} for each in parameters]
    else:
        parameters = [{**each, **_TEXT} for each in parameters]
    return {_ITEM: {"get": {**operation, "responses": {"200": answer}}, "parameters": parameters}}


V2 = {
    "swagger": "2.0",
    "info": _INFO,
    "paths": _get({"description": "OK", "schema": {"$ref": f"#/definitions/{_NAME}"}}),
    "definitions": {_NAME: _SCHEMA},
}
V3 = {
    "openapi": "3.0.0",
    "info": _INFO,
    "paths": _get(
        {
            "description": "OK",
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{_NAME}"}}},
        }
    ),
    "components": {"schemas": {_NAME: _SCHEMA}},
}
V3_PATH = f"/openapi/v3{PATH}"
V3_HASH = hashlib.sha256(msgspec.json.encode(V3)).hexdigest().upper()
DISCOVERY["/openapi/v2"] = V2
DISCOVERY["/openapi/v3"] = {"paths": {PATH.removeprefix("/"): {"serverRelativeURL": f"{V3_PATH}?hash={V3_HASH}"}}}
DISCOVERY[V3_PATH] = V3
