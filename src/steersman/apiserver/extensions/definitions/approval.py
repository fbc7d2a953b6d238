"""Whether a definition in one of the groups of Kubernetes itself was approved (KEP-1111)."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from steersman.api.types.apiextensions_v1 import CustomResourceDefinition
from steersman.apiserver.registry.definition_conditions import CONFORMANT, set_condition

ANNOTATION = "api-approved.kubernetes.io"


def is_protected(group: str) -> bool:
    """Whether a group belongs to Kubernetes: ``k8s.io``, ``kubernetes.io`` and what is below them."""
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))


def judge(definition: CustomResourceDefinition, now: datetime) -> None:
    """Say in the status of a definition how things are, in place."""
    if not is_protected(definition.spec.group):
        return
    given = definition.metadata.annotations.get(ANNOTATION, "")
    if not given:
        message = (
            f'protected groups must have approval annotation "{ANNOTATION}", '
            "see https://github.com/kubernetes/enhancements/pull/1111"
        )
        verdict = "False", "MissingAnnotation", message
    elif given.startswith("unapproved"):
        verdict = "False", "UnapprovedAnnotation", f'not approved: "{given}"'
    elif urlsplit(given).scheme and urlsplit(given).netloc:
        verdict = "True", "ApprovedAnnotation", f"approved in {given}"
    else:
        message = (
            f'protected groups must have approval annotation "{ANNOTATION}" with either a URL or a reason '
            'starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111'
        )
        verdict = "False", "InvalidAnnotation", message
    set_condition(definition, CONFORMANT, *verdict, now)
