"""Resources: their names, and what containers and pods ask for."""

from __future__ import annotations

from collections.abc import Callable, Collection

from steersman.api import errors, quantity
from steersman.api.pods import hugepages, native, pod_level, totals, whole_pages
from steersman.api.types import core_v1 as v1

from . import names
from .faults import Faults, verdict

NameCheck = Callable[[Faults, str, str], None]

_CONTAINER = ("cpu", "ephemeral-storage", "memory")
_COUNTED = (
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
)
_QUOTA = frozenset(
    (
        *_CONTAINER,
        *_COUNTED,
        *(f"{part}.{name}" for part in ("limits", "requests") for name in _CONTAINER),
        "requests.storage",
    )
)
_STANDARD = _QUOTA | {"storage"}
_POD_LEVEL = ("cpu", "memory")


def _quota_hugepages(name: str) -> bool:
    return name.startswith(("hugepages-", "requests.hugepages-"))


def extended(name: str) -> bool:
    """Whether a resource is somebody's own: ``example.com/gpu``."""
    if native(name) or name.startswith("requests."):
        return False
    return not verdict(names.qualified_name, f"requests.{name}")


def counted(name: str) -> bool:
    """Whether amounts of a resource are whole numbers."""
    return name in _COUNTED or extended(name)


def overcommittable(name: str) -> bool:
    """Whether the limit of a resource may exceed its request."""
    return native(name) and not hugepages(name)


def standard_for_quota(name: str) -> bool:
    """Whether a quota counts a resource under this unqualified name."""
    return name in _QUOTA or _quota_hugepages(name)


def resource_name(faults: Faults, name: str, path: str) -> None:
    """``cpu``, ``pods``, ``hugepages-2Mi``, ``example.com/gpu``."""
    if found := verdict(names.qualified_name, name):
        for fault in found:
            faults.invalid(path, name, fault)
    elif "/" not in name and name not in _STANDARD and not _quota_hugepages(name):
        faults.invalid(path, name, "must be a standard resource type or fully qualified")


def container_resource_name(faults: Faults, name: str, path: str) -> None:
    """A resource that a container can ask for."""
    if name in _CONTAINER:
        return
    resource_name(faults, name, path)
    if "/" not in name:
        if not hugepages(name):
            faults.invalid(path, name, "must be a standard resource for containers")
    elif not native(name) and not extended(name):
        faults.invalid(path, name, "doesn't follow extended resource name standard")


def quota_resource_name(faults: Faults, name: str, path: str) -> None:
    """A resource that a quota can limit."""
    resource_name(faults, name, path)
    if "/" not in name and not standard_for_quota(name):
        faults.invalid(path, name, "must be a standard resource for quota")


def pod_resource_name(faults: Faults, name: str, path: str) -> None:
    """A resource that a pod can ask for as a whole (KEP-2837)."""
    before = len(faults)
    resource_name(faults, name, path)
    if len(faults) == before and not pod_level(name):
        faults.append(errors.not_supported(path, name, _POD_LEVEL))


def amount(faults: Faults, name: str, value: str, path: str) -> None:
    """How much there is of a resource."""
    faults.amount(path, value)
    if name not in _CONTAINER and counted(name) and quantity.milli_value(value) % 1000:
        faults.invalid(path, value, "must be an integer")


