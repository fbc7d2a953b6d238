"""A plain HTTPS client for tests: one request, one answer, nothing hidden."""

import base64
import http.client
import json
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import yaml

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Answer(NamedTuple):
    code: int
    text: str
    warnings: list[str]

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Api:
    """An administrator's access to an API server, from the text of a kubeconfig; one connection a request."""

    def __init__(self, kubeconfig: str) -> None:
        tree = yaml.safe_load(kubeconfig)
        cluster, user = tree["clusters"][0]["cluster"], tree["users"][0]["user"]
        self.url = cluster["server"]
        parts = urlsplit(self.url)
        self.host, self.port = parts.hostname or "", parts.port or 443
        self.authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.context = ssl.create_default_context(cadata=self.authority)
        with tempfile.TemporaryDirectory() as directory:
            pair = Path(directory, "pair.pem")
            pair.touch(0o600)
            pair.write_bytes(
                base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"])
            )
            self.context.load_cert_chain(pair)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        kind: str = "application/json",
        timeout: float = 10.0,
        accept: str = "application/json",
    ) -> Answer:
        """Send one request; raises OSError where the server is not there."""
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=timeout)
        try:
            data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": kind, "Accept": accept})
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(), response.headers.get_all("Warning") or [])
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    @contextmanager
    def stream(self, path: str, timeout: float = 10.0) -> Iterator[http.client.HTTPResponse]:
        """An answer to be read bit by bit, such as a watch."""
        connection = http.client.HTTPSConnection(self.host, self.port, context=self.context, timeout=timeout)
        try:
            connection.request("GET", path)
            yield connection.getresponse()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The object or list at a path."""
        return self._expect(self.request("GET", path), path)

    def create(self, path: str, body: Any) -> Any:
        """Create an object and return it."""
        return self._expect(self.request("POST", path, body), path)

    def patch(self, path: str, body: Any, kind: str = MERGE) -> Any:
        """Patch an object and return it."""
        return self._expect(self.request("PATCH", path, body, kind), path)

    def delete(self, path: str, body: Any = None) -> Any:
        """Delete an object."""
        return self._expect(self.request("DELETE", path, body), path)

    def exists(self, path: str) -> bool:
        """Whether there is an object at a path."""
        answer = self.request("GET", path)
        assert answer.code in (200, 404), answer
        return answer.code == 200

    def events(self, namespace: str, name: str) -> list[dict[str, Any]]:
        """The events about an object."""
        return self.get(f"/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name%3D{name}")["items"]

    def ready(self) -> bool:
        """Whether `/readyz` says ok."""
        try:
            answer = self.request("GET", "/readyz", timeout=2.0)
        except OSError:
            return False
        return answer.code == 200 and answer.text == "ok"

    @staticmethod
    def _expect(answer: Answer, path: str) -> Any:
        assert 200 <= answer.code < 300, f"{path}: {answer.code} {answer.text}"
        return answer.body


def new_namespace(api: Api, prefix: str) -> str:
    """A new namespace whose default ServiceAccount is there, so that pods can be created in it."""
    name = api.create("/api/v1/namespaces", {"metadata": {"generateName": f"{prefix}-"}})["metadata"]["name"]
    deadline = time.monotonic() + 10
    while not api.exists(f"/api/v1/namespaces/{name}/serviceaccounts/default"):
        assert time.monotonic() < deadline, f"namespace {name} got no default ServiceAccount"
        time.sleep(0.02)
    return name
