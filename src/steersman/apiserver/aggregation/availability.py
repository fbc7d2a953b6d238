"""Whether a group-version can be had from the server that an APIService names.  Pure decisions, upstream's words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from steersman.api.types.apiregistration_v1 import APIService, APIServiceCondition, ServiceReference
from steersman.api.types.core_v1 import Service
from steersman.api.types.discovery_v1 import EndpointSlice

AVAILABLE = "Available"


class Verdict(NamedTuple):
    """What an ``Available`` condition shall say."""

    status: str
    reason: str
    message: str


LOCAL = Verdict("True", "Local", "Local APIServices are always available")
PASSED = Verdict("True", "Passed", "all checks passed")


def failed(message: str) -> Verdict:
    """The server does not answer as it should."""
    return Verdict("False", "FailedDiscoveryCheck", message)


def judge(reference: ServiceReference, service: Service | None, slices: Sequence[EndpointSlice]) -> Verdict | None:
    """Why a server cannot be there, by its Service and the Service's slices; None where it has to be asked."""
    named = f'service/{reference.name} in "{reference.namespace}"'
    if service is None:
        return Verdict("False", "ServiceNotFound", f"{named} is not present")
    if service.spec.type != "ClusterIP":
        return None
    port = next((each for each in service.spec.ports if each.port == reference.port), None)
    if port is None:
        return Verdict("False", "ServicePortError", f"{named} is not listening on port {reference.port}")
    if not slices:
        return Verdict("False", "EndpointsNotFound", f"cannot find endpointslices for {named}")
    if not any(_has_ready(each) and _has_port(each, port.name) for each in slices):
        message = f'endpointslices for {named} have no addresses with port name "{port.name}"'
        return Verdict("False", "MissingEndpoints", message)
    return None


def _has_ready(part: EndpointSlice) -> bool:
    return any(each.conditions is None or each.conditions.ready is not False for each in part.endpoints)


def _has_port(part: EndpointSlice, name: str) -> bool:
    return any((each.name or "") == name and each.port for each in part.ports)


def is_available(service: APIService) -> bool:
    """What the condition says."""
    return any(each.type == AVAILABLE and each.status == "True" for each in service.status.conditions)


def conditions(
    present: Sequence[APIServiceCondition], verdict: Verdict, now: datetime
) -> list[APIServiceCondition] | None:
    """The conditions with a verdict among them; None where they say so already."""
    old = next((each for each in present if each.type == AVAILABLE), None)
    if old is not None and (old.status, old.reason, old.message) == verdict:
        return None
    since = old.last_transition_time if old is not None and old.status == verdict.status else now
    new = APIServiceCondition(
        type=AVAILABLE,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        last_transition_time=since,
    )
    if old is None:
        return [*present, new]
    return [new if each is old else msgspec.structs.replace(each) for each in present]
