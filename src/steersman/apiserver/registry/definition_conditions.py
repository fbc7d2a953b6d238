"""The conditions of a CustomResourceDefinition, and its finalizer."""

from __future__ import annotations

from datetime import datetime

from steersman.api.types.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionCondition

ESTABLISHED = "Established"
NAMES_ACCEPTED = "NamesAccepted"
TERMINATING = "Terminating"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
"""Keeps a definition until its objects have gone."""

CONFORMANT = "KubernetesAPIApprovalPolicyConformant"


def condition(definition: CustomResourceDefinition, type_: str) -> CustomResourceDefinitionCondition | None:
    """One of them, None where it has never been set."""
    return next((each for each in definition.status.conditions if each.type == type_), None)


def is_true(definition: CustomResourceDefinition, type_: str) -> bool:
    """Whether a condition holds."""
    found = condition(definition, type_)
    return found is not None and found.status == "True"


def set_condition(
    definition: CustomResourceDefinition, type_: str, status: str, reason: str, message: str, now: datetime
) -> None:
    """Say how things are, in place; the time of the last transition stays where the status does."""
    found = condition(definition, type_)
    if found is None:
        found = CustomResourceDefinitionCondition(type=type_)
        definition.status.conditions = [*definition.status.conditions, found]
    if found.status != status:
        found.last_transition_time = now.replace(microsecond=0)
    found.status, found.reason, found.message = status, reason, message
