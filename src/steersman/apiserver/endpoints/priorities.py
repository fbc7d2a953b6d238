"""In which order groups and versions are listed: the priorities of upstream's own APIServices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Priority(NamedTuple):
    """``groupPriorityMinimum`` and ``versionPriority`` of an APIService; what is higher comes first."""

    group: int
    version: int


CUSTOM = Priority(1000, 100)
"""Of the group-versions that CustomResourceDefinitions make."""

FIRST = Priority(20_001, 15)
"""Higher than any APIService may have: the group that has the APIServices comes first, and has none of its own."""

REGISTRATION = ("apiregistration.k8s.io", "v1")

BUILTIN: Mapping[tuple[str, str], Priority] = {
    ("", "v1"): Priority(18_000, 1),
    ("apps", "v1"): Priority(17_800, 15),
    ("events.k8s.io", "v1"): Priority(17_750, 15),
    ("authentication.k8s.io", "v1"): Priority(17_700, 15),
    ("authorization.k8s.io", "v1"): Priority(17_600, 15),
    ("autoscaling", "v1"): Priority(17_500, 15),
    ("autoscaling", "v2"): Priority(17_500, 30),
    ("batch", "v1"): Priority(17_400, 15),
    ("certificates.k8s.io", "v1"): Priority(17_300, 15),
    ("certificates.k8s.io", "v1beta1"): Priority(17_300, 9),
    ("certificates.k8s.io", "v1alpha1"): Priority(17_300, 1),
    ("networking.k8s.io", "v1"): Priority(17_200, 15),
    ("networking.k8s.io", "v1beta1"): Priority(17_200, 9),
    ("policy", "v1"): Priority(17_100, 15),
    ("rbac.authorization.k8s.io", "v1"): Priority(17_000, 15),
    ("storage.k8s.io", "v1"): Priority(16_800, 15),
    ("storage.k8s.io", "v1beta1"): Priority(16_800, 9),
    ("admissionregistration.k8s.io", "v1"): Priority(16_700, 15),
    ("admissionregistration.k8s.io", "v1beta1"): Priority(16_700, 12),
    ("admissionregistration.k8s.io", "v1alpha1"): Priority(16_700, 9),
    ("apiextensions.k8s.io", "v1"): Priority(16_700, 15),
    ("scheduling.k8s.io", "v1"): Priority(16_600, 15),
    ("scheduling.k8s.io", "v1alpha1"): Priority(16_600, 9),
    ("coordination.k8s.io", "v1"): Priority(16_500, 15),
    ("coordination.k8s.io", "v1beta1"): Priority(16_500, 13),
    ("coordination.k8s.io", "v1alpha2"): Priority(16_500, 12),
    ("node.k8s.io", "v1"): Priority(16_300, 15),
    ("discovery.k8s.io", "v1"): Priority(16_200, 15),
    ("resource.k8s.io", "v1"): Priority(16_200, 20),
    ("resource.k8s.io", "v1beta2"): Priority(16_200, 15),
    ("resource.k8s.io", "v1beta1"): Priority(16_200, 9),
    ("resource.k8s.io", "v1alpha3"): Priority(16_200, 1),
    ("flowcontrol.apiserver.k8s.io", "v1"): Priority(16_100, 21),
    ("internal.apiserver.k8s.io", "v1alpha1"): Priority(16_000, 9),
    ("storagemigration.k8s.io", "v1beta1"): Priority(15_800, 9),
}


def priority(group: str, version: str) -> Priority:
    """The priority of a group-version that is served here."""
    return FIRST if (group, version) == REGISTRATION else BUILTIN.get((group, version), CUSTOM)
