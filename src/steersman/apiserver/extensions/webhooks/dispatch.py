"""What both sorts of admission webhooks have in common: whom a request concerns, and what a failure means."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import Any

from steersman.api.errors import StatusError, bad_request, forbidden, go_value, internal_error, not_found
from steersman.api.scheme import Resource
from steersman.api.types.core_v1 import Namespace
from steersman.apiserver.admission.observer import Cause, HookStep, Observer
from steersman.apiserver.admission.plugin import Cluster, Plugin, Request, Verb
from steersman.apiserver.extensions.expressions import Asked, EvaluationFailed, evaluated
from steersman.apiserver.extensions.matching import (
    chosen,
    is_configuration,
    place_of,
    selects_namespace,
    selects_object,
)
from steersman.apiserver.extensions.versions import Told, Versions, states
from steersman.apiserver.extensions.webhook_client import CallFailed, WebhookClient
from steersman.apiserver.registry.heavy import LARGE
from steersman.apiserver.registry.registry import Registry

from .configurations import Configurations, Hook
from .review import Review, Verdict, denied, review, verdict

log = logging.getLogger(__name__)


class WebhookPlugin(Plugin):
    """``configurations`` are this sort's; ``step`` is its name in metrics, ``audit`` in the keys of annotations."""

    verbs: frozenset[Verb] = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})
    configured = True
    step: HookStep
    audit: str

    def __init__(
        self,
        registry: Registry,
        configurations: Configurations,
        client: WebhookClient,
        versions: Versions,
        observer: Observer,
    ) -> None:
        self._registry = registry
        self._configurations = configurations
        self._client = client
        self._versions = versions
        self._observer = observer

    def concerns(self, verb: Verb, resource: Resource[Any], subresource: str) -> bool:
        return verb in self.verbs and not is_configuration(resource)

    async def _told(self, hook: Hook, request: Request, cluster: Cluster) -> Told | None:
        """Whether, and in which version, a webhook is told of a request; raises StatusError."""
        place = place_of(request.resource, request.subresource, request.namespace, request.name)
        declared = hook.declared
        policy = declared.match_policy or "Equivalent"
        others = self._versions.others(request.resource) if policy == "Equivalent" else ()
        found = chosen(declared.rules, policy, request.verb, place, others)
        if found is None or not selects_object(hook.selectors.objects, (request.obj, request.old)):
            return None
        if hook.selectors.namespaces is not None:
            namespace = await self._namespace(request, cluster)
            if not selects_namespace(hook.selectors.namespaces, request, namespace):
                return None
        told = self._versions.told(request.resource, found if isinstance(found, Resource) else request.resource)
        if told is None or (hook.conditions and not await self._hold(hook, request, told)):
            return None
        return told

    async def _hold(self, hook: Hook, request: Request, told: Told) -> bool:
        obj, old = await states(told, request)
        asked = Asked(request, self._registry.surroundings, told_as=told.resource, obj=obj, old=old)
        try:
            return await evaluated(
                asked,
                self._registry.heavy.do,
                lambda quick: hook.conditions.hold(asked.variables, request.verb, self._observer, quick=quick),
            )
        except EvaluationFailed as error:
            if hook.ignores_failures:
                log.warning("the conditions of webhook %s failed, it is not asked: %s", hook.name, error)
                return False
            raise forbidden(request.resource.name, request.name, str(error), request.resource.group) from None

    @staticmethod
    async def _namespace(request: Request, cluster: Cluster) -> Namespace | None:
        if not request.resource.namespaced:
            return None
        namespace = await cluster.get(Namespace, request.namespace)
        if namespace is None:
            raise not_found("namespaces", request.namespace)
        return namespace

    # -- asking --------------------------------------------------------------------------------------------------

    async def _ask(self, hook: Hook, request: Request, told: Told, *, mutating: bool) -> Verdict:
        """Put the question, and note what is said for the audit log and the client.

        Raises CallFailed, and StatusError where it may not be put, or is refused.
        """
        if request.dry_run and hook.declared.side_effects not in ("None", "NoneOnDryRun"):
            raise bad_request(f"admission webhook {go_value(hook.name)} does not support dry run")
        obj, old = await states(told, request)
        asked: Review = review(request, hook.declared.admission_review_versions, told.resource, obj, old)
        try:
            body = await self._client.post(hook.address, asked.body, hook.timeout)
        except CallFailed as error:
            raise CallFailed(f"failed to call webhook: {error}", error.code) from error
        read = partial(verdict, asked, body, mutating=mutating)
        answer = await self._registry.heavy.do(read) if len(body) > LARGE else read()
        for key, value in answer.annotations.items():
            request.annotations.add(f"{hook.name}/{key}", value)
        request.warnings.extend(each for each in answer.warnings if each not in request.warnings)
        if not answer.allowed:
            raise Denied(denied(hook.name, answer.status))
        return answer

    def _failed(self, hook: Hook, request: Request, error: Exception, started: float) -> StatusError | None:
        """What a webhook's failure or refusal means for the request: None where it goes on."""
        seconds = time.perf_counter() - started
        refusal: StatusError | None
        cause: Cause
        match error:
            case CallFailed():
                refusal, cause, code = self._closed(hook, error), "calling_webhook_error", error.code
            case Denied():
                refusal, cause, code = error.refusal, "no_error", error.refusal.status.code or 0
            case StatusError():
                refusal, cause, code = error, "apiserver_internal_error", 0
            case _:
                raise error
        code = min(code, 600)
        self._observer.webhook(hook.name, self.step, request.verb, refusal is not None, code, seconds)
        if refusal is None:
            self._observer.webhook_failed_open(hook.name, self.step)
        else:
            self._observer.webhook_rejected(hook.name, self.step, request.verb, cause, code)
        return refusal

    def _answered(self, hook: Hook, request: Request, started: float) -> None:
        self._observer.webhook(hook.name, self.step, request.verb, False, 200, time.perf_counter() - started)

    def _note_failed_open(self, hook: Hook, request: Request, number: int) -> None:
        key = f"failed-open.{self.audit}/round_{request.reinvocation.round}_index_{number}"
        request.annotations.add(key, hook.name)

    @staticmethod
    def _closed(hook: Hook, error: CallFailed) -> StatusError | None:
        if hook.ignores_failures:
            log.warning("failed calling webhook, failing open %s: %s", hook.name, error)
            return None
        log.warning("failed calling webhook, failing closed %s: %s", hook.name, error)
        return internal_error(f"failed calling webhook {go_value(hook.name)}: {error}")


class Denied(Exception):
    """The webhook was asked, and refuses."""

    def __init__(self, refusal: StatusError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
