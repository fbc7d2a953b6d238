"""Admission webhooks on a real API server: who is asked what, and what becomes of good and of bad answers."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .api import MERGE, Api
from .test_custom_resources import definition, install, path, widget
from .webhook import Answer, Webhook, allowed, denied, patched

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
KINDS = {
    "mutating": ("MutatingWebhookConfiguration", f"{ADMISSION}/mutatingwebhookconfigurations"),
    "validating": ("ValidatingWebhookConfiguration", f"{ADMISSION}/validatingwebhookconfigurations"),
}
CONFIG_MAPS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}

Configure = Callable[..., Webhook]


@pytest.fixture
def configure(api: Api, namespace: str, tmp_path: Path) -> Iterator[Configure]:
    """Run a webhook and have it asked about the test's namespace; removed afterwards."""
    hooks: list[Webhook] = []
    configured: list[str] = []

    def configure(sort: str, answer: Answer, *rules: dict[str, Any], name: str = "", **fields: Any) -> Webhook:
        directory = tmp_path / str(len(hooks))
        directory.mkdir()
        hooks.append(hook := Webhook(directory, answer))
        kind, place = KINDS[sort]
        here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        body = {
            "kind": kind,
            "metadata": {"name": name or f"{namespace}-{len(hooks)}"},
            "webhooks": [
                {
                    "name": "hook.example.com",
                    "clientConfig": hook.config(),
                    "rules": list(rules) or [CONFIG_MAPS],
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                    "timeoutSeconds": 2,
                    "namespaceSelector": here,
                    **fields,
                }
            ],
        }
        api.create(place, body)
        configured.append(f"{place}/{body['metadata']['name']}")
        return hook

    yield configure
    for each in configured:
        api.request("DELETE", each)
    for hook in hooks:
        hook.close()


@pytest.fixture
def config_maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def message(answer: Any) -> str:
    text: str = answer.body["message"]
    return text


def test_what_is_asked(api: Api, configure: Configure, config_maps: str, namespace: str) -> None:
    hook = configure("validating", allowed)
    api.create(f"{config_maps}?fieldManager=me&dryRun=All", config_map(a="1"))
    request = hook.asked[0]["request"]
    kind, resource = {"group": "", "version": "v1", "kind": "ConfigMap"}, "configmaps"
    assert {name: request[name] for name in ("kind", "requestKind", "name", "namespace", "operation", "dryRun")} == {
        "kind": kind,
        "requestKind": kind,
        "name": "a",
        "namespace": namespace,
        "operation": "CREATE",
        "dryRun": True,
    }
    assert request["resource"] == {"group": "", "version": "v1", "resource": resource}
    assert request["object"]["data"] == {"a": "1"}
    assert request["object"]["metadata"]["uid"]
    assert request["oldObject"] is None
    assert "system:masters" in request["userInfo"]["groups"]
    assert (request["options"]["kind"], request["options"]["fieldManager"]) == ("CreateOptions", "me")
    api.create(config_maps, config_map(a="1"))
    api.patch(f"{config_maps}/a", {"data": {"a": "2"}})
    api.request("DELETE", f"{config_maps}/a")
    seen = [
        (each["request"]["operation"], (each["request"]["object"] or {}).get("data"), each["request"]["oldObject"])
        for each in hook.asked[1:]
    ]
    assert [(operation, new, old and old["data"]) for operation, new, old in seen] == [
        ("CREATE", {"a": "1"}, None),
        ("UPDATE", {"a": "2"}, {"a": "1"}),
        ("DELETE", None, {"a": "2"}),
    ]


def test_refusals(api: Api, configure: Configure, config_maps: str) -> None:
    hook = configure("validating", lambda review: denied(review, message="not today", code=403, reason="Forbidden"))
    refused = api.request("POST", config_maps, config_map())
    assert (refused.code, refused.body["reason"]) == (403, "Forbidden")
    assert message(refused) == 'admission webhook "hook.example.com" denied the request: not today'
    hook.answer = denied
    refused = api.request("POST", config_maps, config_map())
    assert (refused.code, message(refused)) == (
        400,
        'admission webhook "hook.example.com" denied the request without explanation',
    )
    hook.answer = lambda review: allowed(review, warnings=["be careful"])
    assert api.request("POST", config_maps, config_map()).warnings == ['299 - "be careful"']


