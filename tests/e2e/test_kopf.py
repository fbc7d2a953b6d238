"""Operators on kopf, run by its own command: handlers, finalizers, timers, daemons, indices, admission, peering."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from .api import Api
from .processes import Server, environment, free_port
from .test_custom_resources import CRDS, definition, install, version
from .waiting import until
from .webhook import Webhook

pytest.importorskip("kopf")
pytest.importorskip("kubernetes")

OPERATORS = Path(__file__).parent / "operators"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
PEERING = "/apis/kopf.dev/v1"
_numbers = count(1)

FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1},
        "owner": {"type": "string"},
        "parts": {"type": "array", "items": {"type": "string"}},
        "trouble": {"type": "integer"},
        "ticks": {"type": "boolean"},
        "watched": {"type": "boolean"},
    },
}


class Operator:
    """`kopf run` in a process of its own, on one namespace or all."""

    def __init__(
        self, server: Server, group: str, namespace: str, directory: Path, *options: str, webhook: bool = False
    ) -> None:
        here = directory / f"operator-{next(_numbers)}"
        here.mkdir()
        certificate = Webhook.certificate(here / "pair.pem")
        (here / "webhook.crt").write_bytes(certificate)
        (here / "webhook.key").write_bytes((here / "pair.pem").read_bytes().removeprefix(certificate))
        self.log = here / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self._command = [sys.executable, "-m", "kopf", "run", "--verbose"]
        self._command += ["--namespace", namespace] if namespace else ["--all-namespaces"]
        self._command += [*(options or ("--standalone",)), str(OPERATORS / "databases.py")]
        if webhook:
            self._command.append(str(OPERATORS / "admission.py"))
        self._environment = environment(server.kubeconfig) | {
            "GROUP": group,
            "WEBHOOK_PORT": str(free_port() if webhook else 0),
            "WEBHOOK_CERTIFICATE": str(here / "webhook.crt"),
            "WEBHOOK_KEY": str(here / "webhook.key"),
        }

    def start(self) -> "Operator":
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=output, stderr=output)
        return self

    def says(self, text: str) -> bool:
        """Whether it has logged this."""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        return text in self.log.read_text()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """SIGTERM; nothing may have gone wrong until then."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the operator does not end: {self.log.read_text()[-3000:]}") from None
            log = self.log.read_text()
            assert "Traceback" not in log, log[max(0, log.index("Traceback") - 1000) :][:4000]


@pytest.fixture
def group() -> str:
    """A group of the test's own."""
    return f"kopf{next(_numbers)}.example.com"


@pytest.fixture
def operator(
    api: Api,
    api_server: Server,
    group: str,
    namespace: str,
    tmp_path: Path,
) -> Iterator[Callable[..., Operator]]:
    """Make operators for the databases of a group, in one namespace."""
    install(api, databases_of(group))
    made: list[Operator] = []

    def make(*options: str, webhook: bool = False) -> Operator:
        made.append(Operator(api_server, group, namespace, tmp_path, *options, webhook=webhook))
        return made[-1].start()

    yield make
    try:
        for each in made:
            each.end()
    finally:
        for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
            api.request("DELETE", f"{CONFIGURATIONS}/{kind}/admission.{group}")
        api.delete(f"{CRDS}/databases.{group}")


def databases_of(group: str) -> dict[str, Any]:
    """The definition of a group's databases."""
    schema = {"type": "object", "properties": {"spec": SPEC, "status": FREE}}
    names = {"plural": "databases", "singular": "database", "kind": "Database"}
    wanted = version(subresources={"status": {}}, schema={"openAPIV3Schema": schema})
    return definition(group, wanted, **names)


@pytest.fixture
def databases(group: str, namespace: str) -> str:
    return f"/apis/{group}/v1/namespaces/{namespace}/databases"


def database(group: str, name: str = "a", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"{group}/v1", "kind": "Database", "metadata": {"name": name}, "spec": {"size": 3, **spec}}


