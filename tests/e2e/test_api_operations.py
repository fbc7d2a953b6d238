"""What upstream's conformance tests ask of every kind's API: discovery, each verb, the status, watches, collections."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import pytest

from steersman.api import codecs
from unit.registry.minimal import TABLE, build
from unit.registry.test_every_kind import STORED

from .api import Api, new_namespace
from .processes import Server
from .waiting import until

NAMED = {
    "apiextensions.k8s.io/v1/customresourcedefinitions",
    "apiregistration.k8s.io/v1/apiservices",
    "internal.apiserver.k8s.io/v1alpha1/storageversions",
    "networking.k8s.io/v1/ipaddresses",
}
"""Kinds whose names are no free choice."""

SERVED = sorted(key for key in TABLE if STORED[key].served)
LABEL = "special-label"


class Events:
    """The events of a watch, until what is waited for is there."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response

    def until(self, type_: str, annotation: str = "") -> dict[str, Any]:
        while line := self._response.readline():
            event = json.loads(line)
            found: dict[str, Any] = event["object"]
            if event["type"] == type_ and (not annotation or annotation in found["metadata"].get("annotations", {})):
                return found
        raise AssertionError(f"the watch ended before {type_} {annotation}")


@contextmanager
def watching(api: Api, path: str, version: str) -> Iterator[Events]:
    with api.stream(f"{path}&watch=true&resourceVersion={version}&timeoutSeconds=30", timeout=30) as response:
        assert response.status == 200
        yield Events(response)


@pytest.fixture(scope="module")
def namespace(api_server: Server) -> Iterator[str]:
    """One namespace for all kinds."""
    name = new_namespace(api_server.api, "operations")
    yield name
    api_server.api.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.mark.parametrize("key", SERVED)
def test_operations(api: Api, namespace: str, key: str) -> None:
    resource, row = STORED[key], TABLE[key]
    prefix = f"/apis/{resource.group_version}" if resource.group else "/api/v1"
    _discovered(api, resource, prefix)
    everywhere = f"{prefix}/{resource.name}"
    within = f"{prefix}/namespaces/{namespace}/{resource.name}" if resource.namespaced else everywhere
    body = codecs.to_builtins(build(resource, row, row.text))
    body["metadata"]["labels"] = {LABEL: namespace}
    body["metadata"].pop("namespace", None)
    if resource.kind == "Event":
        body["involvedObject"]["namespace"] = namespace
    selected = f"?labelSelector={LABEL}%3D{namespace}"
    names = [row.name] if key in NAMED else [f"{row.name}{number}-{namespace}" for number in range(3)]
    if resource.kind == "ServiceCIDR":
        names = names[:1]
    before = api.get(everywhere + selected)
    assert before["items"] == []
    with watching(api, everywhere + selected, before["metadata"]["resourceVersion"]) as events:
        made = [api.create(within, {**body, "metadata": {**body["metadata"], "name": name}}) for name in names]
        first = f"{within}/{names[0]}"
        assert api.get(first)["metadata"]["uid"] == made[0]["metadata"]["uid"]
        assert events.until("ADDED")["metadata"]["uid"] == made[0]["metadata"]["uid"]
        for path in {within, everywhere}:
            found = api.get(path + selected)["items"]
            assert sorted(each["metadata"]["name"] for each in found) == names
        assert api.patch(first, {"metadata": {"annotations": {"patched": "true"}}})["metadata"]["annotations"][
            "patched"
        ]
        events.until("MODIFIED", "patched")
        _updated(api, first)
        events.until("MODIFIED", "updated")
        if "status" in resource.subresources:
            _status(api, first, resource, row)
        api.delete(first)
        until(lambda: _going(api, first), "the object goes")
    if "deletecollection" in resource.verbs:
        answer = api.request("DELETE", within + selected)
        assert answer.code == 200, answer
    else:
        for name in names[1:]:
            api.delete(f"{within}/{name}")
    until(lambda: api.get(everywhere + selected)["items"] == [], "all objects go")


def _going(api: Api, path: str) -> bool:
    answer = api.request("GET", path)
    return answer.code == 404 or "deletionTimestamp" in answer.body["metadata"]


def _discovered(api: Api, resource: Any, prefix: str) -> None:
    if resource.group:
        (group,) = [each for each in api.get("/apis")["groups"] if each["name"] == resource.group]
        assert api.get(f"/apis/{resource.group}")["versions"] == group["versions"]
        assert resource.group_version in [each["groupVersion"] for each in group["versions"]]
    listed = {each["name"]: each for each in api.get(prefix)["resources"]}
    assert listed[resource.name]["kind"] == resource.kind
    assert listed[resource.name]["namespaced"] == resource.namespaced
    for name in resource.subresources:
        assert f"{resource.name}/{name}" in listed


def _updated(api: Api, path: str) -> None:
    def annotate(found: dict[str, Any]) -> None:
        found["metadata"].setdefault("annotations", {})["updated"] = "true"

    assert _write(api, path, annotate)["metadata"]["annotations"]["updated"] == "true"


def _write(api: Api, path: str, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """An update; controllers may write in between."""
    for _ in range(5):
        found = api.get(path)
        change(found)
        answer = api.request("PUT", path, found)
        if answer.code != 409:
            break
    assert answer.code == 200, answer
    written: dict[str, Any] = answer.body
    return written


def _status(api: Api, path: str, resource: Any, row: Any) -> None:
    found = api.get(f"{path}/status")
    assert found["kind"] == resource.kind
    patched = api.patch(f"{path}/status", {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {}})
    assert patched["metadata"]["uid"] == found["metadata"]["uid"]
    _write(api, f"{path}/status", lambda each: None)
