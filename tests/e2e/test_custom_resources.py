"""CustomResourceDefinitions on a real API server: what a definition makes, and what becomes of its objects."""

import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from .api import MERGE, STRATEGIC, Api, new_namespace
from .processes import Server
from .waiting import until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPLY = "application/apply-patch+yaml"
_numbers = count(1)

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 0, "maximum": 10},
                "color": {"type": "string", "default": "blue", "enum": ["blue", "red"]},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "weight": {"type": "integer"}},
                    },
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "phase": {"type": "string"},
                "size": {"type": "integer"},
                "selector": {"type": "string"},
            },
        },
    },
}


def version(name: str = "v1", **fields: Any) -> dict[str, Any]:
    return {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": SCHEMA}, **fields}


def definition(group: str, *versions: dict[str, Any], scope: str = "Namespaced", **names: Any) -> dict[str, Any]:
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", **names}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{group}"},
        "spec": {"group": group, "scope": scope, "names": names, "versions": list(versions) or [version()]},
    }


def conditions(api: Api, name: str) -> dict[str, tuple[str, str]]:
    status = api.request("GET", f"{CRDS}/{name}").body.get("status", {})
    return {each["type"]: (each["status"], each["reason"]) for each in status.get("conditions", [])}


def install(api: Api, wanted: dict[str, Any]) -> None:
    name = wanted["metadata"]["name"]
    assert api.request("POST", CRDS, wanted).code == 201
    until(lambda: established(api, name), f"{name} is established")


def established(api: Api, name: str) -> bool:
    return conditions(api, name).get("Established") == ("True", "InitialNamesAccepted")


@pytest.fixture
def group(api: Api) -> Iterator[str]:
    """A group of the test's own, whose definitions are removed."""
    name = f"g{next(_numbers)}.example.com"
    yield name
    for each in api.request("GET", CRDS).body["items"]:
        if each["spec"]["group"] == name:
            api.request("DELETE", f"{CRDS}/{each['metadata']['name']}")


def widget(group: str, name: str = "a", at: str = "v1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{group}/{at}",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 3, **spec},
    }


def path(group: str, namespace: str, name: str = "", at: str = "v1") -> str:
    return f"/apis/{group}/{at}/namespaces/{namespace}/widgets" + (f"/{name}" if name else "")


def test_resources_are_served_the_moment_their_definition_is_established(api: Api, group: str, namespace: str) -> None:
    wanted = definition(group, shortNames=["wd"], categories=["all"])
    assert api.request("GET", path(group, namespace)).code == 404
    install(api, wanted)
    assert api.request("GET", path(group, namespace)).body["kind"] == "WidgetList"
    status = api.request("GET", f"{CRDS}/widgets.{group}").body["status"]
    assert status["acceptedNames"] == {**wanted["spec"]["names"], "listKind": "WidgetList"}
    assert status["storedVersions"] == ["v1"]
    found = api.request("GET", f"/apis/{group}/v1").body["resources"]
    assert [(each["name"], each["kind"], each["shortNames"], each["categories"]) for each in found] == [
        ("widgets", "Widget", ["wd"], ["all"])
    ]
    assert found[0]["verbs"] == ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]


def test_objects_are_pruned_completed_and_validated(api: Api, group: str, namespace: str) -> None:
    install(api, definition(group))
    everything = path(group, namespace)
    answer = api.request("POST", everything, widget(group, bogus=1, free={"any": [1]}))
    assert answer.code == 201
    assert answer.warnings == ['299 - "unknown field \\"spec.bogus\\""']
    assert answer.body["spec"] == {"size": 3, "color": "blue", "free": {"any": [1]}}
    assert answer.body["metadata"]["generation"] == 1

    refused = api.request("POST", f"{everything}?fieldValidation=Strict", widget(group, "b", bogus=1))
    assert refused.code == 400
    assert 'strict decoding error: unknown field "spec.bogus"' in refused.body["message"]

    refused = api.request("POST", everything, widget(group, "b", size=11, color="green"))
    assert refused.code == 422
    assert refused.body["message"] == (
        f'Widget.{group} "b" is invalid: [spec.size: Invalid value: 11: spec.size in body should be less than or equal '
        'to 10, spec.color: Unsupported value: "green": supported values: "blue", "red"]'
    )
    refused = api.request("POST", everything, {**widget(group, "b"), "apiVersion": f"{group}/v2"})
    assert refused.code == 400
    refused = api.request("POST", everything, {**widget(group, "b"), "spec": {}})
    assert refused.body["details"]["causes"] == [
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.size"}
    ]


