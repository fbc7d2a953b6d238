"""A request as an event of the audit log (``audit.k8s.io/v1``): the fields that upstream's has, under its names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from steersman.api.types.meta_v1 import Status
from steersman.api.user import User
from steersman.apiserver.annotations import Level

from .exchange import Exchange, Stage


class UserInfo(msgspec.Struct, rename="camel", omit_defaults=True):
    """``authentication.k8s.io/v1`` UserInfo."""

    username: str = ""
    uid: str = ""
    groups: Sequence[str] = ()
    extra: Mapping[str, Sequence[str]] = {}


class ObjectReference(msgspec.Struct, rename="camel", omit_defaults=True):
    """What a request was about."""

    resource: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_group: str = ""
    api_version: str = ""
    resource_version: str = ""
    subresource: str = ""


class Event(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True, tag_field="kind", tag="Event"):
    """One stage of one request."""

    api_version: Literal["audit.k8s.io/v1"]
    level: Level
    audit_id: str = msgspec.field(name="auditID")
    stage: Stage
    request_uri: str = msgspec.field(name="requestURI")
    verb: str
    user: UserInfo
    impersonated_user: UserInfo | None = None
    source_ips: Sequence[str] = msgspec.field(default=(), name="sourceIPs")
    user_agent: str = ""
    object_ref: ObjectReference | None = None
    response_status: Mapping[str, Any] | None = None
    request_object: msgspec.Raw | None = None
    response_object: msgspec.Raw | None = None
    request_received_timestamp: datetime
    stage_timestamp: datetime
    annotations: Mapping[str, str] = {}


def event_of(exchange: Exchange, request_body: bytes | None = None, response_body: bytes | None = None) -> Event:
    """The event; bodies only where they are given, and are JSON.  An error's Status tells its reason and message."""
    request, info = exchange.request, exchange.info
    asker = request.impersonator
    level: Level = "Metadata"
    if request_body is not None:
        level = "Request" if response_body is None else "RequestResponse"
    reference = None
    if info.is_resource:
        reference = ObjectReference(
            resource=info.resource,
            namespace=info.namespace,
            name=info.name,
            api_group=info.group,
            api_version=info.version,
            subresource=info.subresource,
        )
    received = datetime.fromtimestamp(exchange.received, UTC)
    return Event(
        api_version="audit.k8s.io/v1",
        level=level,
        audit_id=request.audit_id,
        stage=exchange.stage,
        request_uri=f"{request.raw_path}?{request.query_string}" if request.query_string else request.raw_path,
        verb=info.verb,
        user=_user(asker or request.user),
        impersonated_user=_user(request.user) if asker is not None else None,
        source_ips=(request.remote[0],) if request.remote[0] else (),
        user_agent=request.headers.get("user-agent", ""),
        object_ref=reference,
        response_status=_status(exchange.code, response_body) if exchange.code else None,
        request_object=_raw(request_body),
        response_object=_raw(response_body),
        request_received_timestamp=received,
        stage_timestamp=received + timedelta(seconds=exchange.seconds),
        annotations=request.annotations.at(level),
    )


def _user(user: User) -> UserInfo:
    return UserInfo(user.name, user.uid, user.groups, user.extra)


def _status(code: int, body: bytes | None) -> Mapping[str, Any]:
    found: dict[str, Any] = {"metadata": {}, "code": code}
    if code >= 400 and body:
        try:
            status = msgspec.json.decode(body, type=Status)
        except msgspec.DecodeError:
            return found
        found |= {"status": status.status, "reason": status.reason, "message": status.message}
    return found


def _raw(body: bytes | None) -> msgspec.Raw | None:
    return msgspec.Raw(body) if body and body.lstrip()[:1] == b"{" else None
