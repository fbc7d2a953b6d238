"""Continue tokens, and the rules of ``resourceVersion`` and ``resourceVersionMatch``."""

from __future__ import annotations

import base64
import binascii
from typing import Literal, NamedTuple

import msgspec

from steersman.api.errors import (
    TOO_LARGE_RESOURCE_VERSION,
    FieldError,
    StatusError,
    bad_request,
    expired,
    forbidden_field,
    invalid,
    invalid_value,
)
from steersman.api.errors import not_supported as unsupported_value
from steersman.api.types.meta_v1 import ListMeta, Status, StatusCause, StatusDetails

from .contract import ListOptions


class Token(NamedTuple):
    """Where a list goes on: at which revision (-1: the present one) and from which key (inclusive)."""

    revision: int
    start: str


class _Wire(msgspec.Struct):
    v: str = "meta.k8s.io/v1"
    rv: int = 0
    start: str = ""


def encode_continue(revision: int, prefix: str, last_key: str) -> str:
    """A token for the page after the one that ended with a key; opaque, in upstream's form."""
    wire = _Wire(rv=revision, start=last_key.removeprefix(prefix) + "\0")
    return base64.urlsafe_b64encode(msgspec.json.encode(wire)).rstrip(b"=").decode()


def decode_continue(text: str, prefix: str) -> Token:
    """Read a token; raises a 400 in upstream's words."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        wire = msgspec.json.decode(data, type=_Wire)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise bad_request("continue key is not valid: illegal base64 data") from error
    if wire.v != "meta.k8s.io/v1":
        raise bad_request("continue key is not valid: server does not recognize this encoded version")
    if not wire.start:
        raise bad_request("continue key is not valid: encoded start key empty")
    if wire.rv == 0:
        raise bad_request("continue key is not valid: incorrect encoded start resourceVersion")
    if any(part in ("", ".", "..") for part in wire.start.rstrip("\0").split("/")):
        raise bad_request("continue key is not valid: encoded key is not a path below the resource")
    return Token(wire.rv, prefix + wire.start)


def continue_expired(prefix: str, start: str) -> StatusError:
    """410 for a token whose revision was compacted, with a token that goes on with the present state."""
    wire = _Wire(rv=-1, start=start.removeprefix(prefix))
    token = base64.urlsafe_b64encode(msgspec.json.encode(wire)).rstrip(b"=").decode()
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list. Objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    status = Status(metadata=ListMeta(continue_=token), status="Failure", code=410, reason="Expired", message=message)
    return StatusError(status)


def too_old(revision: int, oldest: int) -> StatusError:
    """410 for a resource version that is no longer held."""
    return expired(f"too old resource version: {revision} ({oldest})")


def too_large(revision: int, current: int) -> StatusError:
    """504 for a resource version that has not happened: the caller may try again."""
    message = f"Timeout: Too large resource version: {revision}, current: {current}"
    cause = StatusCause(reason=TOO_LARGE_RESOURCE_VERSION, message="Too large resource version")
    details = StatusDetails(retry_after_seconds=1, causes=[cause])
    return StatusError(Status(status="Failure", code=504, reason="Timeout", message=message, details=details))


def parse_version(text: str) -> int:
    """A resource version; 0 also for an empty one."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 20:
        detail = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise invalid("", "", [invalid_value("resourceVersion", text, detail)])
    return int(text)


ReadMode = Literal["latest", "any", "not-older", "exact"]


class ReadPlan(NamedTuple):
    """How a list is read: the newest state, whatever the cache holds, not older than, or exactly at a revision."""

    mode: ReadMode
    revision: int = 0
    start: str = ""


def plan_list(options: ListOptions, prefix: str) -> ReadPlan:
    """Choose how to read a list; raises for parameters that do not go together."""
    _check_list(options)
    version = parse_version(options.resource_version)
    if options.continue_:
        token = decode_continue(options.continue_, prefix)
        if options.resource_version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        return ReadPlan("latest" if token.revision < 0 else "exact", max(token.revision, 0), token.start)
    match options.resource_version_match:
        case "Exact":
            return ReadPlan("exact", version)
        case "NotOlderThan":
            return ReadPlan("not-older" if version else "any", version)
    if not options.resource_version:
        return ReadPlan("latest")
    if version == 0:
        return ReadPlan("any")
    # Without a match rule, a limit turns "not older than" into "exactly at".
    return ReadPlan("exact" if options.limit > 0 else "not-older", version)


def _check_list(options: ListOptions) -> None:
    match, version = options.resource_version_match, options.resource_version
    faults: list[FieldError] = []
    if options.send_initial_events is not None:
        faults.append(forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if match:
        if not version:
            detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            faults.append(forbidden_field("resourceVersionMatch", detail))
        if options.continue_:
            detail = "resourceVersionMatch is forbidden when continue is provided"
            faults.append(forbidden_field("resourceVersionMatch", detail))
        if match not in ("Exact", "NotOlderThan"):
            faults.append(unsupported_value("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]))
        if match == "Exact" and version == "0":
            detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            faults.append(forbidden_field("resourceVersionMatch", detail))
    if faults:
        raise invalid("ListOptions", "", faults, "meta.k8s.io")


def check_watch(options: ListOptions) -> None:
    """Refuse parameters of a watch that do not go together."""
    faults: list[FieldError] = []
    match = options.resource_version_match
    if options.send_initial_events is not None:
        if not match:
            detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            faults.append(forbidden_field("resourceVersionMatch", detail))
        elif match != "NotOlderThan":
            faults.append(unsupported_value("resourceVersionMatch", match, ["NotOlderThan"]))
        if options.send_initial_events and options.continue_:
            faults.append(forbidden_field("continue", "continue is forbidden for watch"))
    elif match:
        detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        faults.append(forbidden_field("resourceVersionMatch", detail))
    if faults:
        raise invalid("ListOptions", "", faults, "meta.k8s.io")
