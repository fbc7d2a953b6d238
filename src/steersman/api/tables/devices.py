"""Claims of devices, and where there are some."""

from __future__ import annotations

from typing import Any

from .printer import Printer, aged


def _claim_state(obj: Any) -> str:
    """Of a ResourceClaim of any version."""
    states = ["deleted"] if obj.metadata.deletion_timestamp else []
    if obj.status.allocation is None:
        states = states or ["pending"]
    else:
        states.append("allocated")
        if obj.status.reserved_for:
            states.append("reserved")
    return ",".join(states)


TABLE: dict[tuple[str, str], Printer] = {
    ("resource.k8s.io", "DeviceClass"): aged((), lambda obj: []),
    ("resource.k8s.io", "ResourceClaim"): aged(("State",), lambda obj: [_claim_state(obj)]),
    ("resource.k8s.io", "ResourceClaimTemplate"): aged((), lambda obj: []),
    ("resource.k8s.io", "ResourceSlice"): aged(
        ("Node", "Driver", "Pool"),
        lambda obj: [
            obj.spec.node_name,
            obj.spec.driver,
            obj.spec.pool.name,
        ],
    ),
}
