"""The model of an added API server (``examples/apiserver``) as a process, registered with an API server."""

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from steersman.pki.certificates import KeyPair, Subject, issue, new_authority

from .api import Api
from .processes import environment, free_port
from .waiting import until

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples/apiserver"
API_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1.notes.example.com"
NAMES = ("notes.notes.svc",)


def own_address() -> str:
    """This machine's own address: loopback is nobody's endpoint."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return ""
        return str(probe.getsockname()[0])


class AddedServer:
    """``python -m notes`` on this machine's address, whose clients come through ``api``."""

    def __init__(self, directory: Path, api: Api, kubeconfig: Path) -> None:
        self.api = api
        self.directory = directory
        self.port = free_port()
        self.authority = new_authority("notes-ca")
        self.kubeconfig = directory / "kubeconfig"
        self._admin = kubeconfig
        self.process: subprocess.Popen[bytes] | None = None

    def register(self) -> None:
        """The manifests of the example, but for the pod: a slice that leads here stands in the selector's place."""
        bundle = base64.b64encode(self.authority.certificate_pem).decode()
        for body in yaml.safe_load_all((EXAMPLE / "manifests.yaml").read_text().replace("CA_BUNDLE", bundle)):
            if body["kind"] == "Service":
                del body["spec"]["selector"]
            kind, name = body["kind"].lower(), body["metadata"]["name"]
            namespace = body["metadata"].get("namespace")
            plural = f"{kind}es" if kind.endswith("s") else f"{kind}s"
            group = body["apiVersion"]
            prefix = f"/apis/{group}" if "/" in group else f"/api/{group}"
            place = f"{prefix}/{f'namespaces/{namespace}/' if namespace else ''}{plural}"
            if not self.api.exists(f"{place}/{name}"):
                self.api.create(place, body)
        self.api.create(
            "/apis/discovery.k8s.io/v1/namespaces/notes/endpointslices",
            {
                "metadata": {"name": "notes", "labels": {"kubernetes.io/service-name": "notes"}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": [own_address()]}],
                "ports": [{"name": "https", "port": self.port}],
            },
        )
        token = self.api.create(
            "/api/v1/namespaces/notes/serviceaccounts/notes/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        )["status"]["token"]
        tree = yaml.safe_load(self._admin.read_text())
        tree["users"][0]["user"] = {"token": token}
        self.kubeconfig.write_text(yaml.safe_dump(tree))

    def start(self, signer: KeyPair | None = None) -> "AddedServer":
        """Start it, with a certificate of its authority (or another), and wait until it answers."""
        pair = issue(signer or self.authority, Subject("notes", dns_names=NAMES, server=True))
        certificate, key = self.directory / "tls.crt", self.directory / "tls.key"
        certificate.write_bytes(pair.certificate_pem)
        key.write_bytes(pair.key_pem)
        env = {**environment(self.kubeconfig), "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(EXAMPLE)])}
        with (self.directory / "log").open("ab") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "notes", "--secure-port", str(self.port)),
                    *("--tls-cert-file", str(certificate), "--tls-private-key-file", str(key)),
                    *("--database", str(self.directory / "notes.db")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
            )
        until(self._listens, "the added server listens", 20.0)
        return self

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        with socket.socket() as probe:
            return probe.connect_ex((own_address(), self.port)) == 0

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    def condition(self) -> tuple[str, str, str]:
        """Status, reason and message of ``Available``."""
        for each in self.api.get(API_SERVICE).get("status", {}).get("conditions", []):
            if each["type"] == "Available":
                return each["status"], each["reason"], each["message"]
        return "", "", ""

    def until(self, reason: str, seconds: float = 20.0) -> str:
        """Wait for a reason; the message with it."""
        until(lambda: self.condition()[1] == reason, f"the APIService is {reason}: {self.condition()}", seconds)
        return self.condition()[2]

    def serving(self) -> "AddedServer":
        """Wait until its resources can be found."""
        self.until("Passed")
        until(lambda: self.api.request("GET", "/apis/notes.example.com/v1").code == 200, "the notes are served")
        return self

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes connections, and does nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> float:
        """SIGTERM; the seconds until it had ended."""
        started = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return time.monotonic() - started
