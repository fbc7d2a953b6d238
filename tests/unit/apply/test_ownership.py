"""Who owns what after updates and applications, on bare JSON data."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.types import apps_v1, core_v1
from steersman.apiserver.patch.apply import fields
from steersman.apiserver.patch.apply.builtin import schema_of
from steersman.apiserver.patch.apply.conflicts import Conflicts
from steersman.apiserver.patch.apply.managers import MAX_UPDATERS, Managed, Manager, Owned, applier, cap, updater
from steersman.apiserver.patch.apply.merge import merge
from steersman.apiserver.patch.apply.ownership import Changes, Target, applied, updated
from steersman.apiserver.patch.apply.schema import DEDUCED, Schema
from steersman.apiserver.patch.apply.structural import schema_from
from steersman.apiserver.patch.apply.values import compare, faults, field_set

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POD = schema_of(core_v1.Pod)
CUSTOM = schema_from(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "numeric": {"type": "integer"},
                    "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                    "list": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object",
                            "properties": {"name": {"type": "string"}, "value": {"type": "integer"}},
                        },
                    },
                    "atomic": {
                        "type": "object",
                        "x-kubernetes-map-type": "atomic",
                        "additionalProperties": {"type": "string"},
                    },
                    "map": {"type": "object", "additionalProperties": {"type": "integer"}},
                    "plain": {"type": "array", "items": {"type": "string"}},
                },
            }
        },
    },
    root=True,
)


class Cluster:
    """An object, and who manages it."""

    def __init__(self, schema: Schema = CUSTOM) -> None:
        self.schema = schema
        self.live: dict[str, Any] = {"metadata": {}}
        self.managed: Managed = {}

    def apply(self, name: str, spec: Any, *, force: bool = False) -> bool:
        def targets(version: str) -> Target | None:
            return Target(self.schema, lambda tree: tree, lambda tree: tree) if version == "v1" else None

        config = {"kind": "Thing", "metadata": {"name": "x"}, "spec": spec}
        result = applied(self.live, config, self.managed, applier(name), "v1", targets, NOW, force=force)
        self.live, self.managed = result.tree, result.managed
        return result.changed

    def update(self, name: str, spec: Any) -> None:
        new = {**self.live, "spec": spec}
        changes = Changes(lambda _: compare(self.live, new, self.schema))
        self.managed = updated(self.managed, changes, updater(name, "v1"), NOW)
        self.live = new

    @property
    def spec(self) -> Any:
        return self.live.get("spec")

    def owned(self, name: str) -> str:
        """What managers of a name own below the spec."""
        sets = [owned.fields for manager, owned in self.managed.items() if manager.name == name]
        return fields.render(sets[0]).decode() if sets else ""


def test_an_applier_owns_what_it_says_and_gives_up_what_it_no_longer_says() -> None:
    cluster = Cluster()
    cluster.apply("a", {"name": "x", "numeric": 1, "map": {"one": 1, "two": 2}})
    assert cluster.owned("a") == '{"f:spec":{"f:map":{"f:one":{},"f:two":{}},"f:name":{},"f:numeric":{}}}'
    cluster.apply("a", {"name": "x", "map": {"one": 1}})
    assert cluster.spec == {"name": "x", "map": {"one": 1}}
    assert cluster.owned("a") == '{"f:spec":{"f:map":{"f:one":{}},"f:name":{}}}'
    cluster.apply("a", {"name": "x"})
    assert cluster.spec == {"name": "x"}


def test_what_another_applier_owns_stays() -> None:
    cluster = Cluster()
    cluster.apply("a", {"list": [{"name": "one", "value": 1}, {"name": "two", "value": 2}], "set": ["x", "y"]})
    cluster.apply("b", {"list": [{"name": "two", "value": 2}], "set": ["y", "z"]})
    cluster.apply("a", {"list": [{"name": "one"}], "set": ["x"]})
    assert cluster.spec == {"list": [{"name": "one"}, {"name": "two", "value": 2}], "set": ["x", "y", "z"]}
    cluster.apply("b", {})
    assert cluster.spec == {"list": [{"name": "one"}], "set": ["x"]}


def test_an_item_goes_with_the_applier_that_made_it_unless_it_belongs_to_another() -> None:
    cluster = Cluster()
    cluster.apply("a", {"list": [{"name": "one"}]})
    cluster.update("u", {"list": [{"name": "one", "value": 5}]})
    cluster.apply("a", {"name": "x"})
    # Updaters lose with the item what they set in it: they own the value, and not the item.
    assert cluster.spec == {"name": "x", "list": None}
    cluster.apply("a", {"name": "x", "list": [{"name": "one"}]})
    cluster.apply("b", {"list": [{"name": "one", "value": 5}]})
    cluster.apply("a", {"name": "x"})
    assert cluster.spec == {"name": "x", "list": [{"name": "one", "value": 5}]}


STRUCTS: list[tuple[Any, Any, Any, Any]] = [
    # what is applied, what a controller makes of it, what is applied then, what is there at last
    ({"name": "a", "numeric": 1}, None, None, None),
    ({"name": "a"}, {"name": "a", "numeric": 1}, None, {"numeric": 1}),
    ({"name": "a"}, {"name": "a", "numeric": 1}, {}, {"numeric": 1}),
    ({"name": "a"}, {"name": "b", "numeric": 1}, None, {"name": "b", "numeric": 1}),
    ({"map": {"one": 1}}, {"map": {"one": 1, "two": 2}}, None, {"map": {"two": 2}}),
]


@pytest.mark.parametrize(("first", "update", "then", "expected"), STRUCTS)
def test_what_others_set_in_a_struct_outlives_its_applier(first: Any, update: Any, then: Any, expected: Any) -> None:
    cluster = Cluster()
    cluster.apply("a", first)
    if update is not None:
        cluster.update("controller", update)
    cluster.apply("a", then)
    assert cluster.spec == expected


def test_changing_what_another_owns_is_a_conflict_that_names_all() -> None:
    cluster = Cluster()
    cluster.apply("a", {"name": "x", "numeric": 1})
    cluster.update("u", {**cluster.spec, "map": {"one": 1}})
    with pytest.raises(Conflicts) as caught:
        cluster.apply("b", {"name": "y", "numeric": 1, "map": {"one": 2}})
    error = caught.value.status_error().status
    assert error.message == (
        'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.name\n'
        'conflicts with "u" using v1:\n- .spec.map.one'
    )
    assert error.code == 409
    assert error.reason == "Conflict"
    assert error.details is not None
    assert [(each.reason, each.message, each.field) for each in error.details.causes] == [
        ("FieldManagerConflict", 'conflict with "a"', ".spec.name"),
        ("FieldManagerConflict", 'conflict with "u" using v1', ".spec.map.one"),
    ]
    cluster.apply("b", {"name": "y", "map": {"one": 2}}, force=True)
    assert cluster.spec == {"name": "y", "numeric": 1, "map": {"one": 2}}
    assert cluster.owned("a") == '{"f:spec":{"f:numeric":{}}}'
    assert cluster.owned("u") == '{"f:spec":{"f:map":{}}}'


def test_saying_the_same_shares_ownership() -> None:
    cluster = Cluster()
    cluster.apply("a", {"name": "x"})
    cluster.apply("b", {"name": "x"})
    assert cluster.owned("a") == cluster.owned("b") == '{"f:spec":{"f:name":{}}}'
    with pytest.raises(Conflicts, match="others own"):
        cluster.apply("a", {"name": "y"})
    cluster.apply("a", {})
    assert cluster.spec == {"name": "x"}


def test_one_conflict_reads_as_upstream() -> None:
    owners = {Manager("ctl", "Update", "apps/v1", "scale"): fields.of(("f:spec", "f:replicas"))}
    assert Conflicts(owners).status_error().status.message == (
        'Apply failed with 1 conflict: conflict with "ctl" with subresource "scale" using apps/v1: .spec.replicas'
    )


def test_an_updater_owns_what_it_changes_and_others_lose_it() -> None:
    cluster = Cluster()
    cluster.apply("a", {"name": "x", "plain": ["a"], "atomic": {"one": "1"}, "list": [{"name": "one", "value": 1}]})
    cluster.update("u", {"name": "x", "plain": ["a", "b"], "atomic": {"two": "2"}, "list": [{"name": "one"}]})
    assert cluster.owned("a") == '{"f:spec":{"f:list":{"k:{\\"name\\":\\"one\\"}":{".":{},"f:name":{}}},"f:name":{}}}'
    assert cluster.owned("u") == '{"f:spec":{"f:atomic":{},"f:plain":{}}}'


def test_the_oldest_updaters_become_ancient_changes() -> None:
    managed: Managed = {
        updater(f"u{index}", "v1"): Owned("v1", datetime(2026, 1, 1 + index, tzinfo=UTC), fields.of((f"f:{index}",)))
        for index in range(MAX_UPDATERS + 2)
    }
    managed[applier("a")] = Owned("v1", NOW, fields.of(("f:x",)))
    cap(managed)
    assert len(managed) == MAX_UPDATERS + 1
    ancient = managed[updater("ancient-changes", "v1")]
    assert ancient.fields == fields.of(("f:0",), ("f:1",), ("f:2",))
    assert ancient.time == datetime(2026, 1, 3, tzinfo=UTC)


ORDERS: list[tuple[list[str], list[str], list[str]]] = [
    (["a", "b", "c"], ["a", "b", "c"], ["a", "b", "c"]),
    (["a", "b", "c"], ["c", "a"], ["b", "c", "a"]),
    (["a", "b", "c"], ["d"], ["a", "b", "c", "d"]),
    (["a", "b"], ["b", "c", "a"], ["b", "c", "a"]),
    (["1", "2", "3", "4"], ["3", "1"], ["2", "3", "4", "1"]),
    ([], ["a"], ["a"]),
    (["a"], [], ["a"]),
]


@pytest.mark.parametrize(("live", "config", "expected"), ORDERS)
def test_lists_merge_into_the_order_of_the_configuration(
    live: list[str], config: list[str], expected: list[str]
) -> None:
    schema = Schema("list", item=Schema("scalar"))
    assert merge(live, config, schema) == expected


FAULTS: list[tuple[Any, list[str]]] = [
    ({"nodename": "x"}, [".spec.nodename: field not declared in schema"]),
    ({"containers": [{"image": "x"}]}, [
        '.spec.containers: element 0: associative list with keys has an element that omits key field "name" '
        "(and doesn't have default value)"
    ]),
    ({"containers": [{"name": "x"}, {"name": "x"}]}, ['.spec.containers: duplicate entries for key [name="x"]']),
    ({"containers": [{"name": "x", "tty": "yes"}]}, ['.spec.containers[name="x"].tty: expected boolean, got &{yes}']),
    ({"containers": {"name": "x"}}, [".spec.containers: expected list, got &{map[name:x]}"]),
    ({"priority": "high"}, [".spec.priority: expected numeric (int or float), got string"]),
    ({"nodeName": 3}, [".spec.nodeName: expected string, got &value.valueUnstructured{Value:3}"]),
    ({"nodeSelector": ["x"]}, [".spec.nodeSelector: expected map, got &{[x]}"]),
    ({"priority": None, "containers": None, "securityContext": None}, []),
    ({"containers": [{"name": "x", "ports": [{"containerPort": 1}, {"containerPort": 1, "protocol": "TCP"}]}]}, [
        '.spec.containers[name="x"].ports: duplicate entries for key [containerPort=1,protocol="TCP"]'
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), FAULTS)
def test_what_does_not_fit_the_schema_is_told_with_its_path(spec: Any, expected: list[str]) -> None:
    assert faults({"kind": "Pod", "spec": spec}, POD) == expected


def test_types_that_upstream_owns_as_a_whole_have_no_parts() -> None:
    deployment = schema_of(apps_v1.Deployment)
    config = {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"nodeSelector": {"a": "b"}}}}}
    assert fields.render(field_set(config, deployment)) == (
        b'{"f:spec":{"f:selector":{},"f:template":{"f:spec":{"f:nodeSelector":{}}}}}'
    )


_names = st.sampled_from(["one", "two", "three"])
_specs = st.fixed_dictionaries(
    {},
    optional={
        "name": _names,
        "numeric": st.integers(0, 2),
        "set": st.lists(_names, unique=True, max_size=3),
        "list": st.lists(
            st.fixed_dictionaries({"name": _names}, optional={"value": st.integers(0, 2)}),
            unique_by=lambda item: str(item["name"]),
            max_size=3,
        ),
        "map": st.dictionaries(_names, st.integers(0, 2), max_size=3),
        "atomic": st.dictionaries(_names, _names, max_size=2),
        "plain": st.lists(_names, max_size=2),
    },
)
_steps = st.lists(st.tuples(st.sampled_from(["apply", "force", "update"]), st.sampled_from("abc"), _specs), max_size=6)


def _run(cluster: Cluster, steps: list[tuple[str, str, Any]]) -> None:
    for verb, name, spec in steps:
        try:
            if verb == "update":
                cluster.update(name, spec)
            else:
                cluster.apply(name, spec, force=verb == "force")
        except Conflicts:
            continue


@pytest.mark.parametrize("schema", [CUSTOM, DEDUCED], ids=["structural", "deduced"])
@given(steps=_steps, spec=_specs)
def test_applying_twice_changes_nothing(schema: Schema, steps: list[tuple[str, str, Any]], spec: Any) -> None:
    cluster = Cluster(schema if schema is CUSTOM else Schema("map", item=DEDUCED))
    _run(cluster, steps)
    cluster.apply("z", spec, force=True)
    live, owned = copy.deepcopy(cluster.live), {name: cluster.owned(name) for name in "abcz"}
    assert not cluster.apply("z", spec)
    assert cluster.live == live
    assert {name: cluster.owned(name) for name in "abcz"} == owned


@given(steps=_steps, spec=_specs)
def test_nobody_loses_what_it_owns_without_force(steps: list[tuple[str, str, Any]], spec: Any) -> None:
    cluster = Cluster()
    _run(cluster, steps)
    before = copy.deepcopy(cluster.live)
    appliers = {manager: owned.fields for manager, owned in cluster.managed.items() if manager.applies}
    try:
        cluster.apply("z", spec)
    except Conflicts:
        assert cluster.live == before
        return
    for manager, owned in appliers.items():
        assert cluster.managed[manager].fields == owned
    changed = compare(before, cluster.live, cluster.schema)
    assert not changed.removed
    for owned in appliers.values():
        assert not fields.intersection(owned, changed.modified)


@given(steps=_steps)
def test_nobody_owns_what_is_not_there_or_nothing(steps: list[tuple[str, str, Any]]) -> None:
    cluster = Cluster()
    _run(cluster, steps)
    assert all(owned.fields for owned in cluster.managed.values())
    assert faults(cluster.live, cluster.schema) == []
