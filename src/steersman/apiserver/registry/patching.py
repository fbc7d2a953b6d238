"""Bodies of patches, and objects with them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.errors import bad_request
from steersman.apiserver import patch as patches
from steersman.apiserver.patch.apply import Configuration
from steersman.apiserver.patch.apply.managers import names_none
from steersman.client.client import Patch

from .contract import Context

_LARGE = 4 * 1024


async def read_configuration(patch: Patch) -> Configuration:
    """The configuration that shall be applied; a large one is read in a thread."""
    if len(patch.body) > _LARGE:
        return await asyncio.to_thread(Configuration, patch.body)
    return Configuration(patch.body)


def patched_object(present: Any, patch: Patch, context: Context) -> Any:
    """An object with a patch."""
    return patched(codecs.to_builtins(present), patch, type(present), context)


def patched(tree: Any, patch: Patch, type_: type[Any], context: Context) -> Any:
    """An object of a type from its JSON data and a patch."""
    result = patches.perform(patch.type, tree, patch.body, type_)
    if not isinstance(result, dict):
        raise bad_request("the patch does not leave an object")
    if names_none(result):
        result = {**result, "metadata": {**result["metadata"], "managedFields": [{}]}}
    obj, problems = codecs.decode_body(
        type_, msgspec.json.encode(result), "application/json", context.field_validation or "Ignore"
    )
    context.note(problems)
    return obj