def test_changes(api: Api, configure: Configure, config_maps: str) -> None:
    added = {"op": "add", "path": "/data/b", "value": "2"}
    configure("mutating", lambda review: patched(review, added))
    seen = configure("validating", allowed)
    made = api.create(config_maps, config_map(a="1"))
    assert made["data"] == {"a": "1", "b": "2"}
    assert seen.asked[0]["request"]["object"]["data"] == {"a": "1", "b": "2"}
    assert api.get(f"{config_maps}/a")["data"] == {"a": "1", "b": "2"}


def test_those_who_want_are_asked_again(api: Api, configure: Configure, config_maps: str, namespace: str) -> None:
    def count(key: str) -> Answer:
        def answer(review: dict[str, Any]) -> Any:
            seen = ",".join(sorted(review["request"]["object"].get("data", {})))
            return patched(review, {"op": "add", "path": f"/data/{key}", "value": f"saw {seen}"})

        return answer

    first = configure("mutating", count("one"), name=f"{namespace}-a", reinvocationPolicy="IfNeeded")
    second = configure("mutating", count("two"), name=f"{namespace}-b")
    made = api.create(config_maps, config_map(a="1"))
    assert made["data"] == {"a": "1", "one": "saw a,one,two", "two": "saw a,one"}
    assert (len(first.asked), len(second.asked)) == (2, 1)


