"""Kinds of which a few lines say all that is particular."""

from __future__ import annotations

from typing import Any

from steersman.api.disabled import drop_from_lease
from steersman.api.types.coordination_v1 import Lease
from steersman.apiserver.registry import escalation
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Strategy


class CountingStrategy(Strategy):
    """Counts the changes of everything but metadata and status."""

    generation = True


class UpsertStrategy(Strategy):
    """PUT creates what does not exist."""

    create_on_update = True


class CandidateStrategy(UpsertStrategy):
    """Updates must say which version they replace."""

    unconditional_update = False


class LeaseStrategy(CandidateStrategy):
    """Updates must say which version they replace: two holders are to notice each other."""

    def prepare_create(self, context: Context, new: Lease) -> None:
        super().prepare_create(context, new)
        drop_from_lease(new.spec)

    def prepare_update(self, context: Context, new: Lease, old: Lease) -> None:
        drop_from_lease(new.spec, old.spec)
        super().prepare_update(context, new, old)


class ConditionalStrategy(Strategy):
    """Updates must say which version they replace."""

    unconditional_update = False


class ConditionalCountingStrategy(CountingStrategy):
    """Updates must say which version they replace; changes are counted."""

    unconditional_update = False


class FirstGenerationStrategy(Strategy):
    """Is of generation 1 for good."""

    generation = True

    def count_change(self, new: Any, old: Any) -> None:
        pass


class LateGenerationStrategy(ConditionalStrategy):
    """Has no generation until its spec changes; updates must say which version they replace."""

    def count_change(self, new: Any, old: Any) -> None:
        if new.spec != old.spec:
            new.metadata.generation = (old.metadata.generation or 0) + 1


class SeparateStatusStrategy(ConditionalStrategy):
    """Writes of ``/status`` leave metadata alone; updates must say which version they replace."""

    status_metadata = False


class CountingSeparateStatusStrategy(CountingStrategy):
    """Writes of ``/status`` leave metadata alone; changes are counted."""

    status_metadata = False


class RoleStrategy(UpsertStrategy):
    """Roles and bindings: nobody grants what they do not have."""

    async def authorize(self, context: Context, new: Any, old: Any | None) -> None:
        if (authorizer := self.cluster.surroundings.authorizer) is not None:
            await escalation.check(authorizer, self.cluster, context.user, new, old)
