"""What upstream's conformance tests of the API ask beyond the plain operations; the names are theirs, shortened."""

import json
from typing import Any

import pytest

from .api import MERGE, STRATEGIC, Api, new_namespace
from .waiting import until

CONTAINERS: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}]}


def _deployment(name: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": name}}, "spec": CONTAINERS}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"a": name}}, "template": template}}


def _updated(api: Api, path: str, tree: dict[str, Any]) -> dict[str, Any]:
    answer = api.request("PUT", path, tree)
    assert answer.code == 200, answer
    body: dict[str, Any] = answer.body
    return body


def test_table_transformation_of_what_has_no_metadata(api: Api) -> None:
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    assert api.request("POST", path, review, accept=table).code == 406
    assert api.request("POST", path, review, accept=f"{table},application/json").body["status"]["allowed"] is True


def test_api_chunking(api: Api, namespace: str) -> None:
    templates = f"/api/v1/namespaces/{namespace}/podtemplates"
    for number in range(50):
        api.create(templates, {"metadata": {"name": f"template-{number:04d}"}, "template": {"spec": CONTAINERS}})
    names: list[str] = []
    versions = set()
    page = {"metadata": {"continue": ""}}
    while not names or page["metadata"].get("continue"):
        page = api.get(f"{templates}?limit=17&continue={page['metadata']['continue']}")
        versions.add(page["metadata"]["resourceVersion"])
        names += [each["metadata"]["name"] for each in page["items"]]  # type: ignore[index]
        assert page["metadata"].get("remainingItemCount", 0) == 50 - len(names)  # type: ignore[comparison-overlap]
    assert names == [f"template-{number:04d}" for number in range(50)]
    assert len(versions) == 1


def test_watchers_observe_objects_that_stop_meeting_the_selector(api: Api, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    version = api.get(maps)["metadata"]["resourceVersion"]
    with api.stream(f"{maps}?watch=1&resourceVersion={version}&labelSelector=watch%3Da&timeoutSeconds=20", 20) as watch:
        api.create(maps, {"metadata": {"name": "w", "labels": {"watch": "a"}}})
        for patch in (
            {"data": {"mutation": "1"}},
            {"metadata": {"labels": {"watch": "wrong"}}},
            {"data": {"mutation": "2"}},
            {"metadata": {"labels": {"watch": "a"}}},
            {"data": {"mutation": "3"}},
        ):
            api.patch(f"{maps}/w", patch)
        api.delete(f"{maps}/w")
        events = [json.loads(watch.readline()) for _ in range(6)]
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "MODIFIED", "DELETED"]
    gone = events[2]["object"]
    assert (gone["data"], gone["metadata"]["labels"]) == ({"mutation": "1"}, {"watch": "a"})


def test_namespaces(api: Api) -> None:
    name = new_namespace(api, "gone")
    path = f"/api/v1/namespaces/{name}"
    api.create(f"{path}/pods", {"metadata": {"name": "p"}, "spec": CONTAINERS})
    api.create(f"{path}/services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    api.delete(path)
    until(lambda: not api.exists(path), "the namespace goes")
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    assert api.get(f"{path}/pods")["items"] == api.get(f"{path}/services")["items"] == []
    condition = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "m"}
    patched = api.patch(
        f"{path}/status", {"metadata": {"annotations": {"a": "b"}}, "status": {"conditions": [condition]}}
    )
    assert patched["metadata"]["annotations"]["a"] == "b"
    patched["status"]["conditions"].append(condition | {"type": "StatusUpdate"})
    updated = _updated(api, f"{path}/status", patched)
    assert [each["type"] for each in updated["status"]["conditions"]] == ["StatusPatch", "StatusUpdate"]
    for finalizers in (["kubernetes", "e2e.example.com/a"], ["kubernetes"]):
        found = api.get(path)
        found["spec"]["finalizers"] = finalizers
        assert _updated(api, f"{path}/finalize", found)["spec"]["finalizers"] == finalizers
    api.delete(path)


def test_root_certificate_in_every_namespace(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt"
    until(lambda: api.exists(path), "it is published")
    data = api.get(path)["data"]
    api.delete(path)
    until(lambda: api.exists(path), "it is published again")
    api.patch(path, {"data": {"ca.crt": ""}})
    until(lambda: api.get(path)["data"] == data, "it is restored")


def test_service_account_issuer_discovery(api: Api) -> None:
    document = api.get("/.well-known/openid-configuration")
    assert {"issuer", "jwks_uri", "response_types_supported", "subject_types_supported"} <= document.keys()
    assert set(document["id_token_signing_alg_values_supported"]) == {
        key["alg"] for key in api.get("/openid/v1/jwks")["keys"]
    }


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_garbage_collector_deletes_dependents(api: Api, namespace: str, policy: str) -> None:
    apps = f"/apis/apps/v1/namespaces/{namespace}"
    api.create(f"{apps}/deployments", _deployment("d"))
    until(lambda: api.get(f"/api/v1/namespaces/{namespace}/pods")["items"], "there are pods")
    api.delete(f"{apps}/deployments/d", {"propagationPolicy": policy})
    until(
        lambda: (
            api.get(f"{apps}/replicasets")["items"] == api.get(f"/api/v1/namespaces/{namespace}/pods")["items"] == []
        ),
        "all goes",
    )
    until(lambda: not api.exists(f"{apps}/deployments/d"), "the deployment goes")


def test_garbage_collector_orphans(api: Api, namespace: str) -> None:
    apps = f"/apis/apps/v1/namespaces/{namespace}"
    api.create(f"{apps}/deployments", _deployment("d"))
    until(lambda: api.get(f"{apps}/replicasets")["items"], "there is a replica set")
    api.delete(f"{apps}/deployments/d", {"propagationPolicy": "Orphan"})
    until(lambda: not api.exists(f"{apps}/deployments/d"), "the deployment goes")
    (left,) = api.get(f"{apps}/replicasets")["items"]
    assert "ownerReferences" not in left["metadata"]


def test_garbage_collector_is_not_blocked_by_a_circle(api: Api, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"
    uids = {
        name: api.create(pods, {"metadata": {"name": name}, "spec": CONTAINERS})["metadata"]["uid"]
        for name in ("pod1", "pod2", "pod3")
    }
    for owned, owner in (("pod1", "pod3"), ("pod2", "pod1"), ("pod3", "pod2")):
        reference = {"apiVersion": "v1", "kind": "Pod", "name": owner, "uid": uids[owner], "controller": True}
        patch = {"metadata": {"ownerReferences": [reference | {"blockOwnerDeletion": True}]}}
        api.patch(f"{pods}/{owned}", patch, STRATEGIC)
    api.delete(f"{pods}/pod1", {"propagationPolicy": "Foreground"})
    until(lambda: api.get(pods)["items"] == [], "all go")


def test_events(api: Api, namespace: str) -> None:
    events = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    instant = "2017-09-19T13:49:16.000000Z"
    made = api.create(
        events,
        {
            "metadata": {"name": "e", "labels": {"constant": namespace}},
            "eventTime": instant,
            "action": "Do",
            "reason": "Test",
            "note": "note",
            "type": "Normal",
            "regarding": {"namespace": namespace},
            "reportingController": "c",
            "reportingInstance": "i",
        },
    )
    # Go reads six digits alone.
    assert made["eventTime"] == instant
    everywhere = api.get(f"/apis/events.k8s.io/v1/events?labelSelector=constant%3D{namespace}")["items"]
    assert [each["metadata"]["name"] for each in everywhere] == ["e"]
    series = {"count": 2, "lastObservedTime": instant}
    patched = api.patch(f"{events}/e", {"series": series}, STRATEGIC)
    assert patched["series"] == series
    patched["series"] = {"count": 100, "lastObservedTime": "2020-09-19T13:49:16.000000Z"}
    assert _updated(api, f"{events}/e", patched)["series"]["count"] == 100
    core = api.get(f"/api/v1/namespaces/{namespace}/events/e")
    assert (core["message"], core["eventTime"], core["reportingComponent"]) == ("note", instant, "c")
    assert api.patch(f"/api/v1/namespaces/{namespace}/events/e", {"message": "new"}, STRATEGIC)["message"] == "new"
    api.delete(f"{events}?labelSelector=constant%3D{namespace}")
    assert api.get(f"{events}?labelSelector=constant%3D{namespace}")["items"] == []


def test_statuses_of_services_budgets_pods_and_claims(api: Api, namespace: str) -> None:
    core, policy = f"/api/v1/namespaces/{namespace}", f"/apis/policy/v1/namespaces/{namespace}"
    api.create(
        f"{core}/services", {"metadata": {"name": "s"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
    )
    ingress = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}
    patched = api.patch(
        f"{core}/services/s/status", {"metadata": {"annotations": {"a": "b"}}, "status": ingress}, MERGE
    )
    assert patched["status"]["loadBalancer"]["ingress"] == [{"ip": "203.0.113.1", "ipMode": "VIP"}]
    assert patched["metadata"]["annotations"]["a"] == "b"
    # The condition is upstream's test's, and has no time.
    patched["status"]["conditions"] = [{"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "m"}]
    assert _updated(api, f"{core}/services/s/status", patched)["status"]["conditions"][0]["lastTransitionTime"] is None
    api.create(f"{policy}/poddisruptionbudgets", {"metadata": {"name": "b"}, "spec": {"minAvailable": 1}})
    disrupted = {"pod-0": "2026-01-01T00:00:00Z"}
    budget = f"{policy}/poddisruptionbudgets/b/status"
    assert api.patch(budget, {"status": {"disruptedPods": disrupted}})["status"]["disruptedPods"] == disrupted
    assert "disruptedPods" not in api.patch(budget, {"status": {"disruptedPods": None}})["status"]
    api.create(f"{core}/pods", {"metadata": {"name": "p"}, "spec": CONTAINERS})
    said = {"message": "Patched by e2e test", "reason": "E2E"}
    assert said.items() <= api.patch(f"{core}/pods/p/status", {"status": said})["status"].items()
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    found = api.create(f"{core}/persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": claim})
    found["status"]["conditions"] = [{"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "m"}]
    updated = _updated(api, f"{core}/persistentvolumeclaims/c/status", found)
    assert updated["status"]["conditions"][0]["type"] == "StatusUpdate"


def test_nodes_without_machines(api: Api, namespace: str) -> None:
    name = f"fake-{namespace}"
    path = f"/api/v1/nodes/{name}"
    condition = {"type": "Ready", "status": "True", "message": "m"}
    status = {"phase": "Running", "conditions": [condition], "capacity": {"cpu": "1"}, "allocatable": {"cpu": "1"}}
    made = api.create("/api/v1/nodes", {"metadata": {"name": name}, "status": status})
    assert made["status"]["capacity"] == {"cpu": "1"}
    api.patch(path, {"metadata": {"labels": {"e2e": namespace}}}, STRATEGIC)
    more = {"type": "E2E", "status": "True", "reason": "a", "message": "b"}
    patched = api.patch(f"{path}/status", {"status": {"conditions": [more]}}, STRATEGIC)
    assert {"Ready", "E2E"} <= {each["type"] for each in patched["status"]["conditions"]}
    api.delete(f"/api/v1/nodes?labelSelector=e2e%3D{namespace}")
    assert not api.exists(path)


def test_leases_keep_the_instants_that_go_writes(api: Api, namespace: str) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    instant = "2026-01-01T00:00:00.000000Z"
    spec = {"holderIdentity": "h", "leaseDurationSeconds": 30, "acquireTime": instant, "renewTime": instant}
    assert api.create(leases, {"metadata": {"name": "l"}, "spec": spec})["spec"] == spec
    patched = api.patch(f"{leases}/l", {"spec": {"leaseTransitions": 2}}, STRATEGIC)
    assert patched["spec"] == spec | {"leaseTransitions": 2}
    assert api.get(leases)["items"][0]["spec"] == patched["spec"]