LIES: dict[str, tuple[Answer, str]] = {
    "another's uid": (
        lambda review: allowed(review, uid="x"),
        'received invalid webhook response: expected response.uid="{uid}", got "x"',
    ),
    "no response": (
        lambda review: {"kind": "AdmissionReview"},
        "received invalid webhook response: webhook response was absent",
    ),
    "another kind": (
        lambda review: {**allowed(review), "kind": "Other"},
        "received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, "
        "got admission.k8s.io/v1, Kind=Other",
    ),
    "a patch without its type": (
        lambda review: allowed(review, patch="W10="),
        "received invalid webhook response: webhook returned response.patch but not response.patchType",
    ),
    "another type of patch": (
        lambda review: allowed(review, patch="W10=", patchType="Merge"),
        'unsupported patch type "Merge"',
    ),
    "a broken patch": (
        lambda review: allowed(review, patch="e30=", patchType="JSONPatch"),
        "received undecodable patch in webhook response: "
        "json: cannot unmarshal object into Go value of type jsonpatch.Patch",
    ),
    "no JSON": (
        lambda review: b"hello",
        "failed to call webhook: couldn't get version/kind; json parse error: "
        "invalid character 'h' looking for beginning of value",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_bad_answers(api: Api, configure: Configure, config_maps: str, lie: str) -> None:
    answer, fault = LIES[lie]
    hook = configure("mutating", answer)
    refused = api.request("POST", config_maps, config_map())
    fault = fault.replace("{uid}", hook.asked[0]["request"]["uid"])
    assert (refused.code, refused.body["reason"]) == (500, "InternalError")
    assert message(refused).startswith(
        f'Internal error occurred: failed calling webhook "hook.example.com": {fault}'
    ), message(refused)
    assert not api.exists(f"{config_maps}/a")


def test_a_patch_that_does_not_apply(api: Api, configure: Configure, config_maps: str) -> None:
    configure("mutating", lambda review: patched(review, {"op": "remove", "path": "/data/x"}))
    assert api.request("POST", config_maps, config_map()).code == 500
    configure("mutating", lambda review: patched(review, {"op": "replace", "path": "/data", "value": 3}))
    assert api.request("POST", config_maps, config_map()).code == 500


def test_a_webhook_that_hangs(api: Api, configure: Configure, config_maps: str, namespace: str) -> None:
    release = threading.Event()

    def hang(review: dict[str, Any]) -> Any:
        release.wait(10)
        return allowed(review)

    hook = configure("validating", hang, timeoutSeconds=1)
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(api.request("POST", config_maps, config_map())))
    started = time.monotonic()
    asking.start()
    # Others are served meanwhile.
    assert api.request("GET", config_maps).code == 200
    assert api.request("POST", f"/api/v1/namespaces/{namespace}/secrets", {"metadata": {"name": "s"}}).code == 201
    asking.join()
    release.set()
    assert 1 <= time.monotonic() - started < 3
    assert message(answers[0]) == (
        f'Internal error occurred: failed calling webhook "hook.example.com": failed to call webhook: '
        f'Post "{hook.url}?timeout=1s": context deadline exceeded'
    )


def test_failures_may_be_ignored(api: Api, configure: Configure, config_maps: str) -> None:
    hook = configure("validating", lambda review: b"", failurePolicy="Ignore")
    assert api.request("POST", config_maps, config_map()).code == 201
    hook.answer = denied
    assert api.request("POST", config_maps, config_map("b")).code == 400


def test_another_authority(api: Api, configure: Configure, config_maps: str, tmp_path: Path) -> None:
    other = Webhook(tmp_path, allowed)
    hook = configure("validating", allowed, clientConfig={**other.config(), "url": other.url})
    assert api.request("POST", config_maps, config_map()).code == 201
    untrusted = configure("validating", allowed, clientConfig={**other.config(), "url": hook.url})
    refused = api.request("POST", config_maps, config_map("b"))
    assert refused.code == 500
    fault = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    assert message(refused).endswith(fault), message(refused)
    assert not untrusted.asked
    hook.close()
    assert "connect: connection refused" in message(api.request("POST", config_maps, config_map("b")))


def test_whom_it_concerns(api: Api, configure: Configure, config_maps: str, namespace: str) -> None:
    hook = configure(
        "validating",
        denied,
        {**CONFIG_MAPS, "operations": ["CREATE"]},
        objectSelector={"matchLabels": {"checked": "yes"}},
        matchConditions=[{"name": "not-exempt", "expression": "!object.metadata.name.startsWith('exempt')"}],
    )
    labelled = {"metadata": {"name": "b", "labels": {"checked": "yes"}}}
    assert api.request("POST", config_maps, config_map()).code == 201
    assert api.request("POST", config_maps, labelled).code == 400
    assert (
        api.request("PATCH", f"{config_maps}/a", {"metadata": labelled["metadata"] | {"name": "a"}}, MERGE).code == 200
    )
    exempt = {"metadata": {"name": "exempt", "labels": {"checked": "yes"}}}
    assert api.request("POST", config_maps, exempt).code == 201
    assert api.request("POST", "/api/v1/namespaces/default/configmaps", labelled).code == 201
    api.request("DELETE", "/api/v1/namespaces/default/configmaps/b")
    assert len(hook.asked) == 1


def test_side_effects_and_dry_run(api: Api, configure: Configure, config_maps: str) -> None:
    configure("validating", allowed, sideEffects="NoneOnDryRun")
    assert api.request("POST", f"{config_maps}?dryRun=All", config_map()).code == 201


def test_their_own_configuration_is_exempt(api: Api, configure: Configure) -> None:
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}
    hook = configure("validating", denied, everything, namespaceSelector={}, failurePolicy="Fail")
    try:
        assert api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "refused"}}).code == 400
    finally:
        for each in api.get(KINDS["validating"][1])["items"]:
            assert api.request("DELETE", f"{KINDS['validating'][1]}/{each['metadata']['name']}").code == 200
    assert {each["request"]["resource"]["group"] for each in hook.asked} != {"admissionregistration.k8s.io"}


def test_custom_resources(api: Api, configure: Configure, namespace: str) -> None:
    group = f"{namespace}.example.com"
    install(api, definition(group))
    rule = {"apiGroups": [group], "apiVersions": ["v1"], "resources": ["widgets"], "operations": ["CREATE"]}
    hook = configure(
        "mutating", lambda review: patched(review, {"op": "add", "path": "/spec/color", "value": "red"}), rule
    )
    made = api.create(path(group, namespace), widget(group))
    assert made["spec"] == {"size": 3, "color": "red"}
    assert hook.asked[0]["request"]["kind"] == {"group": group, "version": "v1", "kind": "Widget"}
    hook.answer = lambda review: patched(review, {"op": "add", "path": "/spec/size", "value": 99})
    assert api.request("POST", path(group, namespace), widget(group, "b")).code == 422
    api.request("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}")
