"""The group coordination.k8s.io: Leases, and candidates for coordinated election (KEP-4355)."""

from __future__ import annotations

from typing import Any

from steersman.api import errors
from steersman.api.types import coordination_v1, coordination_v1alpha2, coordination_v1beta1

from . import names
from .faults import Faults
from .forms import SEMANTIC_VERSION
from .rules import Rules

LeaseCandidate = coordination_v1alpha2.LeaseCandidate | coordination_v1beta1.LeaseCandidate

OLDEST = "OldestEmulationVersion"
_NO_VERSION = (0, 0, 0)


def lease(faults: Faults, obj: coordination_v1.Lease) -> None:
    spec = obj.spec
    faults.positive("spec.leaseDurationSeconds", spec.lease_duration_seconds)
    faults.natural("spec.leaseTransitions", spec.lease_transitions)
    if spec.strategy:
        _strategy(faults, spec.strategy, "spec.strategy")
    elif spec.preferred_holder:
        faults.forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined")


def lease_candidate(faults: Faults, obj: LeaseCandidate) -> None:
    spec = obj.spec
    faults.required("spec.leaseName", spec.lease_name)
    emulation = _version(faults, spec.emulation_version, "spec.emulationVersion")
    faults.required("spec.binaryVersion", spec.binary_version)
    binary = _version(faults, spec.binary_version, "spec.binaryVersion")
    if spec.binary_version and spec.emulation_version and binary < emulation:
        faults.invalid("spec.binaryVersion", spec.binary_version, "must be greater than or equal to `emulationVersion`")
    if not spec.strategy:
        faults.append(errors.required("spec.strategy"))
        return
    if spec.strategy == OLDEST and emulation == _NO_VERSION:
        faults.append(errors.required("spec.emulationVersion", f"must be specified when `strategy` is '{OLDEST}'"))
    _strategy(faults, spec.strategy, "spec.strategy")


def _version(faults: Faults, text: str, path: str) -> tuple[int, int, int]:
    """What is absent or malformed counts as version 0."""
    if not text:
        return _NO_VERSION
    match = SEMANTIC_VERSION.fullmatch(text)
    if match is None:
        faults.invalid(path, text, "must be a valid semantic version")
        return _NO_VERSION
    major, minor, patch = (int(number) for number in match.group(1, 2, 3))
    return major, minor, patch


def _strategy(faults: Faults, strategy: str, path: str) -> None:
    """Upstream names the member twice."""
    path = f"{path}.strategy"
    if "/" in strategy:
        faults.grammar(path, strategy, names.qualified_name)
    elif strategy != OLDEST:
        faults.unsupported(path, strategy, (OLDEST,))


def lease_candidate_update(faults: Faults, new: LeaseCandidate, old: LeaseCandidate) -> None:
    faults.immutable("spec.leaseName", new.spec.lease_name, old.spec.lease_name)


_CANDIDATE = Rules(lease_candidate, lease_candidate_update, names.config_map_key)

TABLE: dict[type[Any], Rules] = {
    coordination_v1.Lease: Rules(lease),
    coordination_v1alpha2.LeaseCandidate: _CANDIDATE,
    coordination_v1beta1.LeaseCandidate: _CANDIDATE,
}
