"""What both sorts of admission webhooks have in common: whom a request concerns, and what a failure means."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from steersman.api.errors import StatusError, bad_request, forbidden, go_value, internal_error, not_found
from steersman.api.scheme import Resource
from steersman.api.types.core_v1 import Namespace
from steersman.apiserver.admission.plugin import Cluster, Plugin, Request, Verb
from steersman.apiserver.extensions.expressions import Asked
from steersman.apiserver.extensions.webhook_client import CallFailed, WebhookClient
from steersman.apiserver.registry.registry import Registry

from .configurations import Configurations, Hook
from .matching import chosen, is_exempt, place_of, selects_object
from .review import Review, Verdict, review, verdict

log = logging.getLogger(__name__)


class Told(NamedTuple):
    """In which version a webhook hears of a request; ``convert`` makes that version's objects of ours."""

    resource: Resource[Any]
    convert: Callable[[Any], Any]


class WebhookPlugin(Plugin):
    """``configurations`` are this sort's, ``convert`` translates objects between the versions of a resource."""

    verbs: frozenset[Verb] = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})
    configured = True

    def __init__(self, registry: Registry, configurations: Configurations, client: WebhookClient) -> None:
        self._registry = registry
        self._configurations = configurations
        self._client = client

    def concerns(self, verb: Verb, resource: Resource[Any], subresource: str) -> bool:
        return verb in self.verbs and not is_exempt(resource)

    async def _told(self, hook: Hook, request: Request, cluster: Cluster) -> Told | None:
        """Whether, and in which version, a webhook is told of a request; raises StatusError."""
        place = place_of(request.resource, request.subresource, request.namespace, request.name)
        declared = hook.declared
        found = chosen(
            declared.rules, declared.match_policy or "Equivalent", request.verb, place, self._equivalents(request)
        )
        if found is None or not selects_object(hook.selectors.objects, (request.obj, request.old)):
            return None
        if hook.selectors.namespaces is not None and not await self._selects_namespace(hook, request, cluster):
            return None
        if hook.conditions and not self._holds(hook, request):
            return None
        if isinstance(found, Resource):
            convert = self._registry.converter(request.resource, found)
            return Told(found, convert) if convert is not None else None
        return Told(request.resource, _same)

    def _holds(self, hook: Hook, request: Request) -> bool:
        """Whether all match conditions hold; one that does not counts more than one that fails."""
        asked, failure = Asked(request, self._registry.surroundings), ""
        for condition in hook.conditions:
            try:
                if not condition.holds(asked):
                    return False
            except ValueError as error:
                failure = failure or str(error)
        if failure and not hook.ignores_failures:
            raise forbidden(request.resource.name, request.name, failure, request.resource.group)
        if failure:
            log.warning("the conditions of webhook %s failed, it is not asked: %s", hook.name, failure)
        return not failure

    def _equivalents(self, request: Request) -> Iterable[Resource[Any]]:
        """The other versions in which a resource is served."""
        own = request.resource
        return (
            other
            for other in self._registry.scheme
            if other.storage_prefix == own.storage_prefix and other.kind == own.kind and other is not own
        )

    async def _selects_namespace(self, hook: Hook, request: Request, cluster: Cluster) -> bool:
        selector = hook.selectors.namespaces
        assert selector is not None
        if request.resource.name == "namespaces" and not request.resource.group:
            obj = request.obj if request.obj is not None else request.old
            return bool(selector.matches(obj.metadata.labels)) if obj is not None else True
        if not request.resource.namespaced:
            return True
        namespace = await cluster.get(Namespace, request.namespace)
        if namespace is None:
            raise not_found("namespaces", request.namespace)
        return bool(selector.matches(namespace.metadata.labels))

    async def _ask(self, hook: Hook, request: Request, told: Told, *, mutating: bool) -> Verdict:
        """Put the question; raises CallFailed, and StatusError where it may not be put."""
        if request.dry_run and hook.declared.side_effects not in ("None", "NoneOnDryRun"):
            raise bad_request(f"admission webhook {go_value(hook.name)} does not support dry run")
        obj = told.convert(request.obj) if request.obj is not None else None
        old = told.convert(request.old) if request.old is not None else None
        asked: Review = review(request, hook.declared.admission_review_versions, told.resource, obj, old)
        try:
            body = await self._client.post(hook.address, asked.body, hook.timeout)
        except CallFailed as error:
            raise CallFailed(f"failed to call webhook: {error}") from error
        return verdict(asked, body, mutating=mutating)

    @staticmethod
    def failed(hook: Hook, error: CallFailed) -> StatusError | None:
        """What a webhook's failure means for the request: None where it goes on."""
        if hook.ignores_failures:
            log.warning("failed calling webhook, failing open %s: %s", hook.name, error)
            return None
        log.warning("failed calling webhook, failing closed %s: %s", hook.name, error)
        return internal_error(f"failed calling webhook {go_value(hook.name)}: {error}")


def _same(obj: Any) -> Any:
    return obj