def test_a_life_under_an_operator(
    api: Api,
    operator: Callable[..., Operator],
    databases: str,
    group: str,
    namespace: str,
) -> None:
    """Retries, status, a finalizer, a child, events, changes of a field, sub-handlers, deletion."""
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    one = f"{databases}/a"
    operator()
    api.create(databases, database(group, trouble=2))
    made = until(lambda: (it := api.get(one)).get("status", {}).get("created") and it, "the creation is handled")
    assert made["status"]["created"] == {"attempts": 3}
    assert made["metadata"]["finalizers"] == [f"{group}/finalizer"]
    child = api.get(f"{maps}/{made['metadata']['annotations']['child']}")
    assert child["metadata"]["labels"] == {"of": "a"}
    assert [owner["uid"] for owner in child["metadata"]["ownerReferences"]] == [made["metadata"]["uid"]]
    until(lambda: "Made" in {event["reason"] for event in api.events(namespace, "a")}, "the event is there")

    api.patch(one, {"spec": {"size": 5}})
    until(lambda: api.get(one)["status"].get("resized/spec.size") == "3 to 5", "the change is handled")
    api.patch(one, {"metadata": {"labels": {"split": "yes"}}, "spec": {"parts": ["x", "y"]}})
    wanted = {"split/x": "X", "split/y": "Y"}
    until(lambda: wanted.items() <= api.get(one)["status"].items(), "the parts are handled")
    assert api.get(one)["metadata"]["generation"] == 3

    api.delete(one)
    until(lambda: not api.exists(one), "it is gone")
    assert api.exists(f"{maps}/grave-of-a")
    until(lambda: not api.exists(f"{maps}/{child['metadata']['name']}"), "its child is gone")


def test_timers_daemons_and_pods(
    api: Api,
    operator: Callable[..., Operator],
    databases: str,
    group: str,
    namespace: str,
) -> None:
    maps, one = f"/api/v1/namespaces/{namespace}/configmaps", f"{databases}/a"
    operator()
    api.create(databases, database(group, ticks=True, watched=True))
    until(lambda: api.get(one).get("status", {}).get("ticks", 0) >= 3, "the timer ticks")
    until(lambda: api.exists(f"{maps}/a-is-watched"), "the daemon runs")
    api.patch(one, {"spec": {"watched": False}})
    until(lambda: api.exists(f"{maps}/a-is-not-watched"), "the daemon was stopped")
    pods = f"/api/v1/namespaces/{namespace}/pods"
    spec = {"containers": [{"name": "main", "image": "x.invalid/a"}]}
    api.create(pods, {"metadata": {"name": "p", "labels": {"database": "a"}}, "spec": spec})
    api.delete(f"{pods}/p", {"gracePeriodSeconds": 0})
    until(lambda: api.exists(f"{maps}/a-lost-p"), "the pod's end is seen")
    api.delete(one)
    until(lambda: not api.exists(one), "it is gone")


def test_what_happened_while_an_operator_was_dead(
    api: Api,
    operator: Callable[..., Operator],
    databases: str,
    group: str,
) -> None:
    first = operator()
    for name in "abc":
        api.create(databases, database(group, name))
    for name in "abc":
        until(lambda name=name: api.get(f"{databases}/{name}").get("status", {}).get("created"), "all are handled")
    first.kill()
    api.patch(f"{databases}/a", {"spec": {"size": 7}})
    api.delete(f"{databases}/b")
    api.create(databases, database(group, "d"))
    assert api.get(f"{databases}/b")["metadata"]["deletionTimestamp"]
    operator()
    until(lambda: not api.exists(f"{databases}/b"), "what was being deleted is gone")
    until(lambda: api.get(f"{databases}/a")["status"].get("resized/spec.size") == "3 to 7", "the change is handled")
    until(lambda: api.get(f"{databases}/d").get("status", {}).get("created"), "the new one is handled")
    resumed = until(lambda: (it := api.get(f"{databases}/c")["status"]).get("resumed") and it, "it was resumed")
    assert {"a", "c", "d"} <= set(resumed["known"])


