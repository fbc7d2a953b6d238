"""What is wrong is told clearly, at once, and nothing is left half-started."""

import itertools
import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from .api import JSON_PATCH, MERGE, STRATEGIC, Api, new_namespace
from .cluster import Cluster, missing_for_a_node
from .kubectl import Kubectl
from .processes import ROOT, STEERSMAN, Server, free_port, run
from .waiting import until

needs_root = pytest.mark.skipif(not ROOT, reason="this test needs root")


def pod(name: str, image: str = "example.invalid/x:1") -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


# --- the API ---------------------------------------------------------------------------------------------------------


def test_body_that_is_no_json(api: Api, namespace: str) -> None:
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/pods", b'{"kind": "Pod", ')
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_body_of_another_shape(api: Api, namespace: str) -> None:
    body = pod("p") | {"spec": {"containers": "many"}}
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/pods", body)
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")
    assert 'Pod in version "v1" cannot be handled as a Pod' in answer.body["message"]


def test_body_of_another_kind(api: Api, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/pods", body)
    assert (answer.code, answer.body["reason"]) == (400, "BadRequest")


def test_media_type_that_nobody_speaks(api: Api, namespace: str) -> None:
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/pods", b"<pod/>", "text/xml")
    assert (answer.code, answer.body["reason"]) == (415, "UnsupportedMediaType")


@pytest.mark.parametrize("validation", ["Strict", "Warn", "Ignore", ""])
def test_unknown_field(api: Api, namespace: str, validation: str) -> None:
    body = pod("p")
    body["spec"]["containers"][0]["imagee"] = "x"  # type: ignore[index]
    query = f"?dryRun=All&fieldValidation={validation}" if validation else "?dryRun=All"
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/pods{query}", body)
    if validation == "Strict":
        assert answer.code == 400
        assert 'strict decoding error: unknown field "spec.containers[0].imagee"' in answer.body["message"]
    else:
        assert answer.code == 201
        warned = ['299 - "unknown field \\"spec.containers[0].imagee\\""']
        assert answer.warnings == ([] if validation == "Ignore" else warned)


def test_duplicate_field(api: Api, namespace: str) -> None:
    text = json.dumps(pod("p")).replace('"name": "main"', '"name": "one", "name": "main"').encode()
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/pods?fieldValidation=Strict", text)
    assert answer.code == 400
    assert 'duplicate field "spec.containers[0].name"' in answer.body["message"]


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "dot.", "a" * 254])
def test_name_that_is_no_dns_subdomain(api: Api, namespace: str, name: str) -> None:
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": name}})
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["field"] == "metadata.name"
    assert answer.body["message"].startswith(f'ConfigMap "{name}" is invalid: metadata.name: Invalid value: "{name}": ')


def test_namespace_name_is_a_label(api: Api) -> None:
    answer = api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "a.b"}})
    assert answer.code == 422
    assert "must not contain dots" in answer.body["message"] or "RFC 1123 label" in answer.body["message"]


