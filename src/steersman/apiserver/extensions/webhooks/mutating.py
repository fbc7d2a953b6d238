"""``MutatingAdmissionWebhook``: webhooks that may change what is written, one after the other."""

from __future__ import annotations

from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.errors import StatusError, go_value, internal_error
from steersman.api.scheme import Resource
from steersman.api.unstructured import Unstructured
from steersman.apiserver.admission.plugin import Cluster, Request
from steersman.apiserver.extensions.webhook_client import CallFailed
from steersman.apiserver.patch import json_patch

from .configurations import Hook
from .dispatch import Told, WebhookPlugin
from .review import denied


class MutatingWebhooks(WebhookPlugin):
    """Those with ``reinvocationPolicy: IfNeeded`` are asked again where others changed the object since."""

    name = "MutatingAdmissionWebhook"

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        hooks = await self._configurations.hooks()
        if not hooks:
            return
        seen: dict[str, bytes] = {}
        changed = False
        for hook in hooks:
            changed = await self._invoke(hook, request, cluster, seen) or changed
        if changed:
            for hook in hooks:
                before = seen.get(hook.uid)
                if before is not None and _again(hook) and before != _text(request.obj):
                    await self._invoke(hook, request, cluster, seen)

    async def _invoke(self, hook: Hook, request: Request, cluster: Cluster, seen: dict[str, bytes]) -> bool:
        """Ask one; whether it changed the object.  ``seen`` is what each left behind."""
        told = await self._told(hook, request, cluster)
        if told is None:
            return False
        try:
            answer = await self._ask(hook, request, told, mutating=True)
        except CallFailed as error:
            if (failure := self.failed(hook, error)) is not None:
                raise failure from None
            return False
        for warning in answer.warnings:
            if warning not in request.warnings:
                request.warnings.append(warning)
        if not answer.allowed:
            raise denied(hook.name, answer.status)
        changed = bool(answer.patch) and self._patch(hook, request, told, answer.patch)
        if request.obj is not None:
            seen[hook.uid] = _text(request.obj)
        return changed

    def _patch(self, hook: Hook, request: Request, told: Told, operations: list[Any]) -> bool:
        """Change the object as a webhook wants; whether that changed anything."""
        if request.obj is None:
            raise internal_error(
                f"admission webhook {go_value(hook.name)} attempted to modify the object, "
                "which is not supported for this operation"
            )
        before = _text(request.obj)
        try:
            present = told.convert(request.obj)
            tree = json_patch.apply(codecs.to_builtins(present), operations)
            # Below a resource may be objects of other kinds: bindings, evictions, options.
            kind: Any = told.resource if isinstance(present, told.resource.type) else type(present)
            obj: Any
            obj, _ = codecs.decode_body(kind, msgspec.json.encode(tree), "application/json", "Ignore")
        except StatusError as error:
            raise internal_error(str(error)) from None
        apply_defaults(obj)
        replace(request.obj, self._back(told.resource, request.resource, obj))
        return _text(request.obj) != before

    def _back(self, spoken: Resource[Any], own: Resource[Any], obj: Any) -> Any:
        if spoken is own:
            return obj
        convert = self._registry.converter(spoken, own)
        assert convert is not None
        return convert(obj)


def replace(obj: Any, new: Any) -> None:
    """Give an object the content of another one of its type: who holds it, or its metadata, sees the change."""
    if (metadata := getattr(obj, "metadata", None)) is not None:
        for name in metadata.__struct_fields__:
            setattr(metadata, name, getattr(new.metadata, name))
    if isinstance(obj, Unstructured):
        obj.content = new.content
        return
    for name in obj.__struct_fields__:
        if name != "metadata":
            setattr(obj, name, getattr(new, name))


def _again(hook: Hook) -> bool:
    return getattr(hook.declared, "reinvocation_policy", "") == "IfNeeded"


def _text(obj: Any) -> bytes:
    return codecs.encode(obj) if obj is not None else b""
