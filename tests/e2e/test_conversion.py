"""Custom resources that a webhook converts, on a real API server: with kubectl, and when the webhook is not well."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .api import MERGE, Api
from .kubectl import Kubectl
from .processes import Server
from .test_custom_resources import CRDS, definition, group, install, path, version
from .waiting import until
from .webhook import Webhook

__all__ = ("group",)

APPLY = "application/apply-patch+yaml"
Spec = dict[str, Any]


def properties(**members: Any) -> dict[str, Any]:
    return {"type": "object", "properties": members}


NUMBER = {"type": "integer", "description": "How many there shall be."}
OLD = properties(spec=properties(size=NUMBER, color={"type": "string"}), status=properties(phase={"type": "string"}))
NEW = properties(
    spec=properties(shape=properties(size=NUMBER), color={"type": "string"}),
    status=properties(phase={"type": "string"}),
)


def column(place: str) -> list[dict[str, str]]:
    return [{"name": "Size", "type": "integer", "jsonPath": place}]


def convert(review: dict[str, Any]) -> dict[str, Any]:
    """In v1 the size is a member of the spec, in v2 of its shape."""
    request = review["request"]
    objects = []
    for obj in request["objects"]:
        spec = obj.get("spec", {})
        old = obj["apiVersion"].endswith("/v1")
        size = spec.pop("size", None) if old else spec.pop("shape", {}).get("size")
        if size is not None:
            spec |= {"shape": {"size": size}} if old else {"size": size}
        objects.append({**obj, "apiVersion": request["desiredAPIVersion"]})
    return answer(review, convertedObjects=objects)


def answer(review: dict[str, Any], **fields: Any) -> dict[str, Any]:
    response = {"uid": review["request"]["uid"], "result": {"status": "Success"}, **fields}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response}


def converted(group: str, config: dict[str, Any]) -> dict[str, Any]:
    scale = {"specReplicasPath": ".spec.shape.size", "statusReplicasPath": ".status.size"}
    wanted = definition(
        group,
        version(
            schema={"openAPIV3Schema": OLD},
            subresources={"status": {}},
            additionalPrinterColumns=column(".spec.size"),
            selectableFields=[{"jsonPath": ".spec.size"}],
        ),
        version(
            "v2",
            schema={"openAPIV3Schema": NEW},
            subresources={"status": {}, "scale": scale},
            additionalPrinterColumns=column(".spec.shape.size"),
            selectableFields=[{"jsonPath": ".spec.shape.size"}],
        ),
    )
    wanted["spec"]["conversion"] = {
        "strategy": "Webhook",
        "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": config},
    }
    return wanted


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Webhook]:
    hook = Webhook(tmp_path, convert)
    yield hook
    hook.close()


def widget(group: str, at: str, name: str = "a", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"{group}/{at}", "kind": "Widget", "metadata": {"name": name}, "spec": spec}


def test_round_trips_with_kubectl(
    api: Api, kubectl: Kubectl, group: str, hook: Webhook, namespace: str, api_server: Server
) -> None:
    install(api, converted(group, hook.config()))
    old, new = f"widgets.v1.{group}", f"widgets.v2.{group}"
    first = yaml.safe_dump(widget(group, "v1", size=1, color="red"))
    assert "created" in kubectl("apply", "-f", "-", input=first)
    assert "unchanged" in kubectl("apply", "-f", "-", input=first)
    with kubectl.background("get", new, "-w", "--output-watch-events", "--no-headers") as watch:
        watch.expect("ADDED")
        assert kubectl.json("get", new, "a")["spec"] == {"shape": {"size": 1}, "color": "red"}
        second = widget(group, "v2", shape={"size": 2}, color="red")
        # Client-side: what the last application said is compared in the words of another version.
        assert "configured" in kubectl("apply", "-f", "-", input=yaml.safe_dump(second))
        watch.expect("MODIFIED   a     2")
        assert "configured" in kubectl("apply", "-f", "-", input=yaml.safe_dump(widget(group, "v1", size=3)))
        lines = watch.expect("MODIFIED   a     3")
        assert len(lines) == 3
    assert kubectl("get", old, "--no-headers").split() == ["a", "3"]
    assert kubectl("get", new, "--field-selector", "spec.shape.size=3", "-o", "name").startswith("widget")
    assert "How many there shall be." in kubectl("explain", "widgets.spec.shape.size", "--api-version", f"{group}/v2")
    assert "scaled" in kubectl("scale", new, "a", "--replicas", "4")
    assert kubectl.json("get", old, "a")["spec"] == {"size": 4}
    third = yaml.safe_dump(widget(group, "v2", name="b", shape={"size": 5}))
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", input=third)
    found = kubectl.run("diff", "--server-side", "-f", "-", input=third.replace("size: 5", "size: 6"))
    assert found.returncode == 1
    assert "+    size: 6" in found.stdout
    conflict = kubectl.refused(
        "apply", "--server-side", "--field-manager", "other", "-f", "-",
        input=yaml.safe_dump(widget(group, "v1", name="b", size=7)),
    )  # fmt: skip
    assert 'conflict with "kubectl"' in conflict
    forced = widget(group, "v1", name="b", size=7)
    kubectl(
        "apply", "--server-side", "--field-manager", "other", "--force-conflicts", "-f", "-",
        input=yaml.safe_dump(forced),
    )  # fmt: skip
    shown = kubectl.json("get", new, "b", "--show-managed-fields")
    assert shown["spec"] == {"shape": {"size": 7}}
    assert {each["manager"]: each["apiVersion"] for each in shown["metadata"]["managedFields"]} == {
        "other": f"{group}/v1"
    }
    kubectl("delete", new, "--all")
    assert kubectl.json("get", old)["items"] == []
    metrics = api.request("GET", "/metrics").text
    count = f'apiserver_crd_conversion_webhook_duration_seconds_count{{crd_name="widgets.{group}",'
    assert count + 'from_version="v1",succeeded="true",to_version="v2"}' in metrics
    assert 'apiserver_conversion_webhook_request_total{failure_type="",result="success"}' in metrics


def rename(review: dict[str, Any]) -> dict[str, Any]:
    for obj in review["response"]["convertedObjects"]:
        obj["metadata"]["name"] = "x"
    return review


Faulty = Callable[[dict[str, Any]], Any]

FAULTS: dict[str, tuple[Faulty, str]] = {
    "fails": (
        lambda review: 500,
        'failed: an error on the server ("unknown") has prevented the request from succeeding',
    ),
    "is not there": (lambda review: 404, "failed: the server could not find the requested resource"),
    "talks nonsense": (
        lambda review: b"<html>",
        "failed: couldn't get version/kind; json parse error: invalid character '<' looking for beginning of value",
    ),
    "says nothing": (
        lambda review: b"",
        "failed: 0-length response with status code: 200 and content type: application/json",
    ),
    "talks without end": (lambda review: b'{"a":"%b"}' % (b"x" * (17 << 20)), "has more than 16777216 bytes"),
    "answers another": (
        lambda review: answer({"request": {"uid": "x"}}),
        'failed: expected response.uid="',
    ),
    "refuses": (
        lambda review: answer(review, result={"status": "Failure", "message": "not these"}),
        "failed: not these",
    ),
    "forgets": (lambda review: answer(review, convertedObjects=[]), "returned 0 objects, expected 1"),
    "renames": (
        lambda review: rename(convert(review)),
        "returned invalid object: must have the same name: a != x",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_webhook_that(fault: str, api: Api, group: str, hook: Webhook, namespace: str) -> None:
    install(api, converted(group, hook.config()))
    hook.answer, told = FAULTS[fault]
    old, new = path(group, namespace), path(group, namespace, at="v2")
    api.create(old, widget(group, "v1", size=1))
    one = path(group, namespace, "a", "v2")
    for method, place, body in (("GET", new, None), ("GET", one, None), ("PATCH", one, {}), ("DELETE", one, None)):
        refused = api.request(method, place, body, MERGE)
        assert refused.code == 500
        assert refused.body["message"].startswith(f"conversion webhook for {group}/v1, Kind=Widget ")
        assert told in refused.body["message"]
    assert "reason" not in refused.body
    assert api.request("GET", old).body["items"][0]["spec"] == {"size": 1}
    hook.answer = convert
    assert api.request("GET", new).body["items"][0]["spec"] == {"shape": {"size": 1}}


def test_a_webhook_that_hangs_or_is_gone(api: Api, group: str, hook: Webhook, namespace: str, tmp_path: Path) -> None:
    install(api, converted(group, hook.config()))
    old, new = path(group, namespace), path(group, namespace, at="v2")
    go = threading.Event()

    def hang(review: dict[str, Any]) -> Any:
        go.wait(20)
        return convert(review)

    def vanish(review: dict[str, Any]) -> Any:
        raise ConnectionResetError

    hook.answer = hang
    api.create(old, widget(group, "v1", size=1))
    answers: list[Any] = []
    waiting = threading.Thread(target=lambda: answers.append(api.request("GET", new).body))
    waiting.start()
    until(lambda: hook.asked, "the webhook is asked")
    with api.stream(f"{old}?watch=1&resourceVersion=0") as watch:
        assert json.loads(watch.readline())["object"]["metadata"]["name"] == "a"
        api.create(old, widget(group, "v1", "b", size=2))
        assert json.loads(watch.readline())["object"]["metadata"]["name"] == "b"
    go.set()
    waiting.join(20)
    assert answers[0]["items"][0]["spec"] == {"shape": {"size": 1}}
    since = answers[0]["items"][0]["metadata"]["resourceVersion"]
    with api.stream(f"{new}?watch=1&resourceVersion={since}") as watch:
        assert json.loads(watch.readline())["object"]["spec"] == {"shape": {"size": 2}}
        hook.close()
        hook.answer = vanish
        api.create(old, widget(group, "v1", "c", size=3))
        refused = "connect: connection refused"
        until(lambda: refused in api.request("GET", new).body.get("message", ""), "the connections are gone, too")
        (tmp_path / "next").mkdir()
        successor = Webhook(tmp_path / "next", convert)
        try:
            change = {"spec": {"conversion": {"webhook": {"clientConfig": successor.config()}}}}
            assert api.request("PATCH", f"{CRDS}/widgets.{group}", change, MERGE).code == 200
            # The definition has changed: its watches end, and clients come again.
            assert watch.readline() == b""
            names = [each["metadata"]["name"] for each in api.request("GET", new).body["items"]]
            assert names == ["a", "b", "c"]
        finally:
            successor.close()


def test_storage_versions(api: Api, group: str, hook: Webhook, namespace: str) -> None:
    install(api, converted(group, hook.config()))
    name = f"{CRDS}/widgets.{group}"
    api.create(path(group, namespace), widget(group, "v1", size=1))
    moved = api.request("GET", name).body
    for each in moved["spec"]["versions"]:
        each["storage"] = each["name"] == "v2"
    assert api.request("PUT", name, moved).body["status"]["storedVersions"] == ["v1", "v2"]
    one = path(group, namespace, "a", "v2")
    assert api.request("GET", one).body["spec"] == {"shape": {"size": 1}}
    only = api.request("GET", name).body
    only["spec"]["versions"] = [each for each in only["spec"]["versions"] if each["name"] == "v2"]
    refused = api.request("PUT", name, only)
    assert refused.code == 422
    assert (
        'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version'
        in refused.body["message"]
    )
    # Written unchanged, an object is stored in the storage version; then the other one may go.
    before = api.request("GET", one).body
    after = api.request("PUT", one, before).body
    assert after["spec"] == before["spec"]
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    status = api.request("PATCH", f"{name}/status", {"status": {"storedVersions": ["v2"]}}, MERGE)
    assert status.body["status"]["storedVersions"] == ["v2"]
    only["metadata"].pop("resourceVersion")
    only.pop("status")
    assert api.request("PATCH", name, {"spec": only["spec"]}, MERGE).code == 200
    asked = len(hook.asked)
    assert api.request("GET", one).body["spec"] == {"shape": {"size": 1}}
    assert len(hook.asked) == asked


def test_what_is_no_conversion_is_refused(api: Api, group: str, hook: Webhook) -> None:
    place = "spec.conversion."
    for change, told in (
        ({"strategy": "Magic"}, 'strategy: Unsupported value: "Magic": supported values: "None", "Webhook"'),
        ({"webhook": None}, "webhookClientConfig: Required value: required when strategy is set to Webhook"),
        (
            {"webhook": {"conversionReviewVersions": ["v3"], "clientConfig": hook.config()}},
            'conversionReviewVersions: Invalid value: ["v3"]: must include at least one of v1, v1beta1',
        ),
        (
            {"strategy": "None"},
            "webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook",
        ),
    ):
        wanted = converted(group, hook.config())
        wanted["spec"]["conversion"] |= change
        refused = api.request("POST", CRDS, wanted)
        assert refused.code == 422
        assert place + told in refused.body["message"]
