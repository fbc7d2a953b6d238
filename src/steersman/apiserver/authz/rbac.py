"""RBAC authorization, fed by watches on the registry's own handlers (``rbac.authorization.k8s.io/v1``)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

from steersman.api.errors import StatusError
from steersman.api.scheme import Resource, Scheme
from steersman.api.types.authorization_v1 import NonResourceRule, ResourceRule, SubjectRulesReviewStatus
from steersman.api.types.meta_v1 import Status
from steersman.api.types.rbac_v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from steersman.api.user import User
from steersman.apiserver.registry.contract import ListOptions, ResourceHandler, Subscription
from steersman.apiserver.seams import Attributes, Decision
from steersman.storage.watch_cache import CacheEvent

from .policy import Policy

log = logging.getLogger(__name__)

PRIVILEGED_GROUP = "system:masters"

RETRY_SECONDS = 0.5


class RBACAuthorizer:
    """Decides by roles and bindings, kept current by ``run``; until they are known, all but the privileged wait."""

    def __init__(self, scheme: Scheme, handler: Callable[[Resource[Any]], ResourceHandler]) -> None:
        self.policy = Policy()
        self._scheme = scheme
        self._handler = handler
        self.ready = asyncio.Event()
        self._feeds: list[_Feed] = []

    def unfinished(self) -> Iterator[str]:
        """Which kinds are being listed again."""
        for feed in self._feeds:
            if feed.ended:
                yield f"rbac: {feed.handler.resource.name} to be listed again"

    async def authorize(self, attributes: Attributes) -> Decision:
        """Whether somebody may do something."""
        if PRIVILEGED_GROUP in attributes.user.groups:
            return Decision(allowed=True)
        if not self.ready.is_set():
            await self.ready.wait()
        return self.policy.decide(attributes)

    def decide(self, attributes: Attributes) -> Decision:
        """The same, by the roles that are known now."""
        if PRIVILEGED_GROUP in attributes.user.groups:
            return Decision(allowed=True)
        return self.policy.decide(attributes)

    def rules(self, user: User, namespace: str) -> SubjectRulesReviewStatus:
        """What a user may do in a namespace, for SelfSubjectRulesReview."""
        status = SubjectRulesReviewStatus(incomplete=False)
        if PRIVILEGED_GROUP in user.groups:
            status.resource_rules.append(ResourceRule(verbs=["*"], api_groups=["*"], resources=["*"]))
            status.non_resource_rules.append(NonResourceRule(verbs=["*"], non_resource_urls=["*"]))
        for rule in self.policy.rules(user, namespace):
            if rule.resources:
                status.resource_rules.append(
                    ResourceRule(
                        verbs=rule.verbs,
                        api_groups=rule.api_groups,
                        resources=rule.resources,
                        resource_names=rule.resource_names,
                    )
                )
            if rule.non_resource_urls:
                status.non_resource_rules.append(
                    NonResourceRule(verbs=rule.verbs, non_resource_urls=rule.non_resource_urls)
                )
        return status

    async def run(self) -> None:
        """Follow the four kinds until cancelled."""
        policy = self.policy
        self._feeds = feeds = [
            _Feed(self._handler(self._scheme.for_type(ClusterRole)), policy.set_role, policy.remove_role),
            _Feed(self._handler(self._scheme.for_type(Role)), policy.set_role, policy.remove_role),
            _Feed(self._handler(self._scheme.for_type(ClusterRoleBinding)), policy.set_binding, policy.remove_binding),
            _Feed(self._handler(self._scheme.for_type(RoleBinding)), policy.set_binding, policy.remove_binding),
        ]
        async with asyncio.TaskGroup() as group:
            for feed in feeds:
                group.create_task(feed.run(), name=f"rbac {feed.handler.resource.name}")
            for feed in feeds:
                await feed.begun.wait()
            self.ready.set()


class _Feed:
    """Keeps one kind current: a watch from the present state on, begun anew when it ends.

    An object deleted between two watches is found by comparing with what the first one knew.
    """

    def __init__(self, handler: ResourceHandler, put: Callable[[Any], None], remove: Callable[[Any], None]) -> None:
        self.handler = handler
        self.begun = asyncio.Event()
        self._put = put
        self._remove = remove
        self._known: dict[str, Any] = {}
        self._ended = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing is heard of changes now."""
        return self._ended.is_set()

    async def run(self) -> None:
        while True:
            self._ended.clear()
            try:
                subscription = await self._begin()
            except StatusError as error:
                # The store is away: what is known holds until it is back.
                log.warning("following %s failed, will be tried again: %s", self.handler.resource.name, error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.begun.set()
            try:
                await self._ended.wait()
            finally:
                subscription.cancel()

    async def _begin(self) -> Subscription:
        page = await self.handler.list("", ListOptions())
        for key in self._known.keys() - {entry.key for entry in page.entries}:
            self._remove(self._known.pop(key))
        for entry in page.entries:
            self._known[entry.key] = entry.object
            self._put(entry.object)
        return await self.handler.watch("", ListOptions(resource_version=page.resource_version), self)

    def event(self, event: CacheEvent) -> None:
        """A role or a binding changed."""
        obj = event.entry.object
        if event.type == "DELETED":
            self._known.pop(event.entry.key, None)
            self._remove(obj)
        else:
            self._known[event.entry.key] = obj
            self._put(obj)

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> None:
        """Nothing changed."""

    async def drain(self) -> None:
        """Let others have their turn."""
        await asyncio.sleep(0)

    def end(self, error: Status | None) -> None:
        """The watch is over: list again."""
        self._ended.set()