def test_generation_counts_what_is_wanted_and_status_is_apart(api: Api, group: str, namespace: str) -> None:
    install(api, definition(group, version(subresources={"status": {}})))
    one = path(group, namespace, "a")
    created = api.request("POST", path(group, namespace), {**widget(group), "status": {"phase": "set"}}).body
    assert "status" not in created
    changed = api.request("PATCH", f"{one}/status", {"status": {"phase": "Good"}, "spec": {"size": 9}}, MERGE).body
    assert (changed["status"], changed["spec"]["size"], changed["metadata"]["generation"]) == ({"phase": "Good"}, 3, 1)
    changed = api.request("PATCH", one, {"status": {"phase": "Bad"}, "spec": {"size": 9}}, MERGE).body
    assert (changed["status"], changed["spec"]["size"], changed["metadata"]["generation"]) == ({"phase": "Good"}, 9, 2)
    changed = api.request("PATCH", one, {"metadata": {"labels": {"a": "b"}}}, MERGE).body
    assert changed["metadata"]["generation"] == 2
    del changed["metadata"]["resourceVersion"]
    refused = api.request("PUT", one, changed)
    assert refused.code == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in refused.body["message"]


def test_scale_reads_and_writes_where_the_definition_says(api: Api, group: str, namespace: str) -> None:
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
    scale["labelSelectorPath"] = ".status.selector"
    install(api, definition(group, version(subresources={"status": {}, "scale": scale})))
    one = path(group, namespace, "a")
    api.request("POST", path(group, namespace), widget(group))
    api.request("PATCH", f"{one}/status", {"status": {"size": 2, "selector": "a=b"}}, MERGE)
    found = api.request("GET", f"{one}/scale").body
    assert (found["kind"], found["spec"], found["status"]) == (
        "Scale",
        {"replicas": 3},
        {"replicas": 2, "selector": "a=b"},
    )
    assert api.request("PATCH", f"{one}/scale", {"spec": {"replicas": 7}}, MERGE).body["spec"] == {"replicas": 7}
    owners = api.request("GET", one).body
    assert owners["spec"]["size"] == 7
    assert [each["fieldsV1"] for each in owners["metadata"]["managedFields"] if each.get("subresource") == "scale"] == [
        {"f:spec": {"f:size": {}}}
    ]
    refused = api.request("PATCH", f"{one}/status", {"status": {"size": -1}}, MERGE)
    assert refused.body["details"]["causes"][0]["message"] == "Invalid value: -1: should be a non-negative integer"


def test_patches(api: Api, group: str, namespace: str) -> None:
    install(api, definition(group))
    one = path(group, namespace, "a")
    api.request("POST", path(group, namespace), widget(group))
    added = [{"op": "add", "path": "/spec/color", "value": "red"}]
    assert api.request("PATCH", one, added, "application/json-patch+json").body["spec"]["color"] == "red"
    refused = api.request("PATCH", one, {"spec": {"size": 1}}, STRATEGIC)
    assert refused.code == 415
    assert refused.body["message"].endswith(
        "accepted media types include: application/json-patch+json, application/merge-patch+json, "
        "application/apply-patch+yaml"
    )


