"""Who calls a kubelet, and what they may: asked of the API server, answers kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from steersman.api.errors import StatusError
from steersman.api.types.authentication_v1 import TokenReview, TokenReviewSpec
from steersman.api.types.authorization_v1 import ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec
from steersman.client.client import Client

from .http import Request

API_SERVER = "kube-apiserver-kubelet-client"
"""The name in the certificate with which the API server comes; it has authorized its own caller already."""

DECISION_SECONDS = 30.0
"""How long an answer of the authorizer is kept."""

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_ONLY = {"stats": "stats", "metrics": "metrics", "logs": "log", "checkpoint": "checkpoint"}
_FINE = {"pods": "pods", "runningpods": "pods", "healthz": "healthz", "configz": "configz"}


class Caller(NamedTuple):
    """Who asks."""

    name: str
    groups: tuple[str, ...]


class Refused(Exception):
    """The request is answered with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def subresources(path: str) -> tuple[str, ...]:
    """Of which subresources of ``nodes`` one suffices for a path (KEP-2862): ``proxy`` is the old one for most."""
    first = path.strip("/").split("/")[0]
    if (only := _ONLY.get(first)) is not None:
        return (only,)
    return (_FINE[first], "proxy") if first in _FINE else ("proxy",)


class Access:
    """Authentication by client certificate or token, authorization by SubjectAccessReview."""

    def __init__(self, client: Client, node_name: str) -> None:
        self._client = client
        self._node_name = node_name
        self._decisions: dict[tuple[Caller, str, str], tuple[float, bool]] = {}
        self._tokens: dict[str, tuple[float, Caller]] = {}

    async def demand(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Raises Refused for a caller who is not known, or may not."""
        caller = await self._authenticate(request, writer)
        if "system:masters" in caller.groups or caller.name == API_SERVER:
            return
        verb, enough = _VERBS.get(request.method, request.method.lower()), subresources(request.path)
        for subresource in enough:
            if await self._allowed(caller, verb, subresource):
                return
        raise Refused(
            403,
            f"Forbidden (user={caller.name}, verb={verb}, resource=nodes, subresource(s)=[{' '.join(enough)}])\n",
        )

    async def _authenticate(self, request: Request, writer: asyncio.StreamWriter) -> Caller:
        if writer.get_extra_info("ssl_object") is None:
            raise Refused(401, "Unauthorized")
        certificate: Mapping[str, Any] | None = writer.get_extra_info("peercert")
        if certificate:
            names: dict[str, list[str]] = {}
            for relative in certificate.get("subject", ()):
                for key, value in relative:
                    names.setdefault(key, []).append(value)
            common = names.get("commonName", [""])[0]
            if common:
                return Caller(common, (*names.get("organizationName", []), "system:authenticated"))
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return await self._review(token.strip())
        raise Refused(401, "Unauthorized")

    async def _review(self, token: str) -> Caller:
        known = self._tokens.get(token)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        try:
            review = await self._client.create(TokenReview(spec=TokenReviewSpec(token=token)))
        except (StatusError, OSError) as error:
            raise Refused(401, "Unauthorized") from error
        user = review.status.user
        if not review.status.authenticated or user is None:
            raise Refused(401, "Unauthorized")
        caller = Caller(user.username, tuple(user.groups))
        if len(self._tokens) > 256:
            self._tokens.clear()
        self._tokens[token] = (time.monotonic() + DECISION_SECONDS, caller)
        return caller

    async def _allowed(self, caller: Caller, verb: str, subresource: str) -> bool:
        key = (caller, verb, subresource)
        known = self._decisions.get(key)
        if known is not None and time.monotonic() <= known[0]:
            return known[1]
        attributes = ResourceAttributes(
            verb=verb, version="v1", resource="nodes", subresource=subresource, name=self._node_name
        )
        spec = SubjectAccessReviewSpec(user=caller.name, groups=list(caller.groups), resource_attributes=attributes)
        try:
            answer = await self._client.create(SubjectAccessReview(spec=spec))
        except (StatusError, OSError) as error:
            text = f"Authorization error (user={caller.name}, verb={verb}, resource=nodes, subresource={subresource})"
            raise Refused(500, text) from error
        if len(self._decisions) > 1024:
            self._decisions.clear()
        allowed = bool(answer.status and answer.status.allowed)
        self._decisions[key] = (time.monotonic() + DECISION_SECONDS, allowed)
        return allowed
