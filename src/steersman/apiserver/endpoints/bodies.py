"""The bodies of requests into objects: small ones at once, large ones in a thread, one of those at a time."""

from __future__ import annotations

from typing import Any

from steersman.api import codecs
from steersman.api.scheme import Resource
from steersman.api.unstructured import is_unstructured
from steersman.apiserver.http.messages import Request
from steersman.apiserver.patch.apply import managers
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.heavy import LARGE, HeavyWork

_LARGE_YAML = 4 * 1024


class Bodies:
    """Reads bodies.  What takes long MUST NOT share the interpreter with more of its kind: the loop would starve."""

    def __init__(self) -> None:
        self._heavy = HeavyWork()

    async def read(self, request: Request, resource: Resource[Any], context: Context) -> Any:
        """The object of a request, its problems noted as warnings; raises StatusError."""
        media_type = request.headers.get("content-type", "")
        body, validation = request.body, context.field_validation
        if _is_large(body, media_type, context.weight) or not _is_prepared(resource.type):
            obj, problems = await self._heavy.do(lambda: _decode(resource, body, media_type, validation))
        else:
            obj, problems = _decode(resource, body, media_type, validation)
        request.warnings += problems
        return obj


def _is_prepared(type_: type[Any]) -> bool:
    """Whether a custom resource's schema has been compiled; built-in types have none."""
    model = type_.MODEL if is_unstructured(type_) else None
    return model is None or model.prepared


def _decode(resource: Resource[Any], body: bytes, media_type: str, validation: str) -> tuple[Any, list[str]]:
    obj: Any
    obj, problems = codecs.decode_body(resource, body, media_type, validation)
    if b"managedFields" in body:
        managers.note_reset(obj, body)
    return obj, problems


def _is_large(body: bytes, media_type: str, weight: int) -> bool:
    return len(body) > _LARGE_YAML if "yaml" in media_type else weight > LARGE