def test_admission(
    api: Api,
    operator: Callable[..., Operator],
    databases: str,
    group: str,
    namespace: str,
) -> None:
    """The webhook configurations that kopf writes, and the answers that its server gives."""
    operator(webhook=True)
    for kind in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        until(lambda kind=kind: api.exists(f"{CONFIGURATIONS}/{kind}/admission.{group}"), f"{kind} are there")

    def completed() -> Any:
        answer = api.request("POST", f"{databases}?dryRun=All", database(group, "probe"))
        return answer.code == 201 and answer.body["spec"].get("owner") and answer

    answer = until(completed, "the webhooks are asked")
    assert answer.body["spec"] == {"size": 3, "owner": "nobody"}
    assert any("databases without an owner are nobody's" in warning for warning in answer.warnings)
    refused = api.request("POST", databases, database(group, "huge", size=101, owner="me"))
    assert refused.code == 429
    assert refused.body["message"].endswith("denied the request: kubernetes-admin wants too much")
    assert not api.exists(f"{databases}/huge")
    api.create(databases, database(group, owner="me"))
    refused = api.request("PATCH", f"{databases}/a", {"spec": {"size": 200}}, "application/merge-patch+json")
    assert refused.code == 429
    until(lambda: api.get(f"{databases}/a").get("status", {}).get("created"), "what was allowed is handled")


def test_peers_give_way_to_the_one_of_highest_priority(
    api: Api,
    operator: Callable[..., Operator],
    databases: str,
    group: str,
    namespace: str,
) -> None:
    peering = {"plural": "kopfpeerings", "singular": "kopfpeering", "kind": "KopfPeering"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"status": FREE}}
    wanted = definition("kopf.dev", version(schema={"openAPIV3Schema": schema}), **peering)
    install(api, wanted)
    try:
        peers = f"{PEERING}/namespaces/{namespace}/kopfpeerings"
        api.create(peers, {"apiVersion": "kopf.dev/v1", "kind": "KopfPeering", "metadata": {"name": "databases"}})
        low = operator("--peering=databases", "--priority=1")
        until(lambda: len(api.get(f"{peers}/databases").get("status", {})) == 1, "the peer makes itself known")
        high = operator("--peering=databases", "--priority=2")
        until(lambda: low.says("Pausing operations in favour of"), "the lesser one gives way")
        api.create(databases, database(group))
        until(lambda: api.get(f"{databases}/a").get("status", {}).get("created"), "one handles it")
        assert "Handler 'created' succeeded" in high.log.read_text()
        assert "Handler 'created'" not in low.log.read_text()
        high.end()
        until(lambda: low.says("Resuming operations after the pause"), "the lesser one goes on")
        api.patch(f"{databases}/a", {"spec": {"size": 4}})
        until(lambda: api.get(f"{databases}/a")["status"].get("resized/spec.size"), "it handles the change")
        low.end()
    finally:
        api.delete(f"{CRDS}/{wanted['metadata']['name']}")


def test_definitions_that_come_and_go_under_an_operator(
    api: Api, api_server: Server, group: str, databases: str, namespace: str, tmp_path: Path
) -> None:
    """An operator of all namespaces, started before there is anything for it to do.

    It logs an error where it asks for a watch again before it hears that the definition is gone.
    """
    operator = Operator(api_server, group, "", tmp_path).start()
    try:
        until(lambda: operator.says("Unresolved resources cannot be served"), "it misses the definition")
        for again in (False, True):
            install(api, databases_of(group))
            api.create(databases, database(group))
            until(lambda: api.get(f"{databases}/a").get("status", {}).get("created"), "the object is handled")
            api.delete(f"{databases}/a")
            until(lambda: not api.exists(f"{databases}/a"), "the object is gone")
            api.delete(f"{CRDS}/databases.{group}")
            until(lambda: not api.exists(f"{CRDS}/databases.{group}"), f"the definition is gone, again: {again}")
    finally:
        operator.kill()
