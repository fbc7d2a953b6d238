"""Continue tokens, and the rules of ``resourceVersion`` and ``resourceVersionMatch``."""

from __future__ import annotations

import base64
from typing import Literal, NamedTuple

import msgspec

from steersman.api.errors import (
    TOO_LARGE_RESOURCE_VERSION,
    FieldError,
    StatusError,
    bad_request,
    expired,
    forbidden_field,
    go_value,
    invalid,
    invalid_value,
)
from steersman.api.json_text import syntax_fault
from steersman.api.types.meta_v1 import ListMeta, Status, StatusCause, StatusDetails
from steersman.api.types.scalars import Int64

from .contract import ListOptions


class Token(NamedTuple):
    """Where a list goes on: at which revision (-1: the present one) and from which key (inclusive)."""

    revision: int
    start: str


_ENCODING = "meta.k8s.io/v1"
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


class _Wire(msgspec.Struct):
    v: str = ""
    rv: Int64 = 0
    start: str = ""


def encode_continue(revision: int, prefix: str, last_key: str) -> str:
    """A token for the page after the one that ended with a key; opaque, in upstream's form."""
    wire = _Wire(_ENCODING, revision, last_key.removeprefix(prefix) + "\0")
    return base64.urlsafe_b64encode(msgspec.json.encode(wire)).rstrip(b"=").decode()


def decode_continue(text: str, prefix: str) -> Token:
    """Read a token; raises a 400 in upstream's words."""
    wire = _decode_token(text)
    if wire.v != _ENCODING:
        raise _bad_token(f"server does not recognize this encoded version {wire.v}")
    if wire.rv == 0:
        raise _bad_token("incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    if not wire.start:
        raise _bad_token("encoded start key empty (version meta.k8s.io/v1)")
    start = wire.start.removeprefix("/")
    if any(part in ("", ".", "..") for part in start.split("/")):
        # Nobody reaches beyond the collection that they may list.
        raise _bad_token(wire.start)
    return Token(wire.rv, prefix + start)


def _decode_token(text: str) -> _Wire:
    illegal = next((at for at, character in enumerate(text) if character not in _ALPHABET), -1)
    if illegal < 0 and len(text) % 4 == 1:
        illegal = len(text) - 1
    if illegal >= 0:
        raise _bad_token(f"illegal base64 data at input byte {illegal}")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    try:
        return msgspec.json.decode(data, type=_Wire)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _bad_token(syntax_fault(data) or str(error)) from error


def _bad_token(detail: str) -> StatusError:
    return bad_request(f"invalid continue token: continue key is not valid: {detail}")


def continue_expired(prefix: str, start: str) -> StatusError:
    """410 for a token whose revision was compacted, with a token that goes on with the present state."""
    wire = _Wire(_ENCODING, -1, start.removeprefix(prefix))
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


def too_large(revision: int, current: int, *, retry_after_seconds: int | None = 1) -> StatusError:
    """504 for a resource version that has not happened: the caller may try again."""
    message = f"Timeout: Too large resource version: {revision}, current: {current}"
    cause = StatusCause(reason=TOO_LARGE_RESOURCE_VERSION, message="Too large resource version")
    details = StatusDetails(retry_after_seconds=retry_after_seconds, causes=[cause])
    return StatusError(Status(status="Failure", code=504, reason="Timeout", message=message, details=details))


def parse_version(text: str) -> int:
    """A resource version; 0 also for an empty one.  Raises a 400: upstream's, also where upstream makes it a 500."""
    if not text:
        return 0
    fault = ""
    if not (text.isascii() and text.isdigit()):
        fault = "invalid syntax"
    elif len(text) > _DIGITS or int(text) >= 1 << 64:
        fault = "value out of range"
    if fault:
        quoted = go_value(text)
        parsing = invalid_value("resourceVersion", text, f"strconv.ParseUint: parsing {quoted}: {fault}")
        raise bad_request(f"invalid resource version: {parsing}")
    return int(text)


_DIGITS = 4000
"""More than these are out of range, and Python need not count them."""


ReadMode = Literal["latest", "any", "not-older", "exact"]


class ReadPlan(NamedTuple):
    """How a list is read: the newest state, whatever the cache holds, not older than, or exactly at a revision."""

    mode: ReadMode
    revision: int = 0
    start: str = ""


def plan_list(options: ListOptions, prefix: str) -> ReadPlan:
    """Choose how to read a list; raises for parameters that do not go together."""
    _check_list(options)
    if options.continue_:
        token = decode_continue(options.continue_, prefix)
        if options.resource_version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        return ReadPlan("latest" if token.revision < 0 else "exact", max(token.revision, 0), token.start)
    version = parse_version(options.resource_version)
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
    if match:
        if not version:
            detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            faults.append(forbidden_field("resourceVersionMatch", detail))
        if options.continue_:
            detail = "resourceVersionMatch is forbidden when continue is provided"
            faults.append(forbidden_field("resourceVersionMatch", detail))
        if match not in ("Exact", "NotOlderThan"):
            faults.append(_unsupported(match, '"Exact", "NotOlderThan", ""'))
        if match == "Exact" and version == "0":
            detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            faults.append(forbidden_field("resourceVersionMatch", detail))
    if options.send_initial_events is not None:
        faults.append(forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if faults:
        raise invalid("ListOptions", "", faults, "meta.k8s.io")


def _unsupported(match: str, values: str) -> FieldError:
    message = f"Unsupported value: {go_value(match)}: supported values: {values}"
    return FieldError("resourceVersionMatch", "FieldValueNotSupported", message)


class WatchPlan(NamedTuple):
    """How a watch begins.

    ``initial``: with the present state, not older than ``revision`` (0: any; None: than this call), else with what
    follows ``revision`` (0 or None: the present), which may be in the future.
    """

    initial: bool
    revision: int | None


def plan_watch(options: ListOptions) -> WatchPlan:
    """Choose how a watch begins; raises for parameters that do not go together."""
    initial = options.send_initial_events
    if initial is None and not options.resource_version_match and options.resource_version in ("", "0"):
        initial = True  # KEP-3157: what has always been done, said in the new way
    else:
        _check_watch(options)
    version = parse_version(options.resource_version)
    return WatchPlan(bool(initial), version if options.resource_version else None)


def _check_watch(options: ListOptions) -> None:
    faults: list[FieldError] = []
    match, initial = options.resource_version_match, options.send_initial_events
    if initial is not None and match != "NotOlderThan":
        detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        faults.append(forbidden_field("resourceVersionMatch", detail))
    if match:
        if initial is None:
            detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            faults.append(forbidden_field("resourceVersionMatch", detail))
        if match != "NotOlderThan":
            faults.append(_unsupported(match, '"NotOlderThan"'))
        if options.continue_:
            detail = "resourceVersionMatch is forbidden when continue is provided"
            faults.append(forbidden_field("resourceVersionMatch", detail))
    if faults:
        raise invalid("ListOptions", "", faults, "meta.k8s.io")
