"""Tells in the status of ValidatingAdmissionPolicies what they get wrong about the kinds that they match (KEP-3488).

Each policy is looked at once for every generation, and its status written, as by upstream's controller of the same
name.  Whose kinds are defined later is not looked at again.  What is written is the same whoever writes it: several
servers may do so, and one that dies leaves the work to the next one that starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from steersman.api import codecs
from steersman.api.errors import StatusError, is_not_found
from steersman.api.scheme import Resource, Scheme
from steersman.api.types.admissionregistration_v1 import (
    ExpressionWarning,
    NamedRuleWithOperations,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicySpec,
)
from steersman.apiserver.extensions.compiled_policies.type_checking import Kind, warnings
from steersman.apiserver.registry.contract import OWN
from steersman.apiserver.registry.registry import Registry
from steersman.client.client import Patch
from steersman.storage.store import StoreError

log = logging.getLogger(__name__)

NAME = "validatingadmissionpolicy-status-controller"
MOST_KINDS = 10
"""The rule that names as many is the last one."""

_RETRY = 1.0
"""Seconds until a status that could not be written is tried again."""


class PolicyStatus:
    """See the module."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._looking = False
        self._changed = asyncio.Event()

    def unfinished(self) -> Iterator[str]:
        """Whether policies are being looked at, or are to be."""
        if self._looking or self._changed.is_set():
            yield "policies: their status"

    async def run(self) -> None:
        """Follow the policies until cancelled."""
        handler = self._registry.handler_of(ValidatingAdmissionPolicy)
        while True:
            await handler.ready()
            self._changed = changed = asyncio.Event()
            # Of a cache that has ended nothing is waited for below, and whoever ends this task must get a turn.
            await asyncio.sleep(0)

            def note(_: Any, changed: asyncio.Event = changed) -> None:
                changed.set()

            listing = handler.cache.list()
            subscription = handler.cache.subscribe(handler.resource.key(), listing.revision, note, on_end=note)
            self._looking = True
            try:
                try:
                    written = [await self._attempt(entry.object) for entry in listing.entries]
                finally:
                    self._looking = False
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if all(written) else _RETRY):
                        await changed.wait()
            finally:
                subscription.cancel()

    async def _reconcile(self, policy: ValidatingAdmissionPolicy) -> bool:
        """Write the status of a policy that has changed; whether there is nothing left to do."""
        meta = policy.metadata
        if (meta.generation or 0) <= (policy.status.observed_generation or 0):
            return True
        # To load CEL's checker and to compile takes longer than the loop may wait.
        found = await asyncio.to_thread(_checked, policy.spec, self._registry.scheme)
        status = {
            "observedGeneration": meta.generation,
            "typeChecking": {"expressionWarnings": codecs.to_builtins(found)} if found else {},
        }
        tree = {"apiVersion": policy.api_version, "kind": policy.kind, "metadata": {"name": meta.name}}
        patch = Patch(
            "application/apply-patch+yaml", codecs.encode({**tree, "status": status}), field_manager=NAME, force=True
        )
        handler = self._registry.handler_of(ValidatingAdmissionPolicy)
        try:
            await handler.patch(OWN, "", meta.name, patch, subresource="status")
        except (StatusError, StoreError) as error:
            if isinstance(error, StatusError) and is_not_found(error):
                return True
            log.warning("the status of the policy %s could not be written: %s", meta.name, error)
            return False
        return True

    async def _attempt(self, policy: ValidatingAdmissionPolicy) -> bool:
        """One policy that cannot be looked at MUST NOT end the server, which would find it again when it starts."""
        try:
            return await self._reconcile(policy)
        except Exception:
            log.exception("the policy %s could not be looked at", policy.metadata.name)
            return True


def _checked(spec: ValidatingAdmissionPolicySpec, scheme: Scheme) -> list[ExpressionWarning]:
    from steersman.cel.kind_types import type_of

    rules = spec.match_constraints.resource_rules if spec.match_constraints is not None else []
    kinds = [
        Kind(resource.group, resource.version, resource.kind, declared)
        for resource in kinds_of(rules, scheme)
        if (declared := type_of(resource)) is not None
    ]
    params = scheme.by_kind(spec.param_kind.api_version, spec.param_kind.kind) if spec.param_kind is not None else None
    return warnings(spec, kinds, type_of(params) if params is not None else None)


def kinds_of(rules: Iterable[NamedRuleWithOperations], scheme: Scheme) -> list[Resource[Any]]:
    """The resources that rules name, but for what ``*`` stands for, by group, version and kind."""
    found: dict[Resource[Any], None] = {}
    for rule in rules:
        count = 0
        for group, version, name in _named(rule):
            if (resource := scheme.by_name(group, version, name)) is not None:
                found[resource] = None
                count += 1
            if count == MOST_KINDS:
                return sorted(found, key=_order)
    return sorted(found, key=_order)


def _order(resource: Resource[Any]) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.kind


def _named(rule: NamedRuleWithOperations) -> Iterator[tuple[str, str, str]]:
    if any("*" in each for each in (*rule.api_groups, *rule.api_versions)):
        return
    for group in sorted(rule.api_groups):
        for version in sorted(rule.api_versions):
            for name in sorted(rule.resources):
                if "*" not in name and "/" not in name:
                    yield group, version, name
