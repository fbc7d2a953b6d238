"""Paths into custom resources, and the cells and fields that they give."""

from datetime import UTC, datetime
from typing import Any

import pytest

from steersman.api.types.apiextensions_v1 import CustomResourceColumnDefinition
from steersman.apiserver.extensions.columns import compile_column, selected
from steersman.apiserver.extensions.jsonpath import JSONPath, JSONPathError

OBJ: dict[str, Any] = {
    "spec": {"replicas": 3, "paused": False, "ratio": 2.5, "host": "h", "nothing": None, "hosts": ["a", "b", "c"]},
    "metadata": {"labels": {"app.example/name": "web"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "n": 2},
            {"type": "Synced", "status": "False", "n": 1},
        ],
    },
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".spec.replicas", [3]),
        (".", [OBJ]),
        (".spec.missing.more", []),
        (r".metadata.labels.app\.example/name", ["web"]),
        (".metadata.labels['app.example/name']", ["web"]),
        (".spec.hosts[0]", ["a"]),
        (".spec.hosts[-1]", ["c"]),
        (".spec.hosts[7]", []),
        (".spec.hosts[1:]", ["b", "c"]),
        (".spec.hosts[0:3:2]", ["a", "c"]),
        (".spec.hosts[0,2]", ["a", "c"]),
        (".spec.hosts[*]", ["a", "b", "c"]),
        (".spec['host','replicas']", ["h", 3]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type == 'Synced')].status", ["False"]),
        (".status.conditions[?(@.type!='Ready')].n", [1]),
        (".status.conditions[?(@.n>=2)].type", ["Ready"]),
        (".status.conditions[?(@.n<'2')].type", []),
        (".status.conditions[?(@.n)].type", ["Ready", "Synced"]),
        (".status.conditions[?(@.missing)].type", []),
        (".status.conditions.*.type", ["Ready", "Synced"]),
        ("..type", ["Ready", "Synced"]),
    ],
)
def test_finding(path: str, expected: list[Any]) -> None:
    assert JSONPath(path).find(OBJ) == expected


@pytest.mark.parametrize(
    "path", ["", "spec", ".spec[", ".spec[]", ".a..", ".a[?(@.b=)]", ".a[0:1:0]", ".a b", ".a[?(@.b=='c']", ".a}"]
)
def test_texts_that_are_no_paths(path: str) -> None:
    with pytest.raises(JSONPathError):
        JSONPath(path)


def test_simple_paths_can_be_set() -> None:
    path = JSONPath(".spec.scale.replicas")
    assert path.members == ("spec", "scale", "replicas")
    obj: dict[str, Any] = {"spec": {}}
    path.set(obj, 5)
    assert obj == {"spec": {"scale": {"replicas": 5}}}
    with pytest.raises(JSONPathError):
        path.set({"spec": 1}, 5)
    with pytest.raises(JSONPathError):
        JSONPath(".spec[0]").set({}, 5)


@pytest.mark.parametrize(
    ("type_", "path", "cell"),
    [
        ("string", ".spec.host", "h"),
        ("string", ".spec.replicas", "3"),
        ("string", ".spec.paused", "false"),
        ("string", ".spec.hosts", '["a","b","c"]'),
        ("string", ".spec.hosts[*]", "a"),
        ("string", ".spec.nothing", "<no value>"),
        ("string", ".spec.missing", None),
        ("integer", ".spec.replicas", 3),
        ("integer", ".spec.ratio", 2),
        ("integer", ".spec.host", None),
        ("integer", ".spec.paused", None),
        ("number", ".spec.ratio", 2.5),
        ("boolean", ".spec.paused", False),
        ("boolean", ".spec.host", None),
        ("date", ".metadata.creationTimestamp", "24h"),
        ("date", ".spec.host", "<invalid>"),
        ("date", ".spec.replicas", None),
        ("date", ".status.conditions[?(@.type=='Gone')].lastTransitionTime", None),
    ],
)
def test_cells(type_: str, path: str, cell: Any) -> None:
    column = compile_column(CustomResourceColumnDefinition(name="C", type=type_, json_path=path))
    assert column(OBJ, datetime(2026, 1, 2, tzinfo=UTC)) == cell


def test_selectable_fields_are_texts() -> None:
    paths = (".spec.host", ".spec.replicas", ".spec.paused", ".spec.missing", ".spec.hosts")
    assert [selected(JSONPath(path), OBJ) for path in paths] == ["h", "3", "false", "", ""]
