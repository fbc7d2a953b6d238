"""Role bindings and certificates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from steersman.api.types import certificates_v1, rbac_v1

from .printer import NONE, Printer, age, human_duration


def _binding_row(obj: rbac_v1.RoleBinding | rbac_v1.ClusterRoleBinding, now: datetime) -> list[Any]:
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for each in obj.subjects:
        shown = f"{each.namespace}/{each.name}" if each.kind == "ServiceAccount" else each.name
        subjects.setdefault(each.kind, []).append(shown)
    role = f"{obj.role_ref.kind}/{obj.role_ref.name}"
    wide = [", ".join(subjects[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [obj.metadata.name, role, age(obj, now), *wide]


def _request_row(obj: certificates_v1.CertificateSigningRequest, now: datetime) -> list[Any]:
    conditions = {condition.type for condition in obj.status.conditions}
    shown = ["Denied" if "Denied" in conditions else "Approved" if "Approved" in conditions else "Pending"]
    if "Failed" in conditions:
        shown.append("Failed")
    if obj.status.certificate:
        shown.append("Issued")
    requested = obj.spec.expiration_seconds
    return [
        obj.metadata.name,
        age(obj, now),
        obj.spec.signer_name or NONE,
        obj.spec.username,
        NONE if requested is None else human_duration(requested),
        ",".join(shown),
    ]


_BINDING = Printer(("Name", "Role", "Age", "Users+", "Groups+", "ServiceAccounts+"), _binding_row)


TABLE: dict[tuple[str, str], Printer] = {
    ("rbac.authorization.k8s.io", "RoleBinding"): _BINDING,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _BINDING,
    ("certificates.k8s.io", "CertificateSigningRequest"): Printer(
        ("Name", "Age", "SignerName", "Requestor", "RequestedDuration", "Condition"), _request_row
    ),
    ("certificates.k8s.io", "ClusterTrustBundle"): Printer(
        ("Name", "SignerName"), lambda obj, now: [obj.metadata.name, obj.spec.signer_name or NONE]
    ),
}
