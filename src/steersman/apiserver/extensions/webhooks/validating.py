"""``ValidatingAdmissionWebhook``: webhooks that allow or refuse, all asked at once."""

from __future__ import annotations

import asyncio
import time

from steersman.api.errors import StatusError
from steersman.apiserver.admission.plugin import Cluster, Request
from steersman.apiserver.extensions.versions import Told
from steersman.apiserver.extensions.webhook_client import CallFailed

from .configurations import Hook
from .dispatch import Denied, WebhookPlugin


class ValidatingWebhooks(WebhookPlugin):
    """The first in their order that refuses is heard."""

    name = "ValidatingAdmissionWebhook"
    step = "validating"
    audit = "validating.webhook.admission.k8s.io"

    async def validate(self, request: Request, cluster: Cluster) -> None:
        hooks = await self._configurations.hooks()
        if not hooks:
            return
        concerned = [(hook, told) for hook in hooks if (told := await self._told(hook, request, cluster)) is not None]
        if not concerned:
            return
        asked = [
            asyncio.ensure_future(self._verdict(hook, request, told, number))
            for number, (hook, told) in enumerate(concerned)
        ]
        try:
            for refusal in await asyncio.gather(*asked):
                if refusal is not None:
                    raise refusal
        finally:
            for task in asked:
                task.cancel()

    async def _verdict(self, hook: Hook, request: Request, told: Told, number: int) -> StatusError | None:
        started = time.perf_counter()
        try:
            await self._ask(hook, request, told, mutating=False)
        except (CallFailed, Denied, StatusError) as error:
            if (refusal := self._failed(hook, request, error, started)) is None:
                self._note_failed_open(hook, request, number)
            return refusal
        self._answered(hook, request, started)
        return None