def test_configurations_are_applied_by_the_schema(api: Api, group: str, namespace: str) -> None:
    install(api, definition(group))
    one = path(group, namespace, "a")

    def apply(manager: str, force: bool = False, **spec: Any) -> Any:
        body = {**widget(group), "spec": spec}
        return api.request("PATCH", f"{one}?fieldManager={manager}&force={json.dumps(force)}", body, APPLY)

    assert apply("one", size=1, parts=[{"name": "x", "weight": 1}]).code == 201
    assert apply("two", size=1, parts=[{"name": "y", "weight": 2}]).body["spec"]["parts"] == [
        {"name": "x", "weight": 1},
        {"name": "y", "weight": 2},
    ]
    refused = apply("two", size=2, parts=[{"name": "y", "weight": 2}])
    assert refused.code == 409
    assert refused.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".spec.size"}
    ]
    assert apply("two", force=True, size=2, parts=[]).body["spec"]["parts"] == [{"name": "x", "weight": 1}]
    assert ".spec.bogus: field not declared in schema" in apply("two", bogus=1).body["message"]


def test_several_versions_of_one_object(api: Api, group: str, namespace: str) -> None:
    other = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    old = version("v1beta1", deprecated=True, schema={"openAPIV3Schema": other})
    install(api, definition(group, version(), old))
    created = api.request("POST", path(group, namespace, at="v1beta1"), widget(group, at="v1beta1", color="red"))
    assert created.body["apiVersion"] == f"{group}/v1beta1"
    assert created.body["spec"] == {"size": 3}
    assert created.warnings[0] == f'299 - "{group}/v1beta1 Widget is deprecated; use {group}/v1 Widget"'
    seen = api.request("GET", path(group, namespace, "a")).body
    assert (seen["apiVersion"], seen["spec"]) == (f"{group}/v1", {"size": 3, "color": "blue"})
    assert seen["metadata"]["resourceVersion"] == created.body["metadata"]["resourceVersion"]
    changed = api.request("PATCH", path(group, namespace, "a", "v1beta1"), {"spec": {"size": 4}}, MERGE)
    assert changed.body["metadata"]["generation"] == 2
    assert api.request("GET", path(group, namespace)).body["items"][0]["spec"]["size"] == 4


