"""The policies that are there, with their bindings, compiled when one of them changes."""

from __future__ import annotations

import logging
from typing import NamedTuple

from steersman.api.types.admissionregistration_v1 import (
    MatchResources,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from steersman.apiserver.extensions.compiled_policies import CompiledPolicy
from steersman.apiserver.extensions.webhooks.matching import Selectors, selectors
from steersman.apiserver.registry.registry import Registry
from steersman.storage.watch_cache import Entry

log = logging.getLogger(__name__)


class Bound(NamedTuple):
    """A binding, with the selectors of its own."""

    declared: ValidatingAdmissionPolicyBinding
    selectors: Selectors


class Policy(NamedTuple):
    """A policy and its bindings, by name."""

    declared: ValidatingAdmissionPolicy
    compiled: CompiledPolicy
    selectors: Selectors
    bindings: tuple[Bound, ...]


class Policies:
    """All that are bound."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._made_from: list[tuple[str, int]] = []
        self._policies: tuple[Policy, ...] = ()
        self._compiled: dict[str, tuple[int, CompiledPolicy]] = {}

    async def all(self) -> tuple[Policy, ...]:
        """By name; empty, at once, where there is no binding."""
        bindings = self._registry.handler_of(ValidatingAdmissionPolicyBinding)
        if not bindings.cache.ready.is_set():
            await bindings.ready()
        if not len(bindings.cache):
            return ()
        policies = self._registry.handler_of(ValidatingAdmissionPolicy)
        if not policies.cache.ready.is_set():
            await policies.ready()
        found = [*policies.cache.list().entries, *bindings.cache.list().entries]
        made_from = [(entry.key, entry.revision) for entry in found]
        if made_from != self._made_from:
            self._policies = tuple(self._bound(policies.cache.list().entries, bindings.cache.list().entries))
            self._made_from = made_from
        return self._policies

    def _bound(
        self, policies: list[Entry[ValidatingAdmissionPolicy]], bindings: list[Entry[ValidatingAdmissionPolicyBinding]]
    ) -> list[Policy]:
        by_name: dict[str, list[Bound]] = {}
        for binding in bindings:
            declared = binding.object
            by_name.setdefault(declared.spec.policy_name, []).append(
                Bound(declared, _selectors(declared.spec.match_resources))
            )
        known, result = self._compiled, []
        self._compiled = {}
        for entry in policies:
            policy = entry.object
            if (bound := by_name.get(policy.metadata.name)) is None:
                continue
            before = known.get(entry.key)
            compiled = before[1] if before is not None and before[0] == entry.revision else CompiledPolicy(policy.spec)
            self._compiled[entry.key] = (entry.revision, compiled)
            result.append(Policy(policy, compiled, _selectors(policy.spec.match_constraints), tuple(bound)))
        return result


def _selectors(match: MatchResources | None) -> Selectors:
    if match is None:
        return Selectors(None, None)
    try:
        return selectors(match.namespace_selector, match.object_selector)
    except ValueError as error:  # validation refuses such
        log.error("a selector of a policy cannot be read, and selects everything: %s", error)
        return Selectors(None, None)
