"""One row for each rule of what every object has."""

from __future__ import annotations

import pytest

from steersman.api import codecs
from steersman.api.types import core_v1 as v1

from .grammars import LABEL, LABEL_VALUE, QUALIFIED, SUBDOMAIN
from .samples import build, faults, update_faults

BASE = "metadata: {name: x, namespace: default}"
OWNER = "apiVersion: v1, kind: Pod, name: p, uid: u"

ROWS = [
    ("name: ''", ["name: Required value: name or generateName is required"]),
    ("name: A", [f'name: Invalid value: "A": {SUBDOMAIN}']),
    (f"name: {'a' * 254}", [f'name: Invalid value: "{"a" * 254}": must be no more than 253 characters']),
    ("generateName: a-", []),
    ("generateName: A-", []),
    ("generateName: AB-", [f'generateName: Invalid value: "AB-": {SUBDOMAIN}']),
    ("namespace: A", [f'namespace: Invalid value: "A": {LABEL}']),
    ("namespace: ''", ["namespace: Required value"]),
    ("generation: -1", ["generation: Invalid value: -1: must be greater than or equal to 0"]),
    ("labels: {'-': a}", [f'labels: Invalid value: "-": {QUALIFIED}']),
    ("labels: {a: '-'}", [f'labels: Invalid value: "-": {LABEL_VALUE}']),
    (f"labels: {{a: {'x' * 64}}}", [f'labels: Invalid value: "{"x" * 64}": must be no more than 63 characters']),
    (f"labels: {{a/{'x' * 64}: b}}", [
        f'labels: Invalid value: "a/{"x" * 64}": name part must be no more than 63 characters'
    ]),
    ("labels: {A/b: c}", [f'labels: Invalid value: "A/b": prefix part {SUBDOMAIN}']),
    ("annotations: {A/b: c}", []),
    ("annotations: {/b: c}", ['annotations: Invalid value: "/b": prefix part must be non-empty']),
    (f"annotations: {{a: {'x' * (1 << 18)}}}", ["annotations: Too long: may not be more than 262144 bytes"]),
    (f"annotations: {{a: {'x' * ((1 << 18) - 1)}}}", []),
    ("ownerReferences: [{apiVersion: '', kind: '', name: '', uid: ''}]", [
        'ownerReferences.apiVersion: Invalid value: "": version must not be empty',
        'ownerReferences.kind: Invalid value: "": kind must not be empty',
        'ownerReferences.name: Invalid value: "": name must not be empty',
        'ownerReferences.uid: Invalid value: "": uid must not be empty',
    ]),
    ("ownerReferences: [{apiVersion: v1, kind: Event, name: e, uid: u}]", [
        'ownerReferences: Invalid value: {"apiVersion":"v1","kind":"Event","name":"e","uid":"u"}: /v1, Kind=Event is '
        "disallowed from being an owner"
    ]),
    (f"ownerReferences: [{{{OWNER}, controller: true}}, {{{OWNER.replace('name: p', 'name: q')}, controller: true}}]", [
        'ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u","controller":true},'
        '{"apiVersion":"v1","kind":"Pod","name":"q","uid":"u","controller":true}]: Only one reference can have Controller '
        'set to true. Found "true" in references for Pod/p and Pod/q'
    ]),
    ("finalizers: [odd]", [
        'finalizers[0]: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified'
    ]),
    ("finalizers: [example.com/a, kubernetes]", []),
    ("finalizers: [example.com/-]", [f'finalizers: Invalid value: "example.com/-": {QUALIFIED}']),
    ("finalizers: [orphan, foregroundDeletion]", [
        'finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be '
        "both set"
    ]),
    ("managedFields: [{operation: Delete, fieldsType: FieldsV2}]", [
        'managedFields[0].operation: Invalid value: "Delete": must be `Apply` or `Update`',
        'managedFields[0].fieldsType: Invalid value: "FieldsV2": must be `FieldsV1`',
    ]),
    (f"managedFields: [{{operation: Apply, manager: {'m' * 129}, subresource: {'s' * 257}}}]", [
        "managedFields[0].manager: Too long: may not be more than 128 bytes",
        "managedFields[0].subresource: Too long: may not be more than 256 bytes",
    ]),
    ('managedFields: [{operation: Apply, manager: "a\\tb"}]', [
        'managedFields[0].manager: Invalid value: "a\\tb": should only contain printable characters'
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("metadata", "said"), ROWS, ids=lambda value: str(value)[:60])
def test_what_is_said_of_metadata(metadata: str, said: list[str]) -> None:
    found = faults(v1.ConfigMap, BASE, f"metadata: {{{metadata}}}")
    assert [fault.removeprefix("metadata.") for fault in found] == said


def test_what_belongs_to_no_namespace() -> None:
    assert faults(v1.Node, BASE) == ["metadata.namespace: Forbidden: not allowed on this type"]


FULL = (
    "metadata: {name: x, namespace: default, uid: u, creationTimestamp: 2026-01-01T00:00:00Z, generation: 5, "
    "deletionTimestamp: 2026-01-02T00:00:00Z, deletionGracePeriodSeconds: 30, finalizers: [example.com/a]}"
)
CHANGES = [
    ("finalizers: []", []),
    ("finalizers: [example.com/a, example.com/b]", [
        "finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        '[]string{"example.com/b"}'
    ]),
    ("generation: 4", ["generation: Invalid value: 4: must not be decremented"]),
    ("name: z", ['name: Invalid value: "z": field is immutable']),
    ("namespace: z", ['namespace: Invalid value: "z": field is immutable']),
    ("uid: z", ['uid: Invalid value: "z": field is immutable']),
    ("creationTimestamp: 2026-01-03T00:00:00Z", [
        'creationTimestamp: Invalid value: "2026-01-03T00:00:00Z": field is immutable'
    ]),
    ("deletionTimestamp: 2026-01-03T00:00:00Z", [
        'deletionTimestamp: Invalid value: "2026-01-03T00:00:00Z": field is immutable'
    ]),
    ("deletionGracePeriodSeconds: 10", ["deletionGracePeriodSeconds: Invalid value: 10: field is immutable"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=lambda value: str(value)[:60])
def test_what_may_change_of_metadata(change: str, said: list[str]) -> None:
    found = update_faults(v1.ConfigMap, FULL, f"metadata: {{{change}}}")
    assert [fault.removeprefix("metadata.") for fault in found] == said


def test_samples_are_valid() -> None:
    assert faults(v1.ConfigMap, codecs.encode(build(v1.ConfigMap, FULL)).decode()) == []
