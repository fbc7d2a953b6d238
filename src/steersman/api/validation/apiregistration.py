"""The group apiregistration.k8s.io: APIServices."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import apiregistration_v1 as v1

from . import names
from .faults import Faults
from .rules import Rules


def api_service(faults: Faults, obj: v1.APIService) -> None:
    spec, name = obj.spec, obj.metadata.name
    wanted = f"{spec.version}.{spec.group}"
    if name and name != wanted and not tuple(names.path_segment(name)):
        faults.invalid("metadata.name", name, f'must be `spec.version+"."+spec.group`: {errors.go_value(wanted)}')
    if spec.group:
        faults.grammar("spec.group", spec.group, names.dns1123_subdomain)
    elif spec.version != "v1":
        detail = "only v1 may have an empty group and it better be legacy kube"
        faults.append(errors.required("spec.group", detail))
    faults.grammar("spec.version", spec.version, names.dns1035_label)
    for member, value, limit in (
        ("groupPriorityMinimum", spec.group_priority_minimum, 20_000),
        ("versionPriority", spec.version_priority, 1000),
    ):
        if not 0 < value <= limit:
            faults.invalid(f"spec.{member}", value, f"must be positive and less than {limit}")
    if spec.service is None:
        if spec.ca_bundle:
            detail = "local APIServices may not have a caBundle"
            faults.invalid("spec.caBundle", f"{len(spec.ca_bundle)} bytes", detail)
        if spec.insecure_skip_tls_verify:
            detail = "local APIServices may not have insecureSkipTLSVerify"
            faults.invalid("spec.insecureSkipTLSVerify", True, detail)
        return
    faults.required("spec.service.namespace", spec.service.namespace)
    faults.required("spec.service.name", spec.service.name)
    port = spec.service.port or 0
    if bad := ", ".join(names.port_number(port)):
        faults.invalid("spec.service.port", port, f"port is not valid: {bad}")
    if spec.insecure_skip_tls_verify and spec.ca_bundle:
        faults.invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present")


def api_service_status(faults: Faults, new: v1.APIService, old: v1.APIService) -> None:
    for index, condition in enumerate(new.status.conditions):
        if condition.status not in ("True", "False", "Unknown"):
            place = f"status.conditions[{index}].status"
            faults.unsupported(place, condition.status, ("True", "False", "Unknown"))


TABLE: dict[type[Any], Rules] = {
    v1.APIService: Rules(api_service, name=names.path_segment, subresources={"status": api_service_status}),
}
