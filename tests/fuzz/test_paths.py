"""What is authorized is what is done: requests for any path, told as authorization sees them and as they are served.

The registry is replaced by a handler that notes what it is asked for.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from steersman.api.errors import StatusError, not_found
from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource
from steersman.api.selectors import parse_fields
from steersman.api.user import User
from steersman.apiserver.endpoints.request_info import request_info
from steersman.apiserver.endpoints.resources import Resources
from steersman.apiserver.http.messages import Request, Stream
from steersman.apiserver.registry.contract import ListOptions

from .effort import examples

WORDS = """
api apis v1 apps autoscaling rbac.authorization.k8s.io namespaces nodes pods deployments secrets clusterroles services
default kube-system a b watch proxy status finalize scale exec log binding token eviction . .. %2F %2e%2e %00 %25 a%2Fb
v1beta1 authorization.k8s.io subjectaccessreviews serviceaccounts certificatesigningrequests approval persistentvolumes
""".split()  # noqa: SIM905
LIKELY = [
    "/api/v1/",
    "/apis/apps/v1/",
    "/api/v1/namespaces/a/",
    "/api/v1/watch/",
    "/api/v1/proxy/",
    "/apis/",
    "/",
    "//",
]
PATHS = st.builds(
    lambda start, rest, end: start + "/".join(rest) + end,
    st.sampled_from(LIKELY),
    st.lists(st.sampled_from([*WORDS, ""]), max_size=6),
    st.sampled_from(["", "", "", "/", "//"]),
)
QUERIES = st.lists(
    st.sampled_from(
        ["watch=1", "watch=false", "watch", "watch=0", "fieldSelector=metadata.name%3Db", "dryRun=All", "force=true",
         "fieldSelector=metadata.name!%3Db", "fieldSelector=metadata.name%3Db,metadata.namespace%3Da", "limit=1",
         "fieldSelector=x%5C,metadata.name%3Db", "fieldManager=m", "labelSelector=a", "path=b"]
    ),
    max_size=3,
).map("&".join)  # fmt: skip
METHODS = st.sampled_from(["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "GETS"])
VERBS = {"list_": "list", "delete_collection": "deletecollection"}
SCHEME = builtin_scheme()


class Noting:
    """A handler that notes the verb, and what it is for, and finds nothing."""

    def __init__(self, resource: Resource[Any], notes: list[tuple[Any, ...]]) -> None:
        self.resource = resource
        self._notes = notes

    async def _note(self, verb: str, namespace: str, name: str = "", subresource: str = "", selector: str = "") -> Any:
        self._notes.append((verb, self.resource, namespace, name, subresource, selector))
        raise not_found(self.resource.name, name)

    async def get(self, namespace: str, name: str, *, resource_version: str = "") -> Any:
        await self._note("get", namespace, name, "?")

    async def list(self, namespace: str, options: ListOptions) -> Any:
        await self._note("list", namespace, selector=options.field_selector)

    async def watch(self, namespace: str, options: ListOptions, sink: Any) -> Any:
        await self._note("watch", namespace, selector=options.field_selector)

    async def create(self, context: Any, namespace: str, obj: Any) -> Any:
        await self._note("create", namespace)

    async def update(
        self, context: Any, namespace: str, name: str, obj: Any, *, subresource: str = "", lent: bool = False
    ) -> Any:
        await self._note("update", namespace, name, subresource)

    async def patch(self, context: Any, namespace: str, name: str, patch: Any, *, subresource: str = "") -> Any:
        await self._note("patch", namespace, name, subresource)

    async def delete(self, context: Any, namespace: str, name: str, options: Any) -> Any:
        await self._note("delete", namespace, name)

    async def delete_collection(self, context: Any, namespace: str, options: ListOptions, delete_options: Any) -> Any:
        await self._note("deletecollection", namespace, selector=options.field_selector)

    async def get_subresource(self, namespace: str, name: str, subresource: str) -> Any:
        await self._note("get", namespace, name, subresource)

    async def update_subresource(
        self, context: Any, namespace: str, name: str, subresource: str, transform: Any
    ) -> Any:
        await self._note("update or patch", namespace, name, subresource)

    async def create_subresource(self, context: Any, namespace: str, name: str, subresource: str, body: Any) -> Any:
        await self._note("create", namespace, name, subresource)


class Nobody:
    """The writer of a stream that nobody reads."""

    buffered = 0

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def write(self, data: bytes) -> None: ...

    def write_framed(self, chunk: bytes) -> None: ...

    async def drain(self) -> None: ...


async def serve(request: Request) -> list[tuple[Any, ...]]:
    notes: list[tuple[Any, ...]] = []
    resources = Resources(SCHEME, lambda resource: Noting(resource, notes))  # type: ignore[arg-type, return-value]
    info = request_info(request)
    if not info.is_resource or not resources.serves(info):
        return []
    try:
        answer = await resources.handle(request, info)
        if isinstance(answer, Stream):
            await answer.run(Nobody())
    except StatusError:
        pass
    return notes


def body(method: str, name: str) -> bytes:
    return b"" if method in ("GET", "HEAD") else b'{"metadata":{"name":"%b"}}' % name.encode()


@examples(3000)
@given(METHODS, PATHS, QUERIES, st.sampled_from(["application/json", "application/merge-patch+json"]))
def test_what_is_authorized_is_what_is_done(method: str, path: str, query: str, media_type: str) -> None:
    request = Request(method, path, unquote(path), query, {"content-type": media_type})
    request.user = User("somebody")
    try:
        info = request_info(request)
    except StatusError:
        return
    request.body = body(method, info.parts[1] if len(info.parts) > 1 else "")
    for verb, resource, namespace, name, subresource, selector in asyncio.run(serve(request)):
        assert (resource.group, resource.version, resource.name) == (info.group, info.version, info.resource)
        assert info.verb in verb
        is_namespace = resource.qualified_name == "namespaces"
        assert namespace == ("" if is_namespace else info.namespace)
        if not resource.namespaced and not is_namespace:
            assert not info.namespace
        assert subresource == "?" or subresource == info.subresource
        if name:
            assert name == info.name
        elif info.name:
            # A list or watch that is authorized by a name must be restricted to it.
            assert parse_fields(selector).required_value("metadata.name") == info.name
        assert name not in (".", "..")
        assert not {"/", "%"} & set(name)
