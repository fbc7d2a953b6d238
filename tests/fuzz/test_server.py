"""Requests for everything with anything in them, through the whole chain to a store: an answer, and never a 500."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource
from steersman.api.types.core_v1 import ServiceAccount
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.user import User
from steersman.apiserver.endpoints.metrics import Metrics
from steersman.apiserver.endpoints.pipeline import Pipeline
from steersman.apiserver.endpoints.resources import Resources
from steersman.apiserver.http.messages import Request, Response
from steersman.apiserver.registry.registry import Registry
from steersman.apiserver.seams import Decision
from steersman.client.local import LocalClient
from steersman.storage.memory import MemoryStore

from .effort import examples

ADMIN = User("admin", ("system:masters", "system:authenticated"))
SCHEME = builtin_scheme()


def collection(resource: Resource[Any]) -> str:
    start = f"/apis/{resource.group}" if resource.group else "/api"
    return f"{start}/{resource.version}/{'namespaces/default/' if resource.namespaced else ''}{resource.name}"


COLLECTIONS = sorted(collection(each) for each in SCHEME if each.served)
SUBRESOURCES = ["", "", "", "/status", "/scale", "/binding", "/eviction", "/finalize", "/approval", "/token", "/resize"]
TYPES = ["application/json", "application/yaml", "application/merge-patch+json", "application/json-patch+json",
         "application/strategic-merge-patch+json", "application/apply-patch+yaml", "text/plain",
         "application/vnd.kubernetes.protobuf"]  # fmt: skip
ACCEPTS = ["", "*/*", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io", "text/html",
           "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"]  # fmt: skip
QUERIES = st.lists(
    st.sampled_from(
        ["limit=1", "limit=x", "limit=-1", "continue=abc", "resourceVersion=1", "resourceVersion=x",
         "resourceVersionMatch=Exact", "labelSelector=a%3Db", "labelSelector=!!", "dryRun=All",
         "fieldSelector=metadata.name%3Da", "fieldSelector=spec.x%3Da", "fieldManager=m", "force=true", "dryRun=x",
         "fieldValidation=Strict", "propagationPolicy=Foreground", "gracePeriodSeconds=0", "gracePeriodSeconds=x",
         "pretty=1", "includeObject=Object", "timeout=1s", "timeout=x", "sendInitialEvents=true", "orphanDependents=1"]
    ),
    max_size=3,
).map("&".join)  # fmt: skip
WORDS = """
kind apiVersion metadata name generateName namespace labels annotations finalizers ownerReferences uid spec status
template containers image ports resources limits requests cpu replicas selector matchLabels matchExpressions volumes
env data stringData managedFields fieldsV1 livenessProbe httpGet port rules verbs roleRef subjects value provisioner
type clusterIP clusterIPs ipFamilies nodePort targetPort protocol capacity storage accessModes addressType endpoints
conditions taints podCIDR schedule jobTemplate parallelism completions webhooks handler driver items op path key
operator request signerName usages holderIdentity resourceVersion deletionTimestamp creationTimestamp generation unknown
""".split()  # noqa: SIM905
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 70000), st.floats(), st.integers(),
    st.sampled_from(["", "a", "default", "v1", "Pod", "apps/v1", "1", "1Gi", "10.0.0.1", "ClusterIP", "NodePort", "TCP",
                     "2026-01-01T00:00:00Z", "replace", "/metadata/labels", "/spec", "In", "x" * 300, "a b", "\ud800"]),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=15,
)
PARTS = ("spec", "status", "data", "rules", "subjects", "roleRef", "template", "endpoints", "type", "value")
METADATA = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "c.d"])}, optional=dict.fromkeys(("labels", "annotations", "finalizers"), TREES)
)
OBJECTS = st.fixed_dictionaries({"metadata": METADATA}, optional=dict.fromkeys(PARTS, TREES))
BODIES = st.one_of(
    OBJECTS.map(json.dumps), OBJECTS.map(json.dumps), TREES.map(json.dumps), st.text(max_size=20), st.just("")
).map(lambda text: text.encode("utf-8", "replace"))


class Anybody:
    """The administrator, who may do everything."""

    async def authenticate(self, request: Request) -> User:
        return ADMIN

    async def authenticate_token(self, token: str, audiences: Any = ()) -> None:
        return None

    async def authorize(self, attributes: Any) -> Decision:
        return Decision(allowed=True)

    def rules(self, user: User, namespace: str) -> Any:
        raise NotImplementedError


@asynccontextmanager
async def running() -> AsyncIterator[Pipeline]:
    anybody: Any = Anybody()
    registry = Registry(MemoryStore(), SCHEME)
    registry.surroundings.authorizer = anybody
    registry.surroundings.authenticator = anybody
    task = asyncio.create_task(registry.run())
    await registry.ready.wait()
    client = LocalClient(registry, ADMIN)
    await client.create(ServiceAccount(metadata=ObjectMeta(name="default", namespace="default")))
    try:
        yield Pipeline(anybody, anybody, Resources(SCHEME, registry.handler), Metrics())
    finally:
        task.cancel()
        await asyncio.wait([task])


METHODS = st.sampled_from(["GET", "POST", "POST", "PUT", "PATCH", "PATCH", "DELETE"])
REQUESTS = st.tuples(
    METHODS,
    st.sampled_from(COLLECTIONS),
    st.sampled_from(["", "", "/a", "/a", "/b", "/c.d", "/%2e%2e"]),
    st.sampled_from(SUBRESOURCES),
    QUERIES,
    st.sampled_from([*TYPES, *["application/json"] * 4]),
    st.sampled_from(ACCEPTS),
    BODIES,
)
WHOLE: dict[str, Any] = json.loads(Path(__file__).with_name("objects.json").read_text())
"""Objects with much in them that are valid, or nearly, to be changed in one place or two."""


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all that is in data."""
    found = [path] if path else []
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        found += places(child, (*path, key))
    return found


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a path."""
    if not path:
        return value
    key, *rest = path
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[key] = changed(copy[key], tuple(rest), value)
    return copy


@st.composite
def mutants(draw: st.DrawFn) -> tuple[Any, ...]:
    """A whole object of a kind, changed here and there, created or written over what is there."""
    path = draw(st.sampled_from(sorted(WHOLE)))
    body: Any = {"metadata": {"name": "a", "labels": {"a": "b"}}, **WHOLE[path]}
    for _ in range(draw(st.integers(0, 2))):
        body = changed(body, draw(st.sampled_from(places(body))), draw(TREES))
    method, name = draw(st.sampled_from([("POST", ""), ("POST", ""), ("PUT", "/a"), ("PATCH", "/a")]))
    media_type = "application/json" if method != "PATCH" else draw(st.sampled_from(TYPES))
    return method, path, name, "", draw(QUERIES), media_type, "", json.dumps(body).encode("utf-8", "replace")


MEANT = re.compile(r"resourceVersion should not be set")


@pytest.fixture(scope="module")
def runner() -> Any:
    with asyncio.Runner() as runner:
        yield runner


@examples(25)
@given(st.lists(mutants() | REQUESTS, min_size=15, max_size=25))
def test_whatever_is_asked_is_answered(runner: asyncio.Runner, requests: list[tuple[Any, ...]]) -> None:
    async def ask() -> None:
        async with running() as pipeline:
            for method, collected, name, subresource, query, media_type, accept, body in requests:
                path = collected + name + (subresource if name else "")
                headers = {"content-type": media_type, "accept": accept, "user-agent": "fuzz/1"}
                request = Request(method, path, unquote(path), query, headers, b"" if method == "GET" else body)
                async with asyncio.timeout(10):
                    answer = await pipeline.handle(request)
                assert isinstance(answer, Response)
                content = answer.later() if answer.later is not None else answer.body
                text = (content if isinstance(content, bytes) else b"".join(content)).decode()
                if not MEANT.search(text):
                    assert answer.status < 500, (method, path, query, media_type, body, text)

    runner.run(ask())
