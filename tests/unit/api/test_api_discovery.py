from __future__ import annotations

import json
from typing import Any

import pytest

from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource
from steersman.apiserver.endpoints.discovery import Discovery, version_rank
from steersman.apiserver.http.messages import Request, Response

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def get(discovery: Discovery, path: str, accept: str = "", **headers: str) -> Response | None:
    return discovery.respond(Request("GET", path, path, "", {"accept": accept, **headers}))


def body(response: Response | None) -> Any:
    assert response is not None
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def test_core_and_groups() -> None:
    discovery = Discovery(builtin_scheme(), address=lambda: "10.0.0.1:6443")
    assert body(get(discovery, "/api"))["versions"] == ["v1"]
    groups = {group["name"]: group for group in body(get(discovery, "/apis"))["groups"]}
    assert groups["autoscaling"]["preferredVersion"]["groupVersion"] == "autoscaling/v2"
    assert [version["version"] for version in groups["autoscaling"]["versions"]] == ["v2", "v1"]
    assert body(get(discovery, "/apis/apps")) == {"kind": "APIGroup", "apiVersion": "v1", **groups["apps"]}
    assert "internal.apiserver.k8s.io" not in groups


def test_resources() -> None:
    resources = body(get(Discovery(builtin_scheme()), "/api/v1"))["resources"]
    by_name = {resource["name"]: resource for resource in resources}
    assert by_name["pods"] == {
        "name": "pods",
        "singularName": "pod",
        "namespaced": True,
        "kind": "Pod",
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "shortNames": ["po"],
        "categories": ["all"],
        "storageVersionHash": "xPOwRZ+Yhw8=",
    }
    assert by_name["pods/eviction"] == {
        "name": "pods/eviction",
        "singularName": "",
        "namespaced": True,
        "group": "policy",
        "version": "v1",
        "kind": "Eviction",
        "verbs": ["create"],
    }


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/api/v1", "configmaps", "qFsyl6wFWjQ="),
        ("/api/v1", "services", "0/CO1lhkEBI="),
        ("/api/v1", "events", "r2yiGXH7wu8="),
        ("/apis/events.k8s.io/v1", "events", "r2yiGXH7wu8="),
        ("/apis/apps/v1", "deployments", "8aSe+NMegvE="),
        ("/apis/autoscaling/v1", "horizontalpodautoscalers", "qwQve8ut294="),
        ("/apis/networking.k8s.io/v1", "ingresses", "39NQlfNR+bo="),
        ("/api/v1", "bindings", None),
        ("/api/v1", "componentstatuses", None),
        ("/api/v1", "pods/status", None),
    ],
)
def test_storage_versions_are_upstreams(path: str, name: str, expected: str | None) -> None:
    resources = body(get(Discovery(builtin_scheme()), path))["resources"]
    assert next(each for each in resources if each["name"] == name).get("storageVersionHash") == expected


def test_groups_are_listed_as_upstream_lists_them() -> None:
    discovery = Discovery(builtin_scheme(), is_served=lambda resource: True)
    expected = [
        "apiregistration.k8s.io",
        "apps",
        "events.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "storage.k8s.io",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "scheduling.k8s.io",
        "coordination.k8s.io",
        "node.k8s.io",
        "discovery.k8s.io",
        "resource.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "storagemigration.k8s.io",
    ]
    assert [group["name"] for group in body(get(discovery, "/apis"))["groups"]] == expected
    aggregated = body(get(discovery, "/apis", AGGREGATED))["items"]
    assert [item["metadata"]["name"] for item in aggregated] == expected
    assert [version["version"] for version in aggregated[expected.index("resource.k8s.io")]["versions"]] == [
        "v1",
        "v1beta2",
        "v1beta1",
        "v1alpha3",
    ]


@pytest.mark.parametrize("path", ["/apis/foo", "/apis/apps/v9", "/apis/apps/v1/deployments", "/api/v2", "/version"])
def test_what_is_not_discovery(path: str) -> None:
    assert get(Discovery(builtin_scheme()), path) is None


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        ("application/json;v=v2;as=APIGroupDiscoveryList;g=apidiscovery.k8s.io", "v2"),
        ("application/json; g=apidiscovery.k8s.io; v=v2beta1; as=APIGroupDiscoveryList", "v2beta1"),
        (f"application/vnd.kubernetes.protobuf,{AGGREGATED}", "v2"),
        (f"{AGGREGATED.replace('v=v2', 'v=v3')},{AGGREGATED.replace('v=v2', 'v=v2beta1')},{AGGREGATED}", "v2beta1"),
        (f"application/json;q=0.9,{AGGREGATED}", "v2"),
        (f"{AGGREGATED};q=0.5,application/json", ""),
        ("application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList", ""),
        ("", ""),
    ],
)
def test_which_form_is_preferred(accept: str, version: str) -> None:
    document = body(get(Discovery(builtin_scheme()), "/apis", accept))
    expected = ("APIGroupDiscoveryList", f"apidiscovery.k8s.io/{version}") if version else ("APIGroupList", "v1")
    assert (document["kind"], document["apiVersion"]) == expected


def test_aggregated() -> None:
    discovery = Discovery(builtin_scheme())
    response = get(discovery, "/apis", f"{AGGREGATED},application/json")
    assert response is not None
    assert response.content_type == AGGREGATED
    document = body(response)
    assert document["kind"] == "APIGroupDiscoveryList"
    apps = next(item for item in document["items"] if item["metadata"]["name"] == "apps")
    deployments = next(each for each in apps["versions"][0]["resources"] if each["resource"] == "deployments")
    assert deployments["scope"] == "Namespaced"
    assert deployments["responseKind"] == {"group": "", "version": "", "kind": "Deployment"}
    assert deployments["subresources"][0]["responseKind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert [each["subresource"] for each in deployments["subresources"]] == ["scale", "status"]
    again = get(discovery, "/apis", AGGREGATED, **{"if-none-match": response.headers["ETag"]})
    assert again is not None
    assert (again.status, again.body) == (304, b"")
    assert again.headers["Vary"] == "Accept"
    assert again.headers["Cache-Control"] == "public"
    assert body(get(discovery, "/apis", f"application/json,{AGGREGATED}"))["kind"] == "APIGroupList"


def test_a_new_resource_is_discovered() -> None:
    scheme = builtin_scheme()
    discovery = Discovery(scheme)
    assert get(discovery, "/apis/example.com") is None
    scheme.add(Resource("example.com", "v1", "widgets", "Widget", namespaced=True))
    assert body(get(discovery, "/apis/example.com/v1"))["resources"][0]["kind"] == "Widget"


def test_version_order() -> None:
    versions = ["foo", "v1alpha1", "v1beta1", "v10", "v1beta2", "v2", "v1"]
    assert sorted(versions, key=version_rank) == ["v10", "v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"]
