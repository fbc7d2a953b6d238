"""Query parameters of the verbs, read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from steersman.api import codecs
from steersman.api.errors import (
    FieldError,
    bad_request,
    forbidden_field,
    invalid,
    invalid_value,
    not_supported,
    required,
    too_long,
)
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions
from steersman.apiserver.http.messages import Request
from steersman.apiserver.registry.contract import Context, ListOptions
from steersman.apiserver.registry.heavy import weight

GROUP = "meta.k8s.io"
VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_LONGEST_MANAGER = 128
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DIGITS = 19
"""What 64 bits can hold; Python refuses, by ValueError, to read numbers of thousands."""


def _boolean(text: str) -> bool:
    """Go's reading of a query parameter: everything but ``false`` and ``0`` is true, even nothing."""
    return text.lower() not in ("false", "0")


def _integer(request: Request, name: str) -> int | None:
    text = request.parameter(name)
    if not text:
        return None
    if not _INTEGER.fullmatch(text):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    digits = text.lstrip("+-0") or "0"
    number = int(digits[: _DIGITS + 1]) * (-1 if text[0] == "-" else 1)
    if len(digits) > _DIGITS or not -(1 << 63) <= number < 1 << 63:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


_NO_OPTIONS = ListOptions()


def list_options(request: Request) -> ListOptions:
    """The parameters of a list, a watch or a collection's deletion."""
    if not request.query_string:
        return _NO_OPTIONS
    query = request.query
    return ListOptions(
        label_selector=request.parameter("labelSelector"),
        field_selector=request.parameter("fieldSelector"),
        limit=_integer(request, "limit") or 0,
        continue_=request.parameter("continue"),
        resource_version=request.parameter("resourceVersion"),
        resource_version_match=request.parameter("resourceVersionMatch"),
        allow_watch_bookmarks="allowWatchBookmarks" in query and _boolean(request.parameter("allowWatchBookmarks")),
        send_initial_events=_boolean(request.parameter("sendInitialEvents")) if "sendInitialEvents" in query else None,
        timeout_seconds=_integer(request, "timeoutSeconds"),
    )


def wants_watch(request: Request) -> bool:
    """Whether a list shall be followed by its changes."""
    return bool(request.query_string) and "watch" in request.query and _boolean(request.parameter("watch"))


def write_context(request: Request, kind: str, *, apply: bool = False) -> Context:
    """On whose behalf and how to write; ``kind`` is that of the options, for messages (``CreateOptions``)."""
    agent = request.headers.get("user-agent", "")
    if not request.query_string:
        if apply:
            raise invalid(kind, "", [required("fieldManager", "is required for apply patch")], GROUP)
        manager = agent.split("/", 1)[0][:128]
        heavy = weight(request.body)
        return Context(
            request.user,
            field_manager=manager,
            user_agent=agent,
            warnings=request.warnings,
            annotations=request.annotations,
            weight=heavy,
        )
    faults: list[FieldError] = []
    dry_run = request.query.get("dryRun", [])
    validation = request.parameter("fieldValidation")
    manager = request.parameter("fieldManager")
    if kind == "PatchOptions":
        if apply and not manager:
            faults.append(required("fieldManager", "is required for apply patch"))
        if not apply and "force" in request.query:
            faults.append(forbidden_field("force", "may not be specified for non-apply patch"))
    faults += _manager_faults(manager)
    if any(value != "All" for value in dry_run):
        faults.append(not_supported("dryRun", dry_run, ["All"]))
    if validation not in VALIDATIONS:
        faults.append(not_supported("fieldValidation", validation, VALIDATIONS))
    if faults:
        raise invalid(kind, "", faults, GROUP)
    return Context(
        request.user,
        dry_run=bool(dry_run),
        field_manager=manager or agent.split("/", 1)[0][:128],
        field_validation=validation,
        user_agent=agent,
        warnings=request.warnings,
        annotations=request.annotations,
        weight=weight(request.body),
    )


def _manager_faults(manager: str) -> Iterator[FieldError]:
    if len(manager.encode()) > _LONGEST_MANAGER:
        yield too_long("fieldManager", _LONGEST_MANAGER)
    position = 0
    for character in manager:
        if not character.isprintable():
            shown = f"U+{ord(character):04X}"
            yield invalid_value("fieldManager", manager, f"invalid character {shown} (at position {position})")
        position += len(character.encode())


def delete_options(request: Request) -> DeleteOptions:
    """The options of a deletion: the body, or where there is none the query.  The registry checks them."""
    if request.body.strip():
        options, _ = codecs.decode_body(DeleteOptions, request.body, request.headers.get("content-type", ""), "Ignore")
        assert isinstance(options, DeleteOptions)
    else:
        options = DeleteOptions(
            dry_run=request.query.get("dryRun", []),
            grace_period_seconds=_integer(request, "gracePeriodSeconds"),
            propagation_policy=request.parameter("propagationPolicy"),
        )
        if "orphanDependents" in request.query:
            options.orphan_dependents = _boolean(request.parameter("orphanDependents"))
        uid, version = request.parameter("preconditions.uid"), request.parameter("preconditions.resourceVersion")
        if uid or version:
            options.preconditions = Preconditions(uid=uid, resource_version=version)
    return options
