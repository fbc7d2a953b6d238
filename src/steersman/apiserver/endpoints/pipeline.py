"""The outermost handler: from a bare request to an answered one.

In order: audit id, until when, who, as whom, limits, whether they may, what.  Every exception becomes a Status here
and is logged here, once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from steersman.api.errors import (
    StatusError,
    internal_error,
    service_unavailable,
    too_large,
)
from steersman.api.types.meta_v1 import Status, StatusDetails
from steersman.apiserver.authn.chain import Authentication
from steersman.apiserver.authn.impersonation import impersonated
from steersman.apiserver.http.messages import Answer, Request, Response, Severed, Stream, Upgrade
from steersman.apiserver.seams import Attributes, Authorizer
from steersman.storage.store import StoreError

from .answers import status_response
from .deadline import deadline
from .exchange import Exchange, Filter, Observer, Stage
from .metrics import Metrics, is_long_running
from .refusals import no_page, overloaded, refusal, shutting_down
from .request_info import RequestInfo, request_info
from .resources import DEPRECATED, Resources

logger = logging.getLogger(__name__)

ALWAYS_ALLOWED = frozenset({"/healthz", "/livez", "/readyz"})
_SERVED_TO_THE_END = ("/readyz", "/livez", "/healthz", "/metrics")
_UPGRADED = frozenset({"attach", "exec", "portforward"})
_APPLY = "application/apply-patch"
_READ = frozenset({"get", "list", "watch", "head"})

C = TypeVar("C")

Responder = Callable[[Request], Response | None]
AsyncResponder = Callable[[Request], Awaitable[Response | None]]
Delegate = Callable[[Request, RequestInfo], Awaitable[Answer]]
"""Answers an authorized request in this server's place."""


def timeout_answer(request: Request) -> Response:
    """504 for a request that took too long."""
    answer = status_response(
        Status(
            status="Failure",
            code=504,
            reason="Timeout",
            message="Timeout: request did not complete within the allotted timeout",
            details=StatusDetails(),
        )
    )
    if request.audit_id:
        answer.headers = {"Audit-Id": request.audit_id, **answer.headers}
    return answer


def too_large_answer(limit: int) -> Response:
    """413 for a body beyond the limit."""
    return status_response(too_large(f"Request entity too large: limit is {limit}").status)


