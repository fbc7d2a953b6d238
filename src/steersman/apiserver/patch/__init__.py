"""Patches: pure functions from a tree and a patch to a new tree.

Three formats, a module each, over the builtin types that JSON decodes to: :mod:`.json_patch` (RFC 6902),
:mod:`.merge_patch` (RFC 7386) and :mod:`.strategic` (Kubernetes's own, driven by the merge keys of the API types).
None changes its input; the result may share parts with it.  :func:`perform` chooses by media type and decodes
the body.  Faults of a patch are :class:`steersman.api.errors.StatusError` with upstream's codes: 400 where the
patch cannot be read, 422 where it does not apply, 413 where it is too long.

Server-side apply needs to know who manages what, and has a package of its own: :mod:`.apply`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from steersman.api.errors import bad_request, unsupported_media_type
from steersman.api.json_text import FieldProblem, load_json, plain
from steersman.api.lenient import json_kind
from steersman.api.types.scalars import APIStruct

from . import json_patch, merge_patch, strategic
from .strategic import go_text

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

ACCEPTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH)

__all__ = [
    "ACCEPTED",
    "APPLY_PATCH",
    "JSON_PATCH",
    "MERGE_PATCH",
    "STRATEGIC_MERGE_PATCH",
    "check_media_type",
    "go_text",
    "parsed",
    "perform",
]


def check_media_type(media_type: str, *, schema: bool = True) -> None:
    """Raise 415 for a format that is not applied here; strategic merge needs a schema."""
    accepted = ACCEPTED if schema else tuple(each for each in ACCEPTED if each != STRATEGIC_MERGE_PATCH)
    if media_type not in accepted:
        raise unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
        )


def perform(media_type: str, target: dict[str, Any], body: bytes, type_: type[APIStruct] | None) -> Any:
    """The target with the patch applied; ``type_`` gives the merge keys, None (no schema) refuses strategic merge."""
    check_media_type(media_type, schema=type_ is not None)
    patch = parsed(media_type, body)
    if media_type == JSON_PATCH:
        return json_patch.apply(target, patch)
    if media_type == MERGE_PATCH:
        return merge_patch.apply(target, patch)
    assert type_ is not None
    return strategic.apply(target, patch, type_)


def parsed(media_type: str, body: bytes) -> Any:
    """The data of a patch; raises 400 in the words of Go's decoder."""
    wanted, go_type = (list, "[]interface {}") if media_type == JSON_PATCH else (dict, "map[string]interface {}")
    prefix = "" if media_type == STRATEGIC_MERGE_PATCH else "error decoding patch: "
    try:
        patch = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            patch = plain(load_json(body))
        except FieldProblem as error:
            raise bad_request(f"{prefix}{error}") from error
    if not isinstance(patch, wanted):
        raise bad_request(f"{prefix}json: cannot unmarshal {json_kind(patch)} into Go value of type {go_type}")
    return patch