def requirements(
    faults: Faults,
    resources: v1.ResourceRequirements,
    path: str,
    claims: Collection[str] = (),
    check_name: NameCheck = container_resource_name,
) -> None:
    """Requests and limits; ``claims`` are the names of the pod's resource claims."""
    for name, limit in resources.limits.items():
        place = f"{path}.limits[{name}]"
        check_name(faults, name, place)
        amount(faults, name, limit, place)
        _pages(faults, name, limit, place)
    for name, request in resources.requests.items():
        place = f"{path}.requests[{name}]"
        check_name(faults, name, place)
        amount(faults, name, request, place)
        bound = resources.limits.get(name)
        if bound is not None:
            asked, most = quantity.parse(request), quantity.parse(bound)
            if asked != most and not overcommittable(name):
                faults.invalid(f"{path}.requests", request, f"must be equal to {name} limit of {bound}")
            elif asked > most:
                faults.invalid(f"{path}.requests", request, f"must be less than or equal to {name} limit of {bound}")
        elif not overcommittable(name):
            faults.append(errors.required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        _pages(faults, name, request, place)
    named = resources.limits.keys() | resources.requests.keys()
    if any(map(hugepages, named)) and not named & {"cpu", "memory"}:
        faults.forbidden(path, "HugePages require cpu or memory")
    if resources.claims:
        _claims(faults, resources.claims, claims, f"{path}.claims")


def _pages(faults: Faults, name: str, value: str, path: str) -> None:
    if hugepages(name) and not whole_pages(name, value):
        faults.invalid(path, value, f"{value} is not positive integer multiple of {name}")


def _claims(faults: Faults, values: list[v1.ResourceClaim], known: Collection[str], path: str) -> None:
    """Each is a claim of the pod, or one request of it; none is named twice."""
    seen: set[str] = set()
    for index, claim in enumerate(values):
        place = f"{path}[{index}]"
        if not faults.required(place, claim.name):
            continue
        key = f"{claim.name}/{claim.request}" if claim.request else claim.name
        if claim.name in seen:
            faults.append(errors.duplicate(place, claim.name))
        else:
            if claim.request:
                faults.grammar(f"{place}.request", claim.request, names.dns1123_label)
            if key in seen:
                faults.append(errors.duplicate(place, key))
            elif not claim.request and any(other.startswith(f"{claim.name}/") for other in seen):
                faults.append(errors.duplicate(place, claim.name))
            seen.add(key)
        if claim.name not in known:
            there = f": {', '.join(sorted(known))}" if known else " which is empty"
            detail = f"must be one of the names in pod.spec.resourceClaims{there}"
            faults.append(errors.not_found_value(place, claim.name, detail))


def pod_claims(faults: Faults, values: list[v1.PodResourceClaim], path: str, *, static: bool) -> None:
    """The resource claims of a pod, by which its containers name them."""
    seen: set[str] = set()
    for index, claim in enumerate(values):
        place = f"{path}[{index}]"
        if static:
            faults.forbidden("", "static pods do not support resource claims")
            continue
        if claim.name in seen:
            faults.append(errors.duplicate(f"{place}.name", claim.name))
        else:
            faults.name(f"{place}.name", claim.name, names.dns1123_label)
            seen.add(claim.name)
        if claim.resource_claim_name and claim.resource_claim_template_name:
            detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            faults.invalid(place, claim, detail)
        if not claim.resource_claim_name and not claim.resource_claim_template_name:
            detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            faults.invalid(place, claim, detail)
        for name, value in (
            ("resourceClaimName", claim.resource_claim_name),
            ("resourceClaimTemplateName", claim.resource_claim_template_name),
        ):
            if value:
                faults.grammar(f"{place}.{name}", value, names.dns1123_subdomain)


def pod_requirements(faults: Faults, spec: v1.PodSpec, path: str) -> None:
    """What the pod asks for as a whole, against what its containers ask for."""
    resources = spec.resources
    if resources is None:
        return
    if spec.os is not None and spec.os.name == "windows":
        faults.forbidden(path, "may not be set for a windows pod")
        return
    if resources.claims:
        faults.forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level")
    known = {claim.name for claim in spec.resource_claims}
    requirements(faults, resources, path, known, pod_resource_name)
    for name, total in totals(spec, "requests").items():
        bound = resources.requests.get(name)
        if bound is not None and total > quantity.parse(bound):
            shown = quantity.format_quantity(total, quantity.parse_with_format(bound)[1])
            detail = f"must be greater than or equal to aggregate container requests of {shown}"
            faults.invalid(f"{path}.requests[{name}]", bound, detail)
    for name, total in totals(spec, "limits").items():
        bound = resources.limits.get(name)
        if hugepages(name) and bound is not None and total > quantity.parse(bound):
            shown = quantity.format_quantity(total, quantity.parse_with_format(bound)[1])
            detail = f"must be greater than or equal to aggregate container limits of {shown}"
            faults.invalid(f"{path}.limits[{name}]", bound, detail)
    for index, container in enumerate(spec.containers):
        for name, limit in container.resources.limits.items():
            bound = resources.limits.get(name)
            if bound is not None and quantity.parse(limit) > quantity.parse(bound):
                place = f"{path}.containers[{index}][{name}].limits"
                faults.invalid(place, limit, f"must be less than or equal to pod limits of {bound}")
