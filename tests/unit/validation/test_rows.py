"""A row for each of upstream's rules, in a module of each group: what is said of new objects and of changes."""

from __future__ import annotations

from types import ModuleType

import pytest

from . import admission, apps, certificates, definitions, devices, networking, scheduling, slices, small_groups, storage
from .objects import Change, Row, Valid

GROUPS: dict[str, ModuleType] = {
    "admission": admission,
    "apps": apps,
    "certificates": certificates,
    "definitions": definitions,
    "devices": devices,
    "networking": networking,
    "scheduling": scheduling,
    "slices": slices,
    "small_groups": small_groups,
    "storage": storage,
}

KINDS: list[tuple[str, Valid]] = [
    (f"{name}-{kind}", valid) for name, group in GROUPS.items() for kind, valid in group.KINDS.items()
]
ROWS: list[tuple[ModuleType, Row]] = [(group, row) for group in GROUPS.values() for row in group.ROWS]
CHANGES: list[tuple[ModuleType, Change]] = [(group, row) for group in GROUPS.values() for row in group.CHANGES]


def _identified(value: ModuleType | Row | Change) -> str:
    if isinstance(value, ModuleType):
        return value.__name__.rpartition(".")[2]
    return f"{value[0]}-{value[1][:60]}"


@pytest.mark.parametrize("valid", [valid for _, valid in KINDS], ids=[name for name, _ in KINDS])
def test_a_valid_one_passes(valid: Valid) -> None:
    assert valid.faults() == []
    assert valid.change("{}", "{}") == []


@pytest.mark.parametrize(("group", "row"), ROWS, ids=_identified)
def test_new_ones(group: ModuleType, row: Row) -> None:
    kind, patch, faults = row
    assert group.KINDS[kind].faults(patch) == faults


@pytest.mark.parametrize(("group", "row"), CHANGES, ids=_identified)
def test_changes(group: ModuleType, row: Change) -> None:
    assert group.KINDS[row.kind].change(row.old, row.new, row.subresource) == row.faults


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet"])
def test_the_template_of_a_meaningless_selector_is_not_looked_at(kind: str) -> None:
    found = apps.KINDS[kind].faults(apps.NEAR, "spec: {template: {spec: {restartPolicy: OnFailure}}}")
    assert found[0] == apps.OPERATOR
    assert found[1].startswith("spec.selector: Invalid value: ")
    assert found[1].endswith(": invalid label selector")
    assert len(found) == 2


def test_a_binding_keeps_its_role() -> None:
    (fault,) = small_groups.KINDS["RoleBinding"].change("{}", "roleRef: {name: s}")
    assert fault.startswith("roleRef: Invalid value: {")
    assert fault.endswith("}: cannot change roleRef")


def test_what_a_driver_can_attach_is_no_part_of_what_must_stay() -> None:
    driver = "spec: {drivers: [{name: d, nodeID: m, allocatable: {count: 5}}]}"
    (fault,) = storage.KINDS["CSINode"].change("{}", driver)
    assert fault.startswith("spec.drivers: Invalid value: ")
    assert fault.endswith(": field is immutable")
    assert "allocatable" not in fault
