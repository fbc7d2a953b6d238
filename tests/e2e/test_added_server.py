"""The model of an added API server behind a real API server: stock kubectl, who may, what fails and what does not."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steersman.pki.certificates import new_authority

from .added_server import API_SERVICE, AddedServer, own_address
from .api import Api
from .kubectl import Kubectl
from .processes import Server
from .waiting import until

PATH = "/apis/notes.example.com/v1"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

NOTE = """
apiVersion: notes.example.com/v1
kind: Note
metadata: {name: milk, labels: {for: breakfast}}
spec: {text: "buy milk"}
"""


@pytest.fixture(scope="module")
def added(api_server: Server, scratch: Path) -> Iterator[AddedServer]:
    if not own_address():
        pytest.skip("this machine has no address but loopback")
    directory = Path(tempfile.mkdtemp(dir=scratch))
    server = AddedServer(directory, api_server.api, api_server.kubeconfig)
    server.register()
    try:
        yield server.start().serving()
        assert "Traceback" not in server.log, server.log
    finally:
        api_server.api.request("DELETE", API_SERVICE)
        server.stop()


@pytest.mark.kubectl
def test_kubectl_works_with_it(added: AddedServer, kubectl: Kubectl) -> None:
    assert "notes.example.com/v1" in kubectl("api-versions").split()
    rows = {line.split()[0]: line.split() for line in kubectl("api-resources", "--cached=false").splitlines()}
    assert rows["notes"] == ["notes", "nt", "notes.example.com/v1", "true", "Note"]
    assert kubectl("apply", "-f", "-", input=NOTE).strip() == "note.notes.example.com/milk created"
    assert kubectl("apply", "-f", "-", input=NOTE).strip() == "note.notes.example.com/milk unchanged"
    lines = kubectl("get", "nt").splitlines()
    assert [lines[0].split(), lines[1].split(maxsplit=2)] == [["NAME", "DONE", "TEXT"], ["milk", "false", "buy milk"]]
    assert lines[1].split()[0] in kubectl("get", "all")
    assert "No resources found" in kubectl.run("get", "notes", "-l", "for=dinner").stderr
    with kubectl.background("get", "notes", "-w") as watching:
        watching.expect("milk")
        changed = NOTE.replace("buy milk", "buy more milk")
        assert kubectl("apply", "-f", "-", input=changed).strip() == "note.notes.example.com/milk configured"
        watching.expect("more milk")
    kubectl("label", "note", "milk", "for=dinner", "--overwrite")
    kubectl("patch", "note", "milk", "--type=merge", "-p", '{"spec":{"done":true}}')
    note = kubectl.json("get", "note", "milk")
    assert (note["spec"], note["metadata"]["labels"]) == ({"text": "buy more milk", "done": True}, {"for": "dinner"})
    assert note["metadata"]["generation"] == 3
    refused = kubectl.refused("apply", "-f", "-", input=NOTE.replace('"buy milk"', '""'))
    assert 'The Note "milk" is invalid: spec.text: Required value' in refused
    assert "unknown field" in kubectl.refused("apply", "-f", "-", input=NOTE.replace("text:", "txet: x, text:"))
    assert "more milk" in kubectl("describe", "note", "milk")
    assert kubectl("delete", "note", "milk").strip().startswith('note.notes.example.com "milk" deleted')
    assert kubectl.refused("get", "note", "milk").strip() == (
        'Error from server (NotFound): notes.notes.example.com "milk" not found'
    )


@pytest.mark.kubectl
def test_kubectl_explains_it(added: AddedServer, kubectl: Kubectl) -> None:
    said = kubectl("explain", "notes.spec")
    assert "GROUP:      notes.example.com" in said
    assert "Whether it has been dealt with." in said


@pytest.mark.kubectl
def test_who_may(added: AddedServer, kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", input=NOTE)
    kubectl("create", "serviceaccount", "reader")
    kubectl("create", "rolebinding", "reader", "--clusterrole=view", f"--serviceaccount={kubectl.namespace}:reader")
    name = f"system:serviceaccount:{kubectl.namespace}:reader"
    until(lambda: kubectl.run("auth", "can-i", "list", "notes", "--as", name).returncode == 0, "view has notes")
    assert "milk" in kubectl("get", "notes", "--as", name)
    assert "is forbidden" in kubectl.refused("delete", "note", "milk", "--as", name)
    assert "is forbidden" in kubectl.refused("get", "notes", "-A", "--as", name)
    # Directly, with a token of its own: the added server asks the cluster who that is, and whether they may.
    token = kubectl("create", "token", "reader").strip()
    direct = ["--server", f"https://{own_address()}:{added.port}", "--insecure-skip-tls-verify", "--token", token]
    listed = kubectl("get", "--raw", f"{PATH}/namespaces/{kubectl.namespace}/notes", *_nobody(added), *direct)
    assert '"milk"' in listed
    refused = kubectl.run("get", "--raw", f"{PATH}/notes", *_nobody(added), *direct)
    assert "Forbidden" in refused.stderr or "forbidden" in refused.stderr
    stranger = kubectl.run("get", "--raw", f"{PATH}/notes", *_nobody(added), *direct[:3])
    assert stranger.returncode != 0


def _nobody(added: AddedServer) -> list[str]:
    """A configuration without credentials."""
    path = added.directory / "nobody"
    path.write_text("apiVersion: v1\nkind: Config\n")
    return ["--kubeconfig", str(path)]


def test_notes_go_with_their_namespace(added: AddedServer, api: Api) -> None:
    name = api.create("/api/v1/namespaces", {"metadata": {"generateName": "notes-"}})["metadata"]["name"]
    place = f"{PATH}/namespaces/{name}/notes"
    api.create(place, {"metadata": {"name": "a"}, "spec": {"text": "x"}})
    missing = api.request(
        "POST", f"{PATH}/namespaces/nowhere/notes", {"metadata": {"name": "a"}, "spec": {"text": "x"}}
    )
    assert (missing.code, missing.body["message"]) == (404, 'namespaces "nowhere" not found')
    api.delete(f"/api/v1/namespaces/{name}")
    until(lambda: not api.exists(f"/api/v1/namespaces/{name}"), "the namespace has gone")
    assert api.get(place)["items"] == []


def test_notes_go_with_their_owners(added: AddedServer, api: Api, namespace: str) -> None:
    notes, maps = f"{PATH}/namespaces/{namespace}/notes", f"/api/v1/namespaces/{namespace}/configmaps"
    first = api.create(maps, {"metadata": {"name": "first"}})

    def owned(name: str, owner: dict[str, Any]) -> dict[str, Any]:
        reference = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        reference |= {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
        return {"metadata": {"name": name, "ownerReferences": [reference]}}

    note = api.create(notes, {**owned("second", first), "spec": {"text": "x"}})
    api.create(maps, owned("third", note))
    api.delete(f"{maps}/first")
    until(lambda: not api.exists(f"{notes}/second"), "the note has gone with its owner")
    until(lambda: not api.exists(f"{maps}/third"), "what the note owned has gone")


def test_failures_are_the_groups_alone(added: AddedServer, api: Api, namespace: str) -> None:
    """Down, with a certificate of somebody else's, hanging; and there again."""
    note = {"metadata": {"name": "a"}, "spec": {"text": "x"}}
    api.create(f"{PATH}/namespaces/{namespace}/notes", note)
    url = f"https://{own_address()}:{added.port}{PATH}"

    added.stop()
    # Before anybody has looked, a request finds out by itself.
    refused = api.request("GET", f"{PATH}/notes")
    assert refused.code == 503
    api.patch(API_SERVICE, {"spec": {"versionPriority": 16}})  # looked at again at once
    assert added.until("FailedDiscoveryCheck").startswith(
        f'failing or missing response from {url}: Get "{url}": dial tcp'
    )
    assert (api.request("GET", f"{PATH}/notes").code, api.request("GET", f"{PATH}/notes").text) == (
        503,
        "service unavailable\n",
    )
    groups = api.request("GET", "/apis", accept=AGGREGATED).body["items"]
    (found,) = [each for each in groups if each["metadata"]["name"] == "notes.example.com"]
    assert [(each["version"], each["freshness"]) for each in found["versions"]] == [("v1", "Stale")]

    # The namespace controller cannot know what is left in there.
    doomed = api.create("/api/v1/namespaces", {"metadata": {"generateName": "doomed-"}})["metadata"]["name"]
    api.delete(f"/api/v1/namespaces/{doomed}")

    def told() -> bool:
        conditions = api.get(f"/api/v1/namespaces/{doomed}")["status"].get("conditions", [])
        return any(
            (each["type"], each["status"], each["reason"], each["message"])
            == (
                "NamespaceDeletionDiscoveryFailure",
                "True",
                "DiscoveryFailed",
                "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
                "notes.example.com/v1: stale GroupVersion discovery: notes.example.com/v1",
            )
            for each in conditions
        )

    until(told, "the namespace tells of the group that cannot be asked")

    added.start(signer=new_authority("somebody"))
    added.until("Passed", 40)  # upstream's check looks at no certificate
    refused = api.request("GET", f"{PATH}/notes")
    assert refused.code == 503
    assert "x509: certificate signed by unknown authority" in refused.text
    added.stop()

    added.start().serving()
    assert api.get(f"{PATH}/namespaces/{namespace}/notes/a")["spec"]["text"] == "x"
    with added.hanging():
        late = api.request("GET", f"{PATH}/notes?timeout=500ms")
        assert (late.code, late.body["reason"]) == (504, "Timeout")
        started = time.monotonic()
        assert api.request("GET", "/api/v1/namespaces/default").code == 200
        assert time.monotonic() - started < 1
    assert api.request("GET", f"{PATH}/notes").code == 200
    until(lambda: not api.exists(f"/api/v1/namespaces/{doomed}"), "the namespace has gone", 40)


def test_an_api_service_that_goes_takes_its_group_along(added: AddedServer, api: Api) -> None:
    service = api.get(API_SERVICE)
    api.delete(API_SERVICE)
    until(lambda: api.request("GET", f"{PATH}/notes").code == 404, "the notes are not served", 2)
    assert api.request("GET", "/apis/notes.example.com").code == 404
    for member in ("resourceVersion", "uid", "creationTimestamp"):
        del service["metadata"][member]
    api.create("/apis/apiregistration.k8s.io/v1/apiservices", service)
    added.serving()