def test_pod_with_several_faults_names_every_one(api: Api, namespace: str) -> None:
    body = {
        "metadata": {"name": "p", "labels": {"a b": "c"}},
        "spec": {
            "containers": [
                {"name": "Main", "ports": [{"containerPort": 70000}]},
                {"name": "two", "image": "x", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
            ],
            "restartPolicy": "Sometimes",
        },
    }
    answer = api.request("POST", f"/api/v1/namespaces/{namespace}/pods", body)
    assert answer.code == 422
    assert {cause["field"] for cause in answer.body["details"]["causes"]} >= {
        "metadata.labels",
        "spec.containers[0].name",
        "spec.containers[0].image",
        "spec.containers[0].ports[0].containerPort",
        "spec.containers[1].resources.requests",
        "spec.restartPolicy",
    }


def test_namespace_that_is_not_there(api: Api) -> None:
    answer = api.request("POST", "/api/v1/namespaces/nowhere/configmaps", {"metadata": {"name": "c"}})
    assert (answer.code, answer.body["message"]) == (404, 'namespaces "nowhere" not found')


@pytest.mark.parametrize(
    ("kind", "patch", "code"),
    [
        (JSON_PATCH, b'[{"op": "remove", "path": "/data/none"}]', 422),
        (JSON_PATCH, b'{"op": "remove"}', 400),
        (MERGE, b"[1", 400),
        (STRATEGIC, b'{"data": {"a": {"b": 1}}}', 422),
        (MERGE, b'{"metadata": {"resourceVersion": "1"}}', 409),
        ("application/json", b"{}", 415),
    ],
)
def test_patches_that_cannot_be(api: Api, namespace: str, kind: str, patch: bytes, code: int) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    before = api.create(path, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    answer = api.request("PATCH", f"{path}/c", patch, kind)
    assert answer.code == code, answer.text
    assert api.get(f"{path}/c") == before


def test_body_beyond_the_limit(api: Api, namespace: str) -> None:
    """An object larger than 3 MiB is refused, and the server goes on."""
    body = {"metadata": {"name": "big"}, "data": {"a": "x" * (4 << 20)}}
    try:
        answer = api.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", body)
        assert answer.code == 413
    except OSError:  # it closed the connection while we were still writing, which is as good
        pass
    assert api.ready()


def test_kubectl_tells_what_is_wrong_with_a_manifest(kubectl: Kubectl, tmp_path: Path) -> None:
    manifest = tmp_path / "bad.yaml"
    manifest.write_text("apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n   labels: x\n")
    assert "error parsing" in kubectl.refused("apply", "-f", str(manifest))
    manifest.write_text("apiVersion: v1\nkind: Podd\nmetadata:\n  name: p\n")
    assert 'no matches for kind "Podd" in version "v1"' in kubectl.refused("apply", "-f", str(manifest))
    manifest.write_text(json.dumps(pod("p")).replace('"spec"', '"spek"'))
    assert 'unknown field "spek"' in kubectl.refused("create", "-f", str(manifest))
    manifest.write_text(json.dumps(pod("Not_A_Name")))
    assert 'The Pod "Not_A_Name" is invalid: metadata.name: Invalid value' in kubectl.refused(
        "create", "-f", str(manifest)
    )
    assert kubectl("get", "pods", "-o", "name") == ""


# --- the command line ------------------------------------------------------------------------------------------------


def test_taken_port(scratch: Path) -> None:
    data_dir = scratch / "taken-port"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        result = run(STEERSMAN, "server", "--data-dir", str(data_dir), "--disable-node", "--bind-address", "127.0.0.1",
                     "--secure-port", str(port))  # fmt: skip
    assert result.returncode == 1
    assert f"port {port} on 127.0.0.1 is taken" in result.stderr
    assert "--secure-port" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["server", "up", "status", "down"])
def test_data_of_an_unknown_version_is_not_touched(scratch: Path, command: str) -> None:
    data_dir = scratch / f"unknown-version-{command}"
    data_dir.mkdir()
    (data_dir / "VERSION").write_text("99\n")
    (data_dir / "cluster.json").write_text("{}")
    before = tree(data_dir)
    options = ["--secure-port", str(free_port())] if command in ("server", "up") else []
    result = run(STEERSMAN, command, "--data-dir", str(data_dir), *options)
    assert result.returncode == 1
    assert "version '99'" in result.stderr
    assert "Traceback" not in result.stderr
    assert tree(data_dir) == before


def test_damaged_database_is_not_touched(make_server_dir: Server) -> None:
    server = make_server_dir
    server.stop()
    [database] = [path for path in server.data_dir.rglob("*") if path.is_file() and path.read_bytes()[:6] == b"SQLite"]
    database.write_bytes(b"no database at all, and long enough to be taken for one by its length" * 200)
    before = database.read_bytes()
    result = run(*server.command)
    assert result.returncode == 1
    assert str(database) in result.stderr
    assert "Traceback" not in result.stderr
    assert database.read_bytes() == before


@pytest.fixture
def make_server_dir(make_server) -> Server:  # type: ignore[no-untyped-def]
    """A server that has run once."""
    server: Server = make_server().start()
    return server


@pytest.mark.parametrize("arguments", [["--service-cidr", "10.1.0.0"], ["--secure-port", "0"], ["--datastore", "mysql"],
                                       ["--cluster-cidr", "10.96.0.0/16"], ["--bind-address", "nowhere"]])  # fmt: skip
def test_settings_that_cannot_be(scratch: Path, arguments: list[str]) -> None:
    data_dir = scratch / f"bad-settings-{free_port()}"
    result = run(STEERSMAN, "server", "--data-dir", str(data_dir), "--disable-node", *arguments)
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stderr
    assert "rror" in result.stderr
    assert not data_dir.exists()


@needs_root
def test_up_without_root() -> None:
    data_dir = Path("/tmp/steersman-e2e-without-root")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("there is no setpriv on the PATH")
    nobody = [setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    if run(*nobody, STEERSMAN, "--version").returncode != 0:
        pytest.skip(f"nobody but root may run {STEERSMAN}")
    result = run(*nobody, STEERSMAN, "up", "--data-dir", str(data_dir), "--secure-port", str(free_port()))
    assert result.returncode == 1, result.stderr
    assert "needs root" in result.stderr
    assert "sudo" in result.stderr
    assert not data_dir.exists()


@needs_root
@pytest.mark.parametrize("program", ["containerd", "runc"])
def test_up_without_a_program(scratch: Path, program: str) -> None:
    """In a mount namespace where the program is hidden behind an empty file."""
    path = shutil.which(program)
    if path is None or shutil.which("unshare") is None:
        pytest.skip(f"there is no {program} or no unshare on the PATH")
    data_dir = scratch / f"without-{program}"
    empty = scratch / "empty"
    empty.touch(0o644)
    command = f"mount --bind {empty} {os.path.realpath(path)} && exec {STEERSMAN} up --data-dir {data_dir}"
    result = run("unshare", "--mount", "sh", "-c", f"{command} --secure-port {free_port()}")
    assert result.returncode == 1, result.stderr
    assert f"packages are missing: {program}" in result.stderr
    assert f"apt-get install {program}" in result.stderr
    assert not data_dir.exists()


@needs_root
def test_up_with_a_taken_port(cluster: Cluster, scratch: Path) -> None:
    data_dir = scratch / "second-cluster"
    result = run(STEERSMAN, "up", "--data-dir", str(data_dir), "--secure-port", str(cluster.port))
    assert result.returncode == 1
    assert f"port {cluster.port}" in result.stderr
    assert not data_dir.exists()


def test_status_of_no_cluster(scratch: Path) -> None:
    result = run(STEERSMAN, "status", "--data-dir", str(scratch / "nothing"))
    assert result.returncode == 1
    assert "there is no cluster in" in result.stderr
    assert not (scratch / "nothing").exists()


# --- the node --------------------------------------------------------------------------------------------------------


@pytest.mark.root
@pytest.mark.containerd
def test_image_that_does_not_exist(cluster: Cluster) -> None:
    if reason := missing_for_a_node():
        pytest.skip(reason)
    api = cluster.api
    namespace = new_namespace(api, "image")
    path = f"/api/v1/namespaces/{namespace}/pods"
    # Nobody listens at this registry: refused at once, without a network.
    created = api.create(path, pod("p", "127.0.0.1:1/no/such:1"))

    def waiting(item: dict[str, Any]) -> str:
        statuses = item["status"].get("containerStatuses", [])
        return next((status["state"].get("waiting", {}).get("reason", "") for status in statuses), "")

    until(lambda: waiting(api.get(f"{path}/p")) == "ImagePullBackOff", "ImagePullBackOff", 30)
    # The history since then, as a watch tells it.
    version = created["metadata"]["resourceVersion"]
    events = api.request("GET", f"{path}?watch=true&timeoutSeconds=1&resourceVersion={version}").text.splitlines()
    seen = [
        reason for reason, _ in itertools.groupby(waiting(json.loads(event)["object"]) for event in events) if reason
    ]
    assert seen[:3] == ["ContainerCreating", "ErrImagePull", "ImagePullBackOff"]

    def reasons() -> set[tuple[str, str]]:
        return {(event["reason"], event["type"]) for event in api.events(namespace, "p")}

    wanted = {("Pulling", "Normal"), ("Failed", "Warning"), ("BackOff", "Normal"), ("Scheduled", "Normal")}
    until(lambda: reasons() >= wanted, f"the events {wanted}")
    messages = [event["message"] for event in api.events(namespace, "p")]
    assert any('Failed to pull image "127.0.0.1:1/no/such:1"' in message for message in messages)
    assert 'Back-off pulling image "127.0.0.1:1/no/such:1"' in " ".join(messages)
    api.delete(f"{path}/p")
    until(lambda: not api.exists(f"{path}/p"), "the pod is gone")
    api.delete(f"/api/v1/namespaces/{namespace}")
