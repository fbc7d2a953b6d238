from __future__ import annotations

import pytest

from steersman.api.errors import StatusError
from steersman.apiserver.endpoints.representation import Form, negotiate
from steersman.apiserver.endpoints.request_info import request_info
from steersman.apiserver.http.messages import Request


def request(method: str, target: str, **headers: str) -> Request:
    path, _, query = target.partition("?")
    return Request(method, path, path, query, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/api/v1/pods", ("list", "", "", "pods", "", "")),
        ("GET", "/api/v1/pods?watch=1", ("watch", "", "", "pods", "", "")),
        ("GET", "/api/v1/pods?watch=false", ("list", "", "", "pods", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/b/log", ("get", "", "a", "pods", "log", "b")),
        ("POST", "/apis/apps/v1/namespaces/a/deployments", ("create", "apps", "a", "deployments", "", "")),
        ("DELETE", "/api/v1/namespaces/a/pods", ("deletecollection", "", "a", "pods", "", "")),
        ("GET", "/api/v1/namespaces/a", ("get", "", "a", "namespaces", "", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", ("update", "", "a", "namespaces", "finalize", "a")),
        ("GET", "/api/v1/watch/namespaces/a/pods/b", ("watch", "", "a", "pods", "", "b")),
        ("GET", "/api/v1/secrets?fieldSelector=metadata.name%3Dx", ("list", "", "", "secrets", "", "x")),
    ],
)
def test_resources(method: str, target: str, expected: tuple[str, ...]) -> None:
    info = request_info(request(method, target))
    assert info.is_resource
    assert (info.verb, info.group, info.namespace, info.resource, info.subresource, info.name) == expected


def test_other_paths() -> None:
    for path in ("/", "/healthz", "/api", "/apis/apps", "/apis/apps/v1", "/openapi/v2"):
        info = request_info(request("GET", path))
        assert (info.is_resource, info.verb, info.path) == (False, "get", path)


def test_negotiation() -> None:
    table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    assert negotiate(request("GET", "/", accept=table)) == Form(shape="Table")
    assert negotiate(request("GET", "/", accept="application/vnd.kubernetes.protobuf,application/json")) == Form()
    assert negotiate(request("GET", "/", accept="application/yaml")).yaml
    assert negotiate(request("GET", "/", accept="application/json;q=0.5, application/yaml")).yaml
    with pytest.raises(StatusError) as caught:
        negotiate(request("GET", "/", accept="application/vnd.kubernetes.protobuf"))
    assert caught.value.code == 406
