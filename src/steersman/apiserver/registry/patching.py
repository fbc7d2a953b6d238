"""Bodies of patches, and objects with them."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.errors import StatusError, invalid, invalid_value
from steersman.api.json_text import FieldProblem, load_members
from steersman.api.lenient import json_kind
from steersman.api.normalize import normalize
from steersman.api.quantity import QuantityError
from steersman.api.strict import repeated_members
from steersman.api.unstructured import is_unstructured
from steersman.apiserver import patch as patches
from steersman.apiserver.patch.apply import Configuration
from steersman.apiserver.patch.apply.managers import names_none
from steersman.client.client import Patch

from .contract import Context

_LARGE = 4 * 1024
_MISMATCH = re.compile(r"json: cannot unmarshal (\w+)(?: \S+)? into Go .* of type (.+)")
_KINDS = {"object": "map", "array": "slice", "string": "string", "number": "int64", "bool": "bool", "null": "interface"}


async def read_configuration(patch: Patch) -> Configuration:
    """The configuration that shall be applied; a large one is read in a thread."""
    if len(patch.body) > _LARGE:
        return await asyncio.to_thread(Configuration, patch.body)
    return Configuration(patch.body)


def patched_object(present: Any, patch: Patch, context: Context) -> Any:
    """An object with a patch."""
    return patched(codecs.to_builtins(present), patch, type(present), context)


def patched(tree: dict[str, Any], patch: Patch, type_: type[Any], context: Context) -> Any:
    """An object of a type from its JSON data and a patch.

    Raises 422 for a result that is no such object, and for one with unknown or repeated fields where that is strict.
    """
    result = patches.perform(patch.type, tree, patch.body, None if is_unstructured(type_) else type_)
    if names_none(result):
        result = {**result, "metadata": {**result["metadata"], "managedFields": [{}]}}
    text = msgspec.json.encode(result)
    try:
        obj = _read(type_, result, text)
    except (FieldProblem, QuantityError) as error:
        raise _refused(patch, text, str(error)) from None
    validation = context.field_validation or "Warn"
    if validation == "Ignore" and not is_unstructured(type_):
        return obj  # a type has dropped what it does not know
    unknown = codecs.prune(obj, result)
    if validation != "Ignore" and (problems := [*_repeated(patch), *unknown]):
        if validation == "Strict":
            raise _refused(patch, text, "strict decoding error: " + ", ".join(problems))
        context.note(problems)
    return obj


def _read(type_: type[Any], tree: Any, text: bytes) -> Any:
    expected = type_()
    if not isinstance(tree, dict):
        raise FieldProblem(f"couldn't get version/kind; json parse error: json: cannot unmarshal {json_kind(tree)}")
    kind, version = tree.get("kind", expected.kind), tree.get("apiVersion", expected.api_version)
    if (kind, version) != (expected.kind, expected.api_version):
        raise FieldProblem(
            f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
        )
    try:
        obj = codecs.decode(type_, text)
    except StatusError as error:
        raise FieldProblem(error.status.message) from None
    normalize(obj)
    return obj


def _refused(patch: Patch, result: bytes, fault: str) -> StatusError:
    """422 about the patch as a whole, with what upstream shows of it."""
    shown = result.decode()
    if patch.type == patches.STRATEGIC_MERGE_PATCH:
        shown = patches.go_text(patches.parsed(patch.type, patch.body))
        if mismatch := _MISMATCH.fullmatch(fault):
            fault = _unconverted(_KINDS[mismatch[1]], mismatch[2])
    return invalid("", "", [invalid_value("patch", shown, fault)])


def _unconverted(found: str, wanted: str) -> str:
    """What upstream's converter says, which reads the result of a strategic merge instead of the decoder."""
    if wanted.startswith("[]"):
        return f"cannot restore slice from {found}"
    if wanted.startswith("map["):
        return f"cannot restore map from {found}"
    return f"cannot restore struct from: {found}" if "." in wanted else f"unrecognized type: {wanted}"


def _repeated(patch: Patch) -> list[str]:
    """The members that a patch has twice; compact JSON without any is as long as what it means."""
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if len(msgspec.json.encode(msgspec.json.decode(patch.body))) == len(patch.body.rstrip()):
            return []
    prefix = "json patch " if patch.type == patches.JSON_PATCH else ""
    return [f'{prefix}duplicate field "{path}"' for path in repeated_members(load_members(patch.body))]
