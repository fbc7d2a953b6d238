"""What `apply` takes, in which order it applies it, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import field

from steersman.api.types.core_v1 import ConfigMap, Pod
from steersman.client import APIStruct, CustomObject, ObjectMeta, StatusError
from steersman.testing import AsyncCluster, Cluster


class GadgetSpec(APIStruct):
    size: int = 0


class Gadget(CustomObject):
    API_VERSION = "example.com/v1"
    PLURAL = "gadgets"
    spec: GadgetSpec = field(default_factory=GadgetSpec)


CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 0}}}
                        },
                    }
                },
            }
        ],
    },
}


class TheirMap:
    """An object of another client library."""

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError


def gadget(name: str, size: int = 1, namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": metadata, "spec": {"size": size}}


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def names(objects: list[Any]) -> list[str]:
    return [each.metadata.name for each in objects]


def test_what_others_need_comes_first(kubernetes: Cluster) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "new"},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    }
    applied = kubernetes.apply(
        gadget("g", namespace="new"),
        pod,
        CRD,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}},
    )
    assert names(applied) == ["gadgets.example.com", "new", "g", "p"]
    assert isinstance(applied[3], Pod)
    assert applied[3].spec.service_account_name == "default"


def test_files_directories_text_data_and_objects(kubernetes: Cluster, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps(config_map("b")))
    (tmp_path / "a.yaml").write_text(
        "---\n---\n" + json.dumps(config_map("a1")) + "\n---\n" + json.dumps(config_map("a2"))
    )
    (tmp_path / "c.txt").write_text("nothing")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "d.yaml").write_text("nothing")
    items = {"apiVersion": "v1", "kind": "List", "items": [config_map("l1"), config_map("l2")]}
    typed = ConfigMap(metadata=ObjectMeta(name="t"), data={"a": "1"})
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\n"
    applied = kubernetes.apply(tmp_path, str(tmp_path / "b.json"), items, typed, text, json.dumps(config_map("j")))
    assert names(applied) == ["a1", "a2", "b", "b", "l1", "l2", "t", "text", "j"]
    assert {each.metadata.namespace for each in applied} == {"default"}


def test_again_and_in_another_namespace(kubernetes: Cluster) -> None:
    kubernetes.create_namespace("other")
    (first,) = kubernetes.apply(config_map("a", x="1", y="1"))
    kubernetes.client.update(ConfigMap(metadata=first.metadata, data={"x": "theirs", "y": "1", "z": "1"}))
    (second,) = kubernetes.apply(config_map("a", x="2"))
    assert second.data == {"x": "2", "z": "1"}  # what was applied before goes, what somebody else has written stays
    kubernetes.apply(config_map("a", x="3"), namespace="other")
    assert kubernetes.client.get(ConfigMap, "a", "other").data == {"x": "3"}
    view = kubernetes.in_namespace("other")
    assert view.kubeconfig["contexts"][0]["context"]["namespace"] == "other"
    assert names(view.apply(config_map("b"))) == ["b"]
    assert kubernetes.wait_for("cm/b", namespace="other").metadata.namespace == "other"


def test_what_was_read_is_applied_as_it_was(kubernetes: Cluster) -> None:
    (made,) = kubernetes.apply(config_map("a", x="1"))
    (again,) = kubernetes.apply(made)
    assert again.metadata.resource_version == made.metadata.resource_version


def test_names_that_the_server_makes(kubernetes: Cluster) -> None:
    generated = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}}
    applied = kubernetes.apply(generated, generated)
    assert len(set(names(applied))) == 2
    assert all(name.startswith("a-") for name in names(applied))
    assert {each.metadata.name for each in kubernetes.client.list(ConfigMap, "default").items} >= set(names(applied))


async def test_custom_objects_with_types(async_kubernetes: AsyncCluster) -> None:
    await async_kubernetes.apply(CRD)
    (applied,) = await async_kubernetes.apply(Gadget(metadata=ObjectMeta(name="g"), spec=GadgetSpec(size=2)))
    assert applied.content["spec"] == {"size": 2}
    found = await async_kubernetes.client.get(Gadget, "g", "default")
    assert found.spec.size == 2
    seen = await async_kubernetes.wait_for(found, lambda each: each.spec.size == 2)
    assert isinstance(seen, Gadget)


@pytest.mark.parametrize(
    ("what", "error", "said"),
    [
        ({"kind": "ConfigMap"}, ValueError, "data: an object needs apiVersion and kind"),
        ("nowhere.yaml", FileNotFoundError, "No such file or directory: 'nowhere.yaml'"),
        ("", ValueError, "no objects passed to apply"),
        ("---\n# none\n", ValueError, "no objects passed to apply"),
        ({"apiVersion": "v1", "kind": "List", "items": []}, ValueError, "no objects passed to apply"),
        ("https://example.com/a.yaml", ValueError, "nothing is fetched from the network"),
        ([config_map("a")], TypeError, r"give several one by one, as in apply\(\*objects\)"),
        ("a: b: c\n", ValueError, "text: yaml: line 1: mapping values are not allowed"),
        ({"apiVersion": "v1", "kind": "Nothing"}, ValueError, 'no matches for kind "Nothing" in version "v1"'),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, ValueError, "ConfigMap: resource name may not be empty"),
        (TheirMap(), TypeError, "give what its library makes of it for the server, a dict"),
        ({**config_map("a"), "metadata": {"name": "A"}}, StatusError, 'Invalid value: "A"'),
        (object(), TypeError, "object is neither a path, nor YAML, nor data, nor an object of steersman's"),
    ],
)
def test_what_is_refused(kubernetes: Cluster, what: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        kubernetes.apply(what)


def test_what_is_returned_is_the_callers(kubernetes: Cluster) -> None:
    """The cluster's own objects do not change with it: they are what a write is compared with."""
    (applied,) = kubernetes.apply(merged(config_map("a", value="1"), labels={"app": "a"}))
    applied.data["value"] = "2"
    (seen,) = kubernetes.wait_for("configmaps", selector="app=a", count=1)
    assert seen.data == {"value": "1"}
    seen.data["value"] = "2"
    found = kubernetes.wait_for("configmap/a")
    assert found.data == {"value": "1"}
    found.data["value"] = "2"
    written = kubernetes.client.update(found)
    assert [each.operation for each in written.metadata.managed_fields] == ["Apply", "Update"], "who changed it owns it"


def merged(tree: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {**tree, "metadata": {**tree["metadata"], **metadata}}
