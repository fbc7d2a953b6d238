"""The address families of a Service, and their policy (KEP-563; pure)."""

from __future__ import annotations

from collections.abc import Sequence

from steersman.api.errors import FieldError
from steersman.api.types import core_v1 as v1
from steersman.api.validation.faults import Faults
from steersman.api.validation.services import HEADLESS, cluster_addresses, family_of

_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}
_MANY = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
_RELEASE = "must be 'SingleStack' to release the secondary {}"
_POLICY = "spec.ipFamilyPolicy"


def settle(spec: v1.ServiceSpec, before: v1.ServiceSpec | None, cluster: Sequence[str]) -> list[FieldError]:
    """Fill in what was left open, in place; return why it cannot be.

    ``cluster`` names the families that the cluster has, its default first.
    """
    if spec.type == "ExternalName" or _settled_already(spec, before):
        return []
    if not spec.ip_family_policy:
        spec.ip_family_policy = _default_policy(spec, before)
    faults = Faults()
    cluster_addresses(faults, spec)
    if faults:
        return faults
    single = spec.ip_family_policy == "SingleStack"
    if before is not None:
        _shrink(faults, spec, before, single=single)
    if single:
        if len(spec.cluster_ips) == 2:
            faults.invalid(_POLICY, spec.ip_family_policy, _MANY.format("cluster IPs"))
        if len(spec.ip_families) == 2:
            faults.invalid(_POLICY, spec.ip_family_policy, _MANY.format("IP families"))
    _infer(faults, spec, cluster)
    if faults:
        return faults
    if spec.cluster_ip == HEADLESS and not spec.selector:
        # Its endpoints are somebody else's, and may be of any family.
        spec.ip_families = spec.ip_families or [cluster[0]]
        if len(spec.ip_families) == 1 and not single:
            spec.ip_families.append(_OTHER[spec.ip_families[0]])
        return []
    if spec.ip_family_policy == "RequireDualStack" and len(cluster) < 2:
        faults.invalid(_POLICY, spec.ip_family_policy, "this cluster is not configured for dual-stack services")
    for index, family in enumerate(spec.ip_families):
        if family not in cluster:
            faults.invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
    if faults:
        return faults
    spec.ip_families = spec.ip_families or [cluster[0]]
    if not single and len(spec.ip_families) == 1 and len(cluster) == 2:
        spec.ip_families.append(_OTHER[spec.ip_families[0]])
    return []


def _settled_already(spec: v1.ServiceSpec, before: v1.ServiceSpec | None) -> bool:
    """A Service that prefers two families keeps what it has when the cluster gets or loses one."""
    return (
        before is not None
        and spec.ip_family_policy == before.ip_family_policy == "PreferDualStack"
        and spec.cluster_ips == before.cluster_ips
        and spec.ip_families == before.ip_families
    )


def _default_policy(spec: v1.ServiceSpec, before: v1.ServiceSpec | None) -> str:
    if before is not None and before.ip_family_policy:
        return before.ip_family_policy
    return "RequireDualStack" if spec.cluster_ip == HEADLESS and not spec.selector else "SingleStack"


def _shrink(faults: Faults, spec: v1.ServiceSpec, before: v1.ServiceSpec, *, single: bool) -> None:
    if single:
        if spec.cluster_ips == before.cluster_ips:
            spec.cluster_ips = spec.cluster_ips[:1]
        if spec.ip_families == before.ip_families:
            spec.ip_families = spec.ip_families[:1]
        return
    if 0 < len(spec.cluster_ips) < len(before.cluster_ips):
        faults.invalid(_POLICY, spec.ip_family_policy, _RELEASE.format("cluster IP"))
    if 0 < len(spec.ip_families) < len(before.ip_families):
        faults.invalid(_POLICY, spec.ip_family_policy, _RELEASE.format("IP family"))


def _infer(faults: Faults, spec: v1.ServiceSpec, cluster: Sequence[str]) -> None:
    """The families of the addresses that were given."""
    families = list(spec.ip_families)
    for index, text in enumerate(spec.cluster_ips):
        if text == HEADLESS:
            break
        family = family_of(text)
        if index < len(families):
            continue
        if family in cluster:
            families.append(family)
        else:
            faults.invalid(f"spec.clusterIPs[{index}]", spec.cluster_ips, f"{family} is not configured on this cluster")
    spec.ip_families = families
