"""``ValidatingAdmissionWebhook``: webhooks that allow or refuse, all asked at once."""

from __future__ import annotations

import asyncio

from steersman.api.errors import StatusError
from steersman.apiserver.admission.plugin import Cluster, Request
from steersman.apiserver.extensions.webhook_client import CallFailed

from .configurations import Hook
from .dispatch import Told, WebhookPlugin
from .review import denied


class ValidatingWebhooks(WebhookPlugin):
    """The first in their order that refuses is heard."""

    name = "ValidatingAdmissionWebhook"

    async def validate(self, request: Request, cluster: Cluster) -> None:
        hooks = await self._configurations.hooks()
        if not hooks:
            return
        concerned = [(hook, told) for hook in hooks if (told := await self._told(hook, request, cluster)) is not None]
        if not concerned:
            return
        asked = [asyncio.ensure_future(self._verdict(hook, request, told)) for hook, told in concerned]
        try:
            for refusal in await asyncio.gather(*asked):
                if refusal is not None:
                    raise refusal
        finally:
            for task in asked:
                task.cancel()

    async def _verdict(self, hook: Hook, request: Request, told: Told) -> StatusError | None:
        try:
            answer = await self._ask(hook, request, told, mutating=False)
        except CallFailed as error:
            return self.failed(hook, error)
        except StatusError as error:
            return error
        request.warnings.extend(each for each in answer.warnings if each not in request.warnings)
        return None if answer.allowed else denied(hook.name, answer.status)
