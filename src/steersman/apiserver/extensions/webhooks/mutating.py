"""``MutatingAdmissionWebhook``: webhooks that may change what is written, one after the other."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.errors import StatusError, go_value, internal_error
from steersman.apiserver.admission.plugin import Cluster, Request
from steersman.apiserver.extensions.replacement import replace
from steersman.apiserver.extensions.versions import Told, converting
from steersman.apiserver.extensions.webhook_client import CallFailed
from steersman.apiserver.patch import json_patch
from steersman.apiserver.registry.heavy import is_large

from .configurations import Hook
from .dispatch import Denied, WebhookPlugin

_MANY = 100
"""Operations of a patch beyond which it is applied in a thread."""


class MutatingWebhooks(WebhookPlugin):
    """Those with ``reinvocationPolicy: IfNeeded`` are asked again where others changed the object since."""

    name = "MutatingAdmissionWebhook"
    step = "admit"
    audit = "mutation.webhook.admission.k8s.io"

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        hooks = await self._configurations.hooks()
        if not hooks:
            return
        invocations = request.reinvocation.of(self.name)
        if request.reinvocation.again:
            invocations.begin(request.obj)
        for number, hook in enumerate(hooks):
            told = await self._told(hook, request, cluster)
            if told is None or (request.reinvocation.again and not invocations.is_due(hook.uid)):
                continue
            if await self._invoke(hook, request, told, number):
                invocations.changed()
                request.reinvocation.wanted = True
            if getattr(hook.declared, "reinvocation_policy", "") == "IfNeeded":
                invocations.note(hook.uid)
        invocations.end(request.obj)

    async def _invoke(self, hook: Hook, request: Request, told: Told, number: int) -> bool:
        """Ask one; whether it changed the object.  ``number`` is its place among all."""
        started, changed = time.perf_counter(), False
        try:
            answer = await self._ask(hook, request, told, mutating=True)
            if answer.patch:
                before = codecs.encode(request.obj) if request.obj is not None else b""
                aside = len(answer.patch) > _MANY or is_large(before)
                change = partial(self._patch, hook, request, told, answer.patch, before)
                changed = await converting(change, self._registry.heavy.do if aside else None)
                self._note(hook, request, number, "patch.webhook.admission.k8s.io", patch=answer.patch)
        except (CallFailed, Denied, StatusError) as error:
            self._note(hook, request, number, self.audit, mutated=False)
            if (refusal := self._failed(hook, request, error, started)) is not None:
                raise refusal from None
            self._note_failed_open(hook, request, number)
            return False
        self._note(hook, request, number, self.audit, mutated=changed)
        self._answered(hook, request, started)
        return changed

    @staticmethod
    def _note(hook: Hook, request: Request, number: int, domain: str, **said: Any) -> None:
        value = {"configuration": hook.configuration, "webhook": hook.name, **said}
        patched = "patch" in said
        if patched:
            value["patchType"] = "JSONPatch"
        key = f"{domain}/round_{request.reinvocation.round}_index_{number}"
        # What the object holds may not be seen in a log that keeps no bodies.
        request.annotations.add(key, msgspec.json.encode(value).decode(), "Request" if patched else "Metadata")

    @staticmethod
    def _patch(hook: Hook, request: Request, told: Told, operations: list[Any], before: bytes) -> bool:
        """Change the object, whose JSON is ``before``, as a webhook wants; whether that changed anything."""
        if request.obj is None:
            raise internal_error(
                f"admission webhook {go_value(hook.name)} attempted to modify the object, "
                "which is not supported for this operation"
            )
        present = told.there(request.obj)
        try:
            tree = json_patch.apply(codecs.to_builtins(present), operations)
        except StatusError as error:
            raise internal_error(json_patch.cause(error)) from None
        # Below a resource may be objects of other kinds: bindings, evictions, options.
        kind: Any = told.resource.type if isinstance(present, told.resource.type) else type(present)
        try:
            obj: Any
            obj, _ = codecs.decode_body(kind, msgspec.json.encode(tree), "application/json", "Ignore")
        except StatusError as error:
            raise internal_error(str(error.__cause__ or error)) from None
        apply_defaults(obj)
        replace(request.obj, told.back(obj))
        return codecs.encode(request.obj) != before
