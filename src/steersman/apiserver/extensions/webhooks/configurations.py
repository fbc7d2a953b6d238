"""The webhooks that are configured, in the order in which they are asked, compiled when a configuration changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from steersman.api.types.admissionregistration_v1 import (
    MutatingWebhook,
    MutatingWebhookConfiguration,
    ValidatingWebhook,
    ValidatingWebhookConfiguration,
)
from steersman.apiserver.admission.observer import Step
from steersman.apiserver.extensions.expressions import Conditions
from steersman.apiserver.extensions.matching import Selectors, selectors
from steersman.apiserver.extensions.webhook_client import Address, address_of
from steersman.apiserver.registry.registry import Registry
from steersman.storage.watch_cache import Entry

log = logging.getLogger(__name__)

Configuration = type[MutatingWebhookConfiguration] | type[ValidatingWebhookConfiguration]


class Hook(NamedTuple):
    """One webhook of one configuration."""

    uid: str
    configuration: str
    declared: MutatingWebhook | ValidatingWebhook
    address: Address
    selectors: Selectors
    conditions: Conditions

    @property
    def name(self) -> str:
        return self.declared.name

    @property
    def timeout(self) -> float:
        """Seconds."""
        return float(self.declared.timeout_seconds or 10)

    @property
    def ignores_failures(self) -> bool:
        return self.declared.failure_policy == "Ignore"


class Configurations:
    """Those of one kind."""

    def __init__(self, registry: Registry, kind: Configuration) -> None:
        self._registry = registry
        self._kind = kind
        self._step: Step = "admit" if kind is MutatingWebhookConfiguration else "validate"
        self._made_from: list[tuple[str, int]] = []
        self._hooks: tuple[Hook, ...] = ()
        self._making = asyncio.Lock()

    async def hooks(self) -> tuple[Hook, ...]:
        """All of them, by the names of their configurations."""
        handler = self._registry.handler_of(self._kind)
        if not handler.cache.ready.is_set():
            await handler.ready()
        if not len(handler.cache):
            return ()
        while True:
            entries = handler.cache.list().entries
            made_from = [(entry.key, entry.revision) for entry in entries]
            if made_from == self._made_from:
                return self._hooks
            async with self._making:
                if made_from != self._made_from:
                    # To load CEL's checker and to compile takes longer than the loop may wait.
                    conditional = any(hook.match_conditions for entry in entries for hook in entry.object.webhooks)
                    self._hooks = await asyncio.to_thread(self._all, entries) if conditional else self._all(entries)
                    self._made_from = made_from

    def _all(self, entries: Sequence[Entry[Any]]) -> tuple[Hook, ...]:
        return tuple(hook for entry in entries for hook in self._of(entry.object))

    def _of(self, configuration: Any) -> list[Hook]:
        found = []
        name, counts = configuration.metadata.name, dict[str, int]()
        for declared in configuration.webhooks:
            number = counts[declared.name] = counts.get(declared.name, -1) + 1
            try:
                hook = Hook(
                    f"{name}/{declared.name}/{number}",
                    name,
                    declared,
                    address_of(declared.client_config),
                    selectors(declared.namespace_selector, declared.object_selector),
                    Conditions(declared.match_conditions, declared.name, "webhook", self._step),
                )
            except ValueError as error:  # validation refuses such
                log.error("the webhook %s of %s cannot be asked: %s", declared.name, name, error)
                continue
            found.append(hook)
        return found
