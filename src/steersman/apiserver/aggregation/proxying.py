"""Requests passed on to the server of an APIService, their bodies never held.

Redirects are refused: whoever controls that server would choose whom this one talks to, in the name of its clients.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from steersman.apiserver.endpoints.connecting.proxy import answer_of, asking_upgrade, carried, passed_body, with_query
from steersman.apiserver.endpoints.connecting.rewriting import Links
from steersman.apiserver.endpoints.deadline import deadline
from steersman.apiserver.endpoints.metrics import is_long_running
from steersman.apiserver.endpoints.pipeline import timeout_answer
from steersman.apiserver.endpoints.refusals import overloaded, proxy_failure
from steersman.apiserver.endpoints.request_info import RequestInfo
from steersman.apiserver.http.messages import Answer, Request, Response, Stream, StreamWriter
from steersman.apiserver.outgoing import TLS, Outgoing
from steersman.client.streaming import UpgradeRefused, ask_upgrade, is_upgrade

from .backends import Address, chosen, resolved
from .headers import passed_on
from .remote import Remote

log = logging.getLogger(__name__)

_REDIRECTED = "the backend attempted to redirect this request, which is not permitted"
_DISCOVERY_SECONDS = 5.0
_SECONDS = 60.0
_MOST_IN_FLIGHT = 400
"""Of the requests to one server that are not answered yet, so that one that hangs takes nobody else's place."""
Refused = Callable[[RequestInfo, int], None]


class Proxying:
    """See the module.  ``refused`` is told of requests that are not passed on, and of the status they are answered."""

    def __init__(self, outgoing: Outgoing, allowed: Callable[[str], bool], refused: Refused) -> None:
        self._outgoing = outgoing
        self._refused = refused
        self._allowed = allowed

    async def pass_on(self, remote: Remote, request: Request, info: RequestInfo) -> Answer:
        """Answer a request as the server does."""
        if not remote.available:
            return self._refuse(remote, info, 503, "service unavailable")
        try:
            address, tls = await self._target(remote)
        except OSError as error:
            log.info("%s cannot be reached: %s", remote.name, error)
            return self._refuse(remote, info, 503, "service unavailable")
        except ValueError as error:
            return self._refuse(remote, info, 500, str(error))
        if is_upgrade(request.headers):
            return await self._upgrade(request, address, tls)
        if is_long_running(info):
            return await self._pass(request, address, tls)
        if remote.in_flight >= _MOST_IN_FLIGHT:
            return overloaded()
        remote.in_flight += 1
        try:
            return await self._in_time(request, info, address, tls)
        finally:
            remote.in_flight -= 1

    def _refuse(self, remote: Remote, info: RequestInfo, status: int, text: str) -> Response:
        # What nobody has told of has names without number: it is counted as one.
        known = any(each.name == info.resource for each in remote.resources)
        self._refused(info if known else RequestInfo(False, info.verb, ""), status)
        return proxy_failure(status, text)

    async def _target(self, remote: Remote) -> tuple[Address, TLS]:
        tls = await remote.tls()
        return await resolved(chosen(remote.addresses()), self._allowed), tls

    async def _in_time(self, request: Request, info: RequestInfo, address: Address, tls: TLS) -> Answer:
        is_discovery = not info.is_resource and request.path.startswith("/api")
        seconds = _DISCOVERY_SECONDS if is_discovery else min(deadline(request) or _SECONDS, _SECONDS)
        until = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(until):
                answer = await self._pass(request, address, tls)
        except TimeoutError:
            if is_discovery:
                return proxy_failure(503, "error trying to reach service: context deadline exceeded")
            return timeout_answer(request)
        if isinstance(answer, Stream):
            answer.run = _until(until, answer.run)
        return answer

    async def _pass(self, request: Request, address: Address, tls: TLS) -> Answer:
        target = with_query(request.path, request)
        headers = passed_on(request, address.authority, target.partition("?")[0])
        try:
            response = await self._outgoing.request(
                request.method,
                f"https://{address.authority}{target}",
                headers=headers,
                body=passed_body(request),
                tls=tls,
            )
        except OSError as error:
            return proxy_failure(503, f"error trying to reach service: {error}")
        if 300 <= response.status < 400 and response.headers.get("location"):
            response.close()
            return proxy_failure(502, _REDIRECTED)
        return answer_of(response, request, Links("", address.authority))

    async def _upgrade(self, request: Request, address: Address, tls: TLS) -> Answer:
        target = with_query(request.path, request)
        headers = asking_upgrade(passed_on(request, address.authority, target.partition("?")[0]), request)
        try:
            reader, writer = await self._outgoing.dial(address.host, address.port, tls)
            answer, backend = await ask_upgrade(reader, writer, request.method, target, headers)
        except UpgradeRefused as refused:
            if refused.status < 400:
                return proxy_failure(503, f"invalid upgrade response: status code {refused.status}")
            return Response(refused.body, refused.status, refused.content_type)
        except OSError as error:
            return proxy_failure(503, str(error))
        return carried(answer, backend)


def _until(instant: float, run: Callable[[StreamWriter], Awaitable[None]]) -> Callable[[StreamWriter], Awaitable[None]]:
    """A body that is broken off where it has not come by then."""

    async def limited(writer: StreamWriter) -> None:
        try:
            async with asyncio.timeout_at(instant):
                await run(writer)
        except TimeoutError:
            raise ConnectionResetError("the other server did not send all of its answer in time") from None

    return limited