class Pipeline:
    """See the module.  ``plain`` and ``asynchronous`` answer the paths that are no resources, in order.

    ``delegate`` finds who answers a request in this server's place, with limits of its own.  ``filters``, the outermost
    first, and ``observers`` may come and go while it runs.
    """

    def __init__(
        self,
        authenticator: Authentication,
        authorizer: Authorizer,
        resources: Resources,
        metrics: Metrics,
        *,
        plain: Sequence[Responder] = (),
        asynchronous: Sequence[AsyncResponder] = (),
        max_read_only: int = 400,
        max_mutating: int = 200,
        draining: Callable[[], bool] = lambda: False,
        delegate: Callable[[RequestInfo], Delegate | None] = lambda _: None,
        filters: Sequence[Filter] = (),
        observers: Sequence[Observer] = (),
    ) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._resources = resources
        self._metrics = metrics
        self._plain = plain
        self._asynchronous = asynchronous
        self._limits = {False: max_read_only, True: max_mutating}
        self._inflight = metrics.inflight
        self._draining = draining
        self._delegate = delegate
        self._filters = filters
        self._observers = observers

    async def handle(self, request: Request) -> Answer:
        """Answer; never raises but for cancellation."""
        started = time.perf_counter()
        request.audit_id = audit_id = request.headers.get("audit-id", "")[:64] or _uuid(os.urandom(16).hex())
        info = RequestInfo(False, request.method.lower(), request.path)
        answer: Answer
        try:
            info = request_info(request)
            if self._draining() and not request.path.startswith(_SERVED_TO_THE_END):
                answer = shutting_down()
            else:
                answer = await self._in_time(request, info)
        except StatusError as error:
            answer = status_response(error.status, request)
        except StoreError as error:
            logger.warning("%s %s: the store failed: %s (audit-id %s)", request.method, request.path, error, audit_id)
            answer = status_response(service_unavailable(str(error)).status, request)
        except asyncio.CancelledError:
            self._metrics.observe(self._counted_as(info), 504, time.perf_counter() - started)
            if self._observers:
                self._tell("Panic", request, info, None, started)
            raise
        except Severed:
            if self._observers:
                self._tell("Panic", request, info, None, started)
            raise
        except Exception:
            logger.exception("%s %s panicked (audit-id %s)", request.method, request.path, audit_id)
            failure = internal_error(f"this request caused apiserver to panic, audit-id {audit_id}: see its log")
            answer = status_response(failure.status, request)
        answer.headers = {"Audit-Id": audit_id, **answer.headers}
        code = 101 if isinstance(answer, Upgrade) else answer.status
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug(
                "%s %s?%s %d %.1f ms user=%s agent=%s audit-id=%s",
                request.method,
                request.path,
                request.query_string,
                code,
                (time.perf_counter() - started) * 1000,
                request.user.name,
                request.headers.get("user-agent", ""),
                audit_id,
            )
        self._metrics.observe(
            self._counted_as(info),
            code,
            time.perf_counter() - started,
            dry_run="All" if "dryRun=All" in request.query_string else "",
            size=_size(answer),
            apply=info.verb == "patch" and request.headers.get("content-type", "").startswith(_APPLY),
        )
        if self._observers:
            stage: Stage = "ResponseComplete" if isinstance(answer, Response) else "ResponseStarted"
            self._tell(stage, request, info, answer, started)
        if isinstance(answer, Stream):  # noqa: SIM114  # each takes a connection of its own type
            answer.run = self._counted(request, info, answer, answer.run, started)
        elif isinstance(answer, Upgrade):
            answer.run = self._counted(request, info, answer, answer.run, started)
        return answer

    def _tell(self, stage: Stage, request: Request, info: RequestInfo, answer: Answer | None, started: float) -> None:
        seconds = time.perf_counter() - started
        exchange = Exchange(stage, request, info, answer, time.time() - seconds, seconds)
        for observe in tuple(self._observers):
            observe(exchange)

    def _counted_as(self, info: RequestInfo) -> RequestInfo:
        # What does not exist has names without number: it is counted as one.
        return info if not info.is_resource or self._resources.knows(info) else RequestInfo(False, info.verb, "")

    async def _in_time(self, request: Request, info: RequestInfo) -> Answer:
        if is_long_running(info) or (seconds := deadline(request)) is None:
            return await self._admit(request, info)
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self._admit(request, info)
        except TimeoutError:
            if not limit.expired():
                raise
            self._metrics.refused(self._counted_as(info), 504)
            return timeout_answer(request)

    async def _admit(self, request: Request, info: RequestInfo) -> Answer:
        started = time.perf_counter()
        try:
            request.user = await self._authenticator.authenticate(request)
        except StatusError:
            self._metrics.authenticated(None, time.perf_counter() - started)
            raise
        self._metrics.authenticated(request.user, time.perf_counter() - started)
        if any(name.startswith("impersonate-") for name in request.headers):
            request.impersonator = request.user
            request.user = await impersonated(request, request.user, self._authorizer)
        if self._filters:
            return await self._filtered(request, info, tuple(self._filters))
        return await self._limited(request, info)

    async def _filtered(self, request: Request, info: RequestInfo, filters: Sequence[Filter]) -> Answer:
        if not filters:
            return await self._limited(request, info)
        return await filters[0](request, info, lambda: self._filtered(request, info, filters[1:]))

    async def _limited(self, request: Request, info: RequestInfo) -> Answer:
        if is_long_running(info) or self._delegate(info) is not None:
            return await self._authorized(request, info)
        mutating = info.verb not in _READ
        if self._inflight[mutating] >= self._limits[mutating] and "system:masters" not in request.user.groups:
            self._metrics.refused(self._counted_as(info), 429)
            return overloaded()
        self._inflight[mutating] += 1
        try:
            return await self._authorized(request, info)
        finally:
            self._inflight[mutating] -= 1

    async def _authorized(self, request: Request, info: RequestInfo) -> Answer:
        if info.is_resource:
            attributes = Attributes(
                request.user,
                info.verb,
                info.group,
                info.version,
                info.resource,
                info.subresource,
                info.namespace,
                info.name,
            )
        else:
            attributes = Attributes(request.user, info.verb, path=info.path)
        if info.path not in ALWAYS_ALLOWED:
            await self._demand(attributes)
            if info.subresource in _UPGRADED and info.verb == "get" and (info.group, info.resource) == ("", "pods"):
                # A WebSocket begins with a GET, and yet lets somebody act: it needs what a POST needs (KEP-4006).
                # What others call by these names they authorize by the verbs that they choose, as upstream has it.
                await self._demand(msgspec.structs.replace(attributes, verb="create"))
        if (delegate := self._delegate(info)) is not None:
            return await delegate(request, info)
        if request.incoming is not None and info.subresource != "proxy":
            # When its head was read, somebody else was to answer it: its body was not read.
            raise service_unavailable("the server that answers this request has changed, please try again")
        if info.is_resource:
            if not self._resources.serves(info):
                return no_page()

            if (info.group, info.version, info.resource) in DEPRECATED:
                self._metrics.deprecated(info)

            async def may_create() -> None:
                await self._demand(msgspec.structs.replace(attributes, verb="create"))

            return await self._resources.handle(request, info, may_create)
        for responder in self._plain:
            if (answer := responder(request)) is not None:
                return answer
        for asynchronous in self._asynchronous:
            if (answer := await asynchronous(request)) is not None:
                return answer
        return no_page()

    async def _demand(self, attributes: Attributes) -> None:
        started = time.perf_counter()
        decision = await self._authorizer.authorize(attributes)
        allowed = decision.allowed and not decision.denied
        self._metrics.authorized(allowed, time.perf_counter() - started)
        if not allowed:
            raise refusal(attributes, decision.reason)

    def _counted(
        self,
        request: Request,
        info: RequestInfo,
        answer: Answer,
        run: Callable[[C], Awaitable[None]],
        started: float,
    ) -> Callable[[C], Awaitable[None]]:
        async def counted(connection: C) -> None:
            self._metrics.long_running(info, 1)
            try:
                await run(connection)
            finally:
                self._metrics.long_running(info, -1)
                if self._observers:
                    self._tell("ResponseComplete", request, info, answer, started)

        return counted


def _size(answer: Answer) -> int:
    """The bytes of a body, 0 where that is not known before they are sent."""
    if not isinstance(answer, Response):
        return 0
    if answer.size is not None:
        return answer.size
    return len(answer.body) if isinstance(answer.body, bytes) else 0


def _uuid(text: str) -> str:
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