def test_defaults_that_are_declared_later_are_there_when_read(api: Api, group: str, namespace: str) -> None:
    wanted = definition(group)
    install(api, wanted)
    api.request("POST", path(group, namespace), widget(group))
    schema = json.loads(json.dumps(SCHEMA))
    schema["properties"]["spec"]["properties"]["shape"] = {"type": "string", "default": "round"}
    change = [{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": schema}]
    name = f"{CRDS}/widgets.{group}"
    assert api.request("PATCH", name, change, "application/json-patch+json").code == 200
    assert api.request("GET", path(group, namespace, "a")).body["spec"]["shape"] == "round"


def test_columns_and_selectable_fields(api: Api, group: str, namespace: str) -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Wide", "type": "string", "jsonPath": ".spec.color", "priority": 1},
    ]
    fields = [{"jsonPath": ".spec.color"}]
    install(api, definition(group, version(additionalPrinterColumns=columns, selectableFields=fields)))
    everything = path(group, namespace)
    api.request("POST", everything, widget(group))
    api.request("POST", everything, widget(group, "b", color="red"))
    table = api.request("GET", everything, accept="application/json;as=Table;v=v1;g=meta.k8s.io").body
    assert [(each["name"], each["type"], each["priority"]) for each in table["columnDefinitions"]] == [
        ("Name", "string", 0),
        ("Size", "integer", 0),
        ("Wide", "string", 1),
    ]
    assert [row["cells"] for row in table["rows"]] == [["a", 3, "blue"], ["b", 3, "red"]]

    def names(selector: str) -> list[str]:
        found = api.request("GET", f"{everything}?fieldSelector={selector}").body["items"]
        return [each["metadata"]["name"] for each in found]

    assert names("spec.color=red") == ["b"]
    assert names("spec.color!=red,metadata.name=a") == ["a"]
    refused = api.request("GET", f"{everything}?fieldSelector=spec.size=3")
    assert (refused.code, refused.body["message"]) == (400, "field label not supported: spec.size")


def test_names_that_are_taken(api: Api, group: str) -> None:
    install(api, definition(group))
    second = definition(group, plural="gadgets", singular="widget", kind="Widget", shortNames=["gd"])
    assert api.request("POST", CRDS, second).code == 201
    name = f"gadgets.{group}"
    until(lambda: "NamesAccepted" in conditions(api, name), "its names are considered")
    assert conditions(api, name) == {
        "NamesAccepted": ("False", "ListKindConflict"),
        "Established": ("False", "NotAccepted"),
    }
    assert api.request("GET", f"/apis/{group}/v1/gadgets").code == 404
    # Names that are given up go to who waits for them.
    assert api.request("DELETE", f"{CRDS}/widgets.{group}").code == 200
    until(lambda: established(api, name), "the second one gets the names")
    assert api.request("GET", f"/apis/{group}/v1/gadgets").code == 200


def test_objects_go_before_their_definition(api: Api, group: str, namespace: str) -> None:
    install(api, definition(group))
    one = path(group, namespace, "a")
    held = widget(group)
    held["metadata"]["finalizers"] = ["example.com/held"]
    api.request("POST", path(group, namespace), held)
    api.request("POST", path(group, namespace), widget(group, "b"))
    name = f"{CRDS}/widgets.{group}"
    answer = api.request("DELETE", name).body
    assert answer["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    progress = ("True", "InstanceDeletionInProgress")
    until(lambda: conditions(api, f"widgets.{group}")["Terminating"] == progress, "objects are being deleted")
    until(lambda: not api.exists(path(group, namespace, "b")), "the free object goes")
    refused = api.request("POST", path(group, namespace), widget(group, "c"))
    assert (refused.code, refused.body["message"]) == (
        405,
        "create not allowed while custom resource definition is terminating",
    )
    found = api.request("GET", f"/apis/{group}/v1").body["resources"]
    assert found[0]["verbs"] == ["delete", "deletecollection", "get", "list", "watch"]
    assert api.request("GET", one).code == 200
    api.request("PATCH", one, {"metadata": {"finalizers": None}}, MERGE)
    until(lambda: not api.exists(name), "the definition goes", seconds=30)
    assert api.request("GET", one).code == 404
    # Made anew, it is empty.
    install(api, definition(group))
    assert api.request("GET", path(group, namespace)).body["items"] == []


def test_watches_end_when_their_definition_changes(api: Api, group: str, namespace: str) -> None:
    install(api, definition(group))
    everything = path(group, namespace)
    api.request("POST", everything, widget(group))
    with api.stream(
        f"{everything}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    ) as watch:
        first = json.loads(watch.readline())
        assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "a")
        assert json.loads(watch.readline())["type"] == "BOOKMARK"
        api.request("PATCH", f"{everything}/a", {"spec": {"size": 5}}, MERGE)
        assert json.loads(watch.readline())["object"]["spec"]["size"] == 5
        api.request("DELETE", f"{CRDS}/widgets.{group}")
        assert json.loads(watch.readline())["type"] == "DELETED"
        assert watch.readline() == b""


def test_definitions_are_served_again_after_a_restart(make_server: Callable[..., Server]) -> None:
    server = make_server("--datastore", "sqlite").start()
    group = "restart.example.com"
    install(server.api, definition(group))
    assert server.api.request("POST", path(group, "default"), widget(group)).code == 201
    server.kill()
    server.start()
    assert server.api.request("GET", path(group, "default", "a")).body["spec"]["size"] == 3


def test_custom_resources_own_and_are_owned(api: Api, group: str, namespace: str) -> None:
    install(api, definition(group))
    owner = api.request("POST", path(group, namespace), widget(group)).body
    reference = {"apiVersion": f"{group}/v1", "kind": "Widget", "name": "a", "uid": owner["metadata"]["uid"]}
    below = widget(group, "below")
    below["metadata"]["ownerReferences"] = [reference]
    dependent = {"metadata": {"name": "dependent", "ownerReferences": [reference]}}
    place = f"/api/v1/namespaces/{namespace}/configmaps"
    assert api.request("POST", place, dependent).code == 201
    assert api.request("POST", path(group, namespace), below).code == 201
    # A definition that changes is served anew; nobody may take its objects for absent meanwhile.
    change = {"spec": {"names": {"categories": ["all"]}}}
    assert api.request("PATCH", f"{CRDS}/widgets.{group}", change, MERGE).code == 200
    probe = {"metadata": {"name": "probe", "ownerReferences": [{**reference, "name": "b", "uid": "1"}]}}
    api.request("POST", place, probe)
    until(lambda: not api.exists(f"{place}/probe"), "what has no owner is collected")
    assert api.exists(f"{place}/dependent")
    api.request("DELETE", path(group, namespace, "a"))
    until(lambda: not api.exists(f"{place}/dependent"), "the dependent goes with its owner")
    until(lambda: not api.exists(path(group, namespace, "below")), "the other one, too")


def test_a_namespace_takes_its_custom_resources_with_it(api: Api, group: str) -> None:
    install(api, definition(group))
    namespace = new_namespace(api, "crs")
    api.request("POST", path(group, namespace), widget(group))
    api.request("DELETE", f"/api/v1/namespaces/{namespace}")
    until(lambda: not api.exists(f"/api/v1/namespaces/{namespace}"), "the namespace goes")
    assert api.request("GET", f"/apis/{group}/v1/widgets").body["items"] == []
    refused = api.request("POST", path(group, namespace), widget(group))
    assert (refused.code, refused.body["reason"]) == (404, "NotFound")


def test_schemas_are_published(api: Api, group: str) -> None:
    schema = json.loads(json.dumps(SCHEMA))
    schema["properties"]["spec"]["properties"]["size"] |= {"description": "How large it is.", "nullable": True}
    install(api, definition(group, version(schema={"openAPIV3Schema": schema})))
    name = f"com.example.{group.partition('.')[0]}.v1.Widget"
    index = api.request("GET", "/openapi/v3").body["paths"][f"apis/{group}/v1"]["serverRelativeURL"]
    document = api.request("GET", index).body
    published = document["components"]["schemas"][name]
    assert published["properties"]["spec"]["properties"]["size"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": 10,
        "nullable": True,
        "description": "How large it is.",
    }
    assert published["x-kubernetes-group-version-kind"] == [{"group": group, "kind": "Widget", "version": "v1"}]
    assert sorted(document["paths"]) == [
        f"/apis/{group}/v1/",
        f"/apis/{group}/v1/namespaces/{{namespace}}/widgets",
        f"/apis/{group}/v1/namespaces/{{namespace}}/widgets/{{name}}",
        f"/apis/{group}/v1/widgets",
    ]
    patched = document["paths"][f"/apis/{group}/v1/namespaces/{{namespace}}/widgets/{{name}}"]["patch"]
    assert "application/strategic-merge-patch+json" not in patched["requestBody"]["content"]
    old = api.request("GET", "/openapi/v2").body["definitions"][name]["properties"]["spec"]
    assert (old["properties"]["size"].get("type"), old.get("required")) == (None, None)
    # A definition that changes has another document.
    change = {"spec": {"names": {"categories": ["all"]}}}
    api.request("PATCH", f"{CRDS}/widgets.{group}", change, MERGE)
    paths = api.request("GET", "/openapi/v3").body["paths"]
    assert paths[f"apis/{group}/v1"]["serverRelativeURL"] != index
