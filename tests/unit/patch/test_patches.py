"""The three patch formats against their specifications."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.errors import StatusError
from steersman.api.types import apps_v1, core_v1
from steersman.apiserver import patch
from steersman.apiserver.patch import json_patch, merge_patch, strategic

# RFC 6902, appendix A: document, operations, result (None: it does not apply).
RFC_6902: list[tuple[Any, Any, Any]] = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    (
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}], None),
    ({"foo": "bar"}, [{"op": "add", "path": "/child", "value": {"g": {}}}], {"foo": "bar", "child": {"g": {}}}),
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}], {"foo": "bar", "baz": "qux"}),
    ({"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}], None),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": "10"}], None),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}], {"foo": ["bar", ["abc", "def"]]}),
    ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}, {"op": "remove", "path": "/c/b"}],
     {"a": {"b": 1}, "c": {}}),
    ({"a": 1}, [{"op": "replace", "path": "/b", "value": 1}], None),
    ({"a": 1}, [{"op": "remove", "path": "/b"}], None),
    ({"a": [1]}, [{"op": "add", "path": "/a/5", "value": 1}], None),
    ({"a": True}, [{"op": "test", "path": "/a", "value": 1}], None),
    ({"a": 1}, [{"op": "test", "path": "/b", "value": None}], {"a": 1}),
    ({"a": {}}, [{"op": "move", "from": "/a", "path": "/a/b"}], None),
    ({"a": 1}, [{"op": "flip", "path": "/a"}], None),
    ({"a": 1}, [{"op": "add", "path": "a", "value": 1}], None),
]  # fmt: skip


@pytest.mark.parametrize(("document", "operations", "result"), RFC_6902)
def test_json_patch(document: Any, operations: Any, result: Any) -> None:
    before = copy.deepcopy(document)
    if result is None:
        with pytest.raises(StatusError) as error:
            json_patch.apply(document, operations)
        assert error.value.code == 422
    else:
        assert json_patch.apply(document, operations) == result
    assert document == before


def test_json_patch_limits() -> None:
    with pytest.raises(StatusError) as error:
        json_patch.apply({}, [{"op": "add", "path": "/a", "value": 1}] * 10_001)
    assert error.value.code == 413
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/{number}"} for number in range(40)]
    with pytest.raises(StatusError) as error:
        json_patch.apply({"a": {"x": "y" * 1000}}, doubling)
    assert error.value.code == 422
    with pytest.raises(StatusError) as error:
        json_patch.apply({}, {"op": "add"})
    assert error.value.code == 400


# RFC 7386, appendix A.
RFC_7386: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "body", "result"), RFC_7386)
def test_merge_patch(target: Any, body: Any, result: Any) -> None:
    assert merge_patch.apply(target, body) == result


def _trees() -> st.SearchStrategy[Any]:
    scalars = st.booleans() | st.integers() | st.text(max_size=3)
    keys = st.sampled_from("abcd")
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
    )


@given(_trees(), _trees())
def test_merge_patches_lead_where_they_were_made_for(old: Any, new: Any) -> None:
    before = copy.deepcopy(old)
    assert merge_patch.apply(old, merge_patch.diff(old, new)) == new
    assert old == before


@given(_trees(), _trees())
def test_merging_twice_changes_nothing(target: Any, body: Any) -> None:
    once = merge_patch.apply(target, body)
    assert merge_patch.apply(once, body) == once


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    return {"spec": spec}


def _names(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


# Pod specs: live, patch, result.
STRATEGIC: dict[str, tuple[Any, Any, Any]] = {
    "maps merge, null removes": (
        {"nodeSelector": {"a": "1", "b": "2"}, "hostname": "x"},
        {"nodeSelector": {"b": None, "c": "3"}, "hostname": None},
        {"nodeSelector": {"a": "1", "c": "3"}},
    ),
    "lists merge by key": (
        {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]},
        {"containers": [{"name": "b", "image": "3"}, {"name": "c", "image": "4"}]},
        {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "3"}, {"name": "c", "image": "4"}]},
    ),
    "lists below merged elements": (
        {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}], "ports": [{"containerPort": 80}]}]},
        {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}], "ports": [{"containerPort": 81}]}]},
        {
            "containers": [
                {
                    "name": "a",
                    "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
                    "ports": [{"containerPort": 80}, {"containerPort": 81}],
                }
            ]
        },
    ),
    "atomic lists are replaced": (
        {"tolerations": [{"key": "a"}], "containers": [{"name": "a", "command": ["x", "y"]}]},
        {"tolerations": [{"key": "b"}], "containers": [{"name": "a", "command": ["z"]}]},
        {"tolerations": [{"key": "b"}], "containers": [{"name": "a", "command": ["z"]}]},
    ),
    "an element is deleted": (
        {"containers": _names("a", "b")},
        {"containers": [{"name": "a", "$patch": "delete"}]},
        {"containers": _names("b")},
    ),
    "a list is replaced": (
        {"containers": _names("a", "b")},
        {"containers": [{"$patch": "replace"}, {"name": "c"}]},
        {"containers": _names("c")},
    ),
    "a map is replaced": (
        {"securityContext": {"runAsUser": 1, "fsGroup": 2}},
        {"securityContext": {"$patch": "replace", "runAsUser": 3}},
        {"securityContext": {"runAsUser": 3}},
    ),
    "a map is emptied": (
        {"securityContext": {"runAsUser": 1}},
        {"securityContext": {"$patch": "delete"}},
        {"securityContext": {}},
    ),
    "only some keys are retained": (
        {"volumes": [{"name": "v", "emptyDir": {}}]},
        {"volumes": [{"$retainKeys": ["name", "hostPath"], "name": "v", "hostPath": {"path": "/x"}}]},
        {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]},
    ),
    "the order is set": (
        {"containers": _names("a", "b", "c")},
        {"$setElementOrder/containers": _names("c", "a", "d"), "containers": _names("d")},
        {"containers": _names("b", "c", "a", "d")},
    ),
    "the order is set without changes": (
        {"containers": _names("a", "b")},
        {"$setElementOrder/containers": _names("b", "a")},
        {"containers": _names("b", "a")},
    ),
    "directives do not stay behind in new parts": (
        {},
        {"containers": [{"name": "a", "$retainKeys": ["name"]}, {"name": "b", "$patch": "delete"}]},
        {"containers": _names("a")},
    ),
}


@pytest.mark.parametrize("case", STRATEGIC)
def test_strategic_merge(case: str) -> None:
    live, body, result = STRATEGIC[case]
    live, before = _pod(live), copy.deepcopy(_pod(live))
    assert strategic.apply(live, _pod(body), core_v1.Pod) == _pod(result)
    assert live == before


def test_strategic_merge_of_primitive_lists() -> None:
    live = {"metadata": {"finalizers": ["a", "b"]}}
    assert strategic.apply(live, {"metadata": {"finalizers": ["b", "c"]}}, core_v1.Pod) == {
        "metadata": {"finalizers": ["a", "b", "c"]}
    }
    body = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["c", "b"]}}
    body["metadata"]["finalizers"] = ["c"]
    assert strategic.apply(live, body, core_v1.Pod) == {"metadata": {"finalizers": ["c", "b"]}}


def test_strategic_merge_faults() -> None:
    def fails(live: Any, body: Any) -> StatusError:
        with pytest.raises(StatusError) as error:
            strategic.apply(_pod(live), _pod(body), core_v1.Pod)
        return error.value

    error = fails({"containers": _names("a")}, {"containers": [{"image": "x"}]})
    assert error.status.message == "map: map[image:x] does not contain declared merge key: name"
    assert fails({"volumes": _names("v")}, {"volumes": [{"$retainKeys": ["name"], "name": "v", "x": 1}]}).code == 400
    assert (
        fails({"containers": _names("a")}, {"$setElementOrder/containers": [], "containers": _names("a")}).code == 500
    )
    assert fails({"securityContext": {}}, {"securityContext": {"$patch": "burn"}}).code == 500


def test_nothing_is_read_but_what_is_a_patch() -> None:
    with pytest.raises(StatusError) as error:
        patch.perform("text/plain", {}, b"{}", core_v1.Pod)
    assert error.value.code == 415
    with pytest.raises(StatusError) as error:
        patch.perform(patch.STRATEGIC_MERGE_PATCH, {}, b"{}", None)
    assert "strategic" not in error.value.status.message
    with pytest.raises(StatusError) as error:
        patch.perform(patch.MERGE_PATCH, {}, b"[]", core_v1.Pod)
    assert error.value.code == 400


def test_kubectl_set_image_and_rollout_restart() -> None:
    live = msgspec.json.decode(
        msgspec.json.encode(
            apps_v1.Deployment(
                spec=apps_v1.DeploymentSpec(
                    template=core_v1.PodTemplateSpec(
                        spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="a")])
                    )
                )
            )
        )
    )
    body = {
        "spec": {
            "template": {
                "metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}},
                "spec": {"$setElementOrder/containers": [{"name": "c"}], "containers": [{"name": "c", "image": "b"}]},
            }
        }
    }
    result = strategic.apply(live, body, apps_v1.Deployment)
    template = result["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "b"
    assert template["metadata"]["annotations"] == {"kubectl.kubernetes.io/restartedAt": "now"}
