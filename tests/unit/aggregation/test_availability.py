"""Where the server of an APIService is, and why it cannot be there: decided by its Service and slices alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steersman.api.types.apiregistration_v1 import APIServiceCondition, ServiceReference
from steersman.api.types.core_v1 import Service, ServicePort, ServiceSpec
from steersman.api.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.aggregation.availability import LOCAL, PASSED, conditions, failed, judge
from steersman.apiserver.aggregation.backends import Address, addresses, resolved

REFERENCE = ServiceReference(namespace="n", name="s", port=443)
WEB = ServicePort(name="https", port=443)


def service(*ports: ServicePort, **spec: Any) -> Service:
    return Service(
        metadata=ObjectMeta(name="s"), spec=ServiceSpec(type="ClusterIP", ports=list(ports or [WEB]), **spec)
    )


def piece(
    *found: str, port: int | None = 8443, name: str = "https", ready: bool | None = None, sort: str = "IPv4"
) -> Any:
    endpoints = [Endpoint(addresses=[each], conditions=EndpointConditions(ready=ready)) for each in found]
    return EndpointSlice(
        metadata=ObjectMeta(name="s"),
        address_type=sort,
        endpoints=endpoints,
        ports=[EndpointPort(name=name, port=port)],
    )


A, B = piece("192.0.2.1"), piece("2001:db8::1", sort="IPv6")
NAMED = 'service/s in "n"'
NOWHERE = f'endpointslices for {NAMED} have no addresses with port name "https"'


@pytest.mark.parametrize(
    ("found", "slices", "reason", "message", "at"),
    [
        (None, [], "ServiceNotFound", f"{NAMED} is not present", 'service "s" not found'),
        (service(), [A, B], None, "", [Address("192.0.2.1", 8443), Address("2001:db8::1", 8443)]),
        (service(), [A, A], None, "", [Address("192.0.2.1", 8443)]),
        (service(cluster_ip="None"), [A], None, "", [Address("192.0.2.1", 8443)]),
        (
            service(ServicePort(name="https", port=8080)),
            [A],
            "ServicePortError",
            f"{NAMED} is not listening on port 443",
            'no service port 443 found for service "s"',
        ),
        (
            service(),
            [],
            "EndpointsNotFound",
            f"cannot find endpointslices for {NAMED}",
            'no endpoints available for service "s"',
        ),
        (service(), [piece()], "MissingEndpoints", NOWHERE, 'no endpoints available for service "s"'),
        (
            service(),
            [piece("192.0.2.1", ready=False)],
            "MissingEndpoints",
            NOWHERE,
            'no endpoints available for service "s"',
        ),
        (
            service(),
            [piece("192.0.2.1", name="other")],
            "MissingEndpoints",
            NOWHERE,
            'no endpoints available for service "s"',
        ),
        # What a name in a slice means is decided elsewhere, after it was looked at.
        (service(), [piece("a.example", sort="FQDN")], None, "", 'no endpoints available for service "s"'),
        (
            Service(spec=ServiceSpec(type="ExternalName", external_name="a.example")),
            [],
            None,
            "",
            [Address("a.example", 443)],
        ),
    ],
)
def test_where_a_server_is(found: Service | None, slices: Any, reason: str | None, message: str, at: Any) -> None:
    verdict = judge(REFERENCE, found, slices)
    assert (verdict and (verdict.status, verdict.reason, verdict.message)) == (
        ("False", reason, message) if reason else None
    )
    if isinstance(at, str):
        with pytest.raises(OSError, match=at):
            addresses(REFERENCE, found, slices)
    else:
        assert addresses(REFERENCE, found, slices) == at


def test_a_server_is_not_its_own_backend() -> None:
    with pytest.raises(OSError, match="is this server itself"):
        addresses(ServiceReference(namespace="default", name="kubernetes", port=443), service(), [A])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "169.254.169.254", "0.0.0.0"])
async def test_addresses_that_are_nobodys(host: str) -> None:
    with pytest.raises(OSError, match="address not allowed"):
        await resolved(Address(host, 443))


async def test_addresses_are_taken_as_they_are() -> None:
    assert await resolved(Address("192.0.2.1", 443)) == Address("192.0.2.1", 443)


def test_conditions_move_with_their_status() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    other = APIServiceCondition(type="Other", status="True", last_transition_time=now)
    first = conditions([other], PASSED, now)
    assert first is not None
    assert [(each.type, each.status, each.reason) for each in first] == [
        ("Other", "True", ""),
        ("Available", "True", "Passed"),
    ]
    assert conditions(first, PASSED, now + timedelta(1)) is None
    local = conditions(first, LOCAL, now + timedelta(1))
    assert local is not None
    assert (local[1].reason, local[1].last_transition_time) == ("Local", now)
    gone = conditions(local, failed("why"), now + timedelta(2))
    assert gone is not None
    assert (gone[1].status, gone[1].message, gone[1].last_transition_time) == ("False", "why", now + timedelta(2))
