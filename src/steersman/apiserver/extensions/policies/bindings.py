"""The policies of one sort that are there, with their bindings, compiled when one of them changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from steersman.apiserver.extensions.matching import Selectors, selectors
from steersman.apiserver.registry.registry import Registry
from steersman.storage.watch_cache import Entry

C = TypeVar("C")

log = logging.getLogger(__name__)


class Bound(NamedTuple):
    """A binding, with the selectors of its own."""

    declared: Any
    selectors: Selectors


class Policy(NamedTuple, Generic[C]):
    """A policy and its bindings, by name."""

    declared: Any
    compiled: C
    selectors: Selectors
    bindings: tuple[Bound, ...]


class Policies(Generic[C]):
    """All that are bound.  ``compile_`` makes of a policy's spec and name what is asked about requests."""

    def __init__(
        self, registry: Registry, policy: type[Any], binding: type[Any], compile_: Callable[[Any, str], C]
    ) -> None:
        self._registry = registry
        self._policy, self._binding = policy, binding
        self._compile = compile_
        self._made_from: list[tuple[str, int]] = []
        self._policies: tuple[Policy[C], ...] = ()
        self._compiled: dict[str, tuple[int, C]] = {}
        self._making = asyncio.Lock()

    async def all(self) -> tuple[Policy[C], ...]:
        """By name; empty, at once, where there is no binding."""
        bindings = self._registry.handler_of(self._binding)
        if not bindings.cache.ready.is_set():
            await bindings.ready()
        if not len(bindings.cache):
            return ()
        policies = self._registry.handler_of(self._policy)
        if not policies.cache.ready.is_set():
            await policies.ready()
        while True:
            declared, bound = policies.cache.list().entries, bindings.cache.list().entries
            made_from = [(entry.key, entry.revision) for entry in (*declared, *bound)]
            if made_from == self._made_from:
                return self._policies
            async with self._making:
                if made_from != self._made_from:
                    # To load CEL's checker and to compile takes longer than the loop may wait.
                    made = await asyncio.to_thread(self._bound, declared, bound)
                    self._policies, self._made_from = tuple(made), made_from

    def _bound(self, policies: Sequence[Entry[Any]], bindings: Sequence[Entry[Any]]) -> list[Policy[C]]:
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
            name = policy.metadata.name
            if (bound := by_name.get(name)) is None:
                continue
            before = known.get(entry.key)
            same = before is not None and before[0] == entry.revision
            compiled = before[1] if same and before is not None else self._compile(policy.spec, name)
            self._compiled[entry.key] = (entry.revision, compiled)
            result.append(Policy(policy, compiled, _selectors(policy.spec.match_constraints), tuple(bound)))
        return result


def _selectors(match: Any) -> Selectors:
    if match is None:
        return Selectors(None, None)
    try:
        return selectors(match.namespace_selector, match.object_selector)
    except ValueError as error:  # validation refuses such
        log.error("a selector of a policy cannot be read, and selects everything: %s", error)
        return Selectors(None, None)
