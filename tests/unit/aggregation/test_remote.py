"""Group-versions that another server serves: whether it is there, what it has, and requests passed on to it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from steersman.api import codecs
from steersman.api.types.apiregistration_v1 import APIService
from steersman.api.types.core_v1 import Service, ServicePort, ServiceSpec
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.http.messages import Answer, Request, Response, Stream, StreamWriter, Upgrade
from steersman.client.streaming import Connection
from steersman.pki.certificates import new_authority

from .conftest import GROUP, PATH, VERSION, World, answer, discovered, until
from .test_local import definition

THINGS = f"{PATH}/namespaces/default/things"


async def test_requests_are_passed_on_in_the_name_of_who_makes_them(world: World) -> None:
    await world.register()
    assert await world.until("Passed") == "all checks passed"

    async def handle(request: Request) -> Answer:
        return answer({"kind": "Thing"}, 201) if request.path == THINGS else await discovered(request)

    world.backend.handle = handle
    sent = {
        "Impersonate-User": "jané 世界",
        "Impersonate-Uid": "u-1",
        "Impersonate-Group": "system:masters",
        "Impersonate-Extra-Scopes%2fof": "one",
        "X-Remote-User": "boss",
        "X-Remote-Group": "bosses",
        "X-Remote-Extra-Scopes": "all",
        "X-Forwarded-Host": "elsewhere",
        "X-Forwarded-Proto": "http",
        "X-Mine": "1",
        "Content-Type": "application/json",
    }
    async with world.session.post(world.url(f"{THINGS}?a=b%20c"), headers=sent, data=b'{"a":1}') as response:
        assert (response.status, await response.text()) == (201, '{"kind":"Thing"}')
        audit = response.headers["Audit-Id"]
    (request,) = world.backend.of(THINGS)
    assert (request.method, request.query_string, request.body) == ("POST", "a=b%20c", b'{"a":1}')
    assert request.peer_certificate is not None
    shown = {name: value for name, value in request.headers.items() if name.startswith(("x-", "imp", "auth", "aud"))}
    assert shown == {
        "audit-id": audit,
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": f"localhost:{world.backend.port}",
        "x-forwarded-proto": "https",
        "x-forwarded-uri": THINGS,
        "x-mine": "1",
        "x-remote-extra-scopes%2fof": "one",
        "x-remote-group": "system:masters, system:authenticated",
        "x-remote-uid": "u-1",
        "x-remote-user": "jané 世界",
    }


async def test_who_may_not_is_refused_here(world: World) -> None:
    await world.register()
    await world.until("Passed")
    async with world.session.get(world.url(THINGS), headers={"Impersonate-User": "jane"}) as response:
        assert (response.status, (await response.json())["reason"]) == (403, "Forbidden")
    assert not world.backend.of(THINGS)


async def test_discovery_is_merged(world: World) -> None:
    await world.register()
    await world.until("Passed")
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

    async def is_found() -> bool:
        return '"resource":"things"' in (await world.get("/apis", Accept=accept))[1]

    await until(is_found)
    _, text = await world.get("/apis", Accept=accept)
    group = next(each for each in decoded(text)["items"] if each["metadata"]["name"] == GROUP)
    (version,) = group["versions"]
    assert (version["version"], version["freshness"]) == (VERSION, "Current")
    (resource,) = version["resources"]
    assert resource["responseKind"] == {"group": GROUP, "version": VERSION, "kind": "Thing"}
    assert (resource["scope"], resource["shortNames"]) == ("Namespaced", ["th"])
    assert [each["subresource"] for each in resource["subresources"]] == ["status"]
    groups = decoded((await world.get("/apis"))[1])["groups"]
    assert {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION} in next(
        each for each in groups if each["name"] == GROUP
    )["versions"]
    assert decoded((await world.get(f"/apis/{GROUP}"))[1])["preferredVersion"]["version"] == VERSION
    assert decoded((await world.get(PATH))[1])["resources"][0]["name"] == "things"

    async with world.session.get(world.url("/apis"), headers={"Accept": accept}) as response:
        etag = response.headers["ETag"]
    async with world.session.get(world.url("/apis"), headers={"Accept": accept, "If-None-Match": etag}) as response:
        assert response.status == 304
    await world.client.delete(APIService, f"{VERSION}.{GROUP}")

    async def is_gone() -> bool:
        return (await world.get(f"/apis/{GROUP}"))[0] == 404

    await until(is_gone)
    assert (await world.get(THINGS))[0] == 404
    async with world.session.get(world.url("/apis"), headers={"Accept": accept, "If-None-Match": etag}) as response:
        assert response.status == 200


def schema(kind: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "x-kubernetes-group-version-kind": [{"group": GROUP, "kind": kind, "version": VERSION}],
    }


V2 = {
    "swagger": "2.0",
    "info": {"title": "Things", "version": "1"},
    "paths": {
        f"{PATH}/things": {
            "get": {
                "operationId": "list",
                "parameters": [{"$ref": "#/parameters/limit-1NfNmdNH"}],
                "responses": {"200": {"description": "OK", "schema": {"$ref": "#/definitions/com.example.v1.Thing"}}},
            }
        },
        f"{PATH}0/others": {"get": {"responses": {}}},
        "/apis/apps/v1/": {"get": {"operationId": "stolen", "responses": {}}},
    },
    "definitions": {
        "com.example.v1.Thing": schema(
            "Thing",
            metadata={"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
            time={"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Time"},
            free={"type": "object", "additionalProperties": True},
        ),
        "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"type": "object", "properties": {"name": {}}},
        "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {
            "type": "string",
            "format": "date-time",
            "description": "in words of its own",
        },
        "com.example.v1.Unused": {"type": "object"},
    },
    "parameters": {"limit-1NfNmdNH": {"in": "query", "name": "limit", "type": "integer", "uniqueItems": True}},
}


async def test_descriptions_are_merged(world: World) -> None:
    described = decoded((await world.get("/openapi/v2"))[1])
    name = PATH.removeprefix("/")
    url = f"/openapi/v3/{name}?hash=AB"
    index = {"paths": {name: {"serverRelativeURL": url}, "apis/apps/v1": {"serverRelativeURL": "/x"}}}
    documents: dict[str, Any] = {
        "/openapi/v2": V2,
        f"/openapi/v3/{name}": {"openapi": "3.0.0", "info": {"title": "Things"}},
    }

    async def handle(request: Request) -> Answer:
        if (found := documents.get(request.path)) is not None:
            if request.path == "/openapi/v2" and request.headers.get("if-none-match") == '"E"':
                return Response(b"", 304)
            return Response(msgspec.json.encode(found), headers={"ETag": '"E"'})
        return await discovered(request)

    world.backend.handle = handle
    await world.register()  # at first, it speaks version 2 alone

    async def merged() -> bool:
        return f"{PATH}/things" in (await world.get("/openapi/v2"))[1]

    await until(merged)
    place = decoded((await world.get("/openapi/v3"))[1])["paths"][name]["serverRelativeURL"]
    converted = decoded((await world.get(place))[1])
    assert converted["openapi"] == "3.0.0"
    (operation,) = (item["get"] for item in converted["paths"].values())
    assert operation["parameters"] == [
        {"in": "query", "name": "limit", "schema": {"type": "integer", "uniqueItems": True}}
    ]
    thing = {"schema": {"$ref": "#/components/schemas/com.example.v1.Thing"}}
    assert operation["responses"] == {"200": {"description": "OK", "content": {"*/*": thing}}}
    assert "com.example.v1.Thing" in converted["components"]["schemas"]
    documents["/openapi/v3"] = index
    world.server._aggregator._remotes[GROUP, VERSION].learn.set()

    async def described_itself() -> bool:
        paths = decoded((await world.get("/openapi/v3"))[1])["paths"]
        return paths[name]["serverRelativeURL"] == url

    await until(described_itself)
    index = decoded((await world.get("/openapi/v3"))[1])["paths"]
    assert index[name] == {"serverRelativeURL": url}
    assert index["apis/apps/v1"]["serverRelativeURL"].startswith("/openapi/v3/apis/apps/v1?hash=")
    assert decoded((await world.get(url))[1])["info"] == {"title": "Things"}
    document = decoded((await world.get("/openapi/v2"))[1])
    assert set(document["paths"]) - set(described["paths"]) == {f"{PATH}/things"}
    assert document["paths"]["/apis/apps/v1/"] == described["paths"]["/apis/apps/v1/"]
    meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    assert set(document["definitions"]) - set(described["definitions"]) == {"com.example.v1.Thing", f"{meta}_v2"}
    members = document["definitions"]["com.example.v1.Thing"]["properties"]
    assert members["metadata"] == {"$ref": f"#/definitions/{meta}_v2"}
    assert members["time"] == {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Time"}
    accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    async with world.session.get(world.url("/openapi/v2"), headers={"Accept": accept}) as response:
        etag = response.headers["ETag"]
        assert f"{PATH}/things".encode() in await response.read()
    headers = {"Accept": accept, "If-None-Match": etag}
    async with world.session.get(world.url("/openapi/v2"), headers=headers) as response:
        assert response.status == 304
    await world.client.delete(APIService, f"{VERSION}.{GROUP}")

    async def gone() -> bool:
        return decoded((await world.get("/openapi/v2"))[1]) == described

    await until(gone)
    assert name not in decoded((await world.get("/openapi/v3"))[1])["paths"]
    assert (await world.get(url))[0] == 404


async def test_what_cannot_be_asked_is_stale_and_unavailable(world: World) -> None:
    async def broken(request: Request) -> Answer:
        return Response(b"no", 500)

    world.backend.handle = broken
    await world.register()
    message = await world.until("FailedDiscoveryCheck")
    url = f"https://localhost:{world.backend.port}{PATH}"
    assert message == f"failing or missing response from {url}: bad status from {url}: 500"
    assert await world.get(THINGS) == (503, "service unavailable\n")
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    listed = decoded((await world.get("/apis", Accept=accept))[1])["items"]
    assert next(each for each in listed if each["metadata"]["name"] == GROUP)["versions"] == [
        {"version": VERSION, "freshness": "Stale"}
    ]
    assert (await world.get("/api/v1/namespaces/default"))[0] == 200
    status, metrics = await world.get("/metrics")
    assert status == 200
    assert f'aggregator_unavailable_apiservice{{name="{VERSION}.{GROUP}"}} 1.0' in metrics
    assert (
        'apiserver_request_terminations_total{code="503",component="aggregator",group="",resource="",scope="",'
        'subresource="",verb="LIST",version=""} 1.0'
    ) in metrics
    assert "aggregator_discovery_aggregation_count_total " in metrics
    world.backend.handle = discovered
    await world.until("Passed")

    async def is_there() -> bool:
        return (await world.get(PATH))[0] == 200

    await until(is_there)
    _, metrics = await world.get("/metrics")
    assert f'aggregator_unavailable_apiservice{{name="{VERSION}.{GROUP}"}} 0.0' in metrics


async def test_the_wrong_authority_is_not_believed(world: World) -> None:
    """Upstream's check does not look at the certificate; requests do."""
    await world.register(ca_bundle=new_authority("other").certificate_pem)
    await world.until("Passed")
    status, text = await world.get(THINGS)
    assert status == 503
    assert text == (
        "error trying to reach service: tls: failed to verify certificate: "
        "x509: certificate signed by unknown authority\n"
    )
    assert not world.backend.of(THINGS)
    service = codecs.copy(await world.client.get(APIService, f"{VERSION}.{GROUP}"))
    service.spec.ca_bundle = world.authority.certificate_pem
    await world.client.update(service)

    async def is_believed() -> bool:
        return (await world.get(PATH))[0] == 200

    await until(is_believed)


async def test_who_is_not_to_be_verified_is_not(world: World) -> None:
    await world.register(ca_bundle=None, insecure_skip_tls_verify=True)
    await world.until("Passed")
    assert (await world.get(PATH))[0] == 200


async def test_a_broken_bundle_is_told_of(world: World) -> None:
    await world.register(ca_bundle=b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    await world.until("Passed")
    status, text = await world.get(THINGS)
    assert (status, text) == (500, "unable to load root certificates: unable to parse bytes as PEM block\n")


@pytest.mark.parametrize("place", ["https://elsewhere.example/", "/api/v1/secrets"])
async def test_redirects_are_refused(world: World, place: str) -> None:
    await world.register()
    await world.until("Passed")

    async def elsewhere(request: Request) -> Answer:
        return Response(b"", 302, headers={"Location": place})

    world.backend.handle = elsewhere
    assert await world.get(THINGS) == (
        502,
        "the backend attempted to redirect this request, which is not permitted\n",
    )


async def test_watches_come_as_they_are_sent(world: World) -> None:
    await world.register()
    await world.until("Passed")
    more, gone = asyncio.Event(), asyncio.Event()

    async def run(writer: StreamWriter) -> None:
        try:
            writer.write(b'{"type":"ADDED"}\n')
            await writer.drain()
            await more.wait()
            writer.write(b'{"type":"DELETED"}\n')
            await writer.drain()
            await asyncio.Event().wait()
        finally:
            gone.set()

    async def watched(request: Request) -> Answer:
        return Stream(run, "application/json")

    world.backend.handle = watched
    async with world.session.get(world.url(f"{THINGS}?watch=1")) as response:
        assert await response.content.readline() == b'{"type":"ADDED"}\n'
        more.set()
        assert await response.content.readline() == b'{"type":"DELETED"}\n'
        response.close()
    await asyncio.wait_for(gone.wait(), 5)


async def test_upgrades_are_carried_through(world: World) -> None:
    await world.register()
    await world.until("Passed")

    async def run(connection: Connection) -> None:
        while data := await connection.read():
            connection.write(data.upper())
            await connection.drain()

    async def upgraded(request: Request) -> Answer:
        if request.headers.get("upgrade") != "echo":
            return Response(b"what?", 400, "text/plain")
        return Upgrade(run, {"Connection": "Upgrade", "Upgrade": "echo"})

    world.backend.handle = upgraded
    context = world.session.connector._ssl
    reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port, ssl=context)
    user = "Impersonate-User: jané 世界\r\nImpersonate-Group: system:masters"
    upgrade = "Connection: Upgrade\r\nUpgrade: echo"
    writer.write(f"GET {THINGS}/a/exec HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n{user}\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 101 ")
    writer.write(b"hello")
    assert await asyncio.wait_for(reader.readexactly(5), 5) == b"HELLO"
    writer.close()
    assert world.backend.of(f"{THINGS}/a/exec")[0].headers["x-remote-user"] == "jané 世界"


async def test_a_server_that_hangs_is_waited_for_alone(world: World) -> None:
    await world.register()
    await world.until("Passed")

    async def hanging(request: Request) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    world.backend.handle = hanging
    waiting = [asyncio.create_task(world.get(f"{THINGS}?timeout=300ms")) for _ in range(20)]
    async with asyncio.timeout(1):
        assert (await world.get("/api/v1/namespaces/default"))[0] == 200
    status, text = await waiting[0]
    assert (status, decoded(text)["reason"]) == (504, "Timeout")
    await asyncio.gather(*waiting)


async def test_large_bodies_are_not_held(world: World) -> None:
    await world.register()
    await world.until("Passed")

    async def counted(request: Request) -> Answer:
        return answer({"size": len(request.body)})

    world.backend.handle = counted
    async with world.session.post(world.url(THINGS), data=b"x" * 2_500_000) as response:
        assert decoded(await response.text()) == {"size": 2_500_000}


async def test_conditions_follow_the_service(world: World) -> None:
    await world.client.create(world.api_service())
    assert await world.until("ServiceNotFound") == 'service/things in "default" is not present'
    assert await world.get(PATH) == (503, "service unavailable\n")
    service = Service(
        metadata=ObjectMeta(name="things", namespace="default"),
        spec=ServiceSpec(ports=[ServicePort(name="https", port=1)]),
    )
    service = await world.client.create(service)
    message = f'service/things in "default" is not listening on port {world.backend.port}'
    assert await world.until("ServicePortError") == message
    service = codecs.copy(service)
    service.spec.ports[0].port = world.backend.port
    await world.client.update(service)
    assert await world.until("EndpointsNotFound") == 'cannot find endpointslices for service/things in "default"'


async def test_a_change_to_local_takes_effect_at_once(world: World) -> None:
    await world.register()
    await world.until("Passed")
    service = codecs.copy(await world.client.get(APIService, f"{VERSION}.{GROUP}"))
    service.spec.service = None
    service.spec.ca_bundle = None
    await world.client.update(service)
    await world.until("Local")
    assert (await world.get(THINGS))[0] == 404


async def test_another_server_comes_before_a_definition(world: World) -> None:
    await world.client.create(definition("things", GROUP, v1=True, v2=True))

    async def is_served() -> bool:
        return (await world.get(f"{PATH}/things"))[0] == 200

    await until(is_served)
    held = (await world.client.get(APIService, f"{VERSION}.{GROUP}")).metadata
    changed = world.api_service()
    changed.metadata = ObjectMeta(name=held.name, resource_version=held.resource_version)  # nobody's but ours now
    await world.client.create(
        Service(
            metadata=ObjectMeta(name="things", namespace="default"),
            spec=ServiceSpec(type="ExternalName", external_name="localhost"),
        )
    )
    await world.client.update(changed)
    await world.until("Passed")
    world.backend.seen.clear()
    assert (await world.get(f"{PATH}/things"))[0] == 404  # says the other server
    assert world.backend.of(f"{PATH}/things")
    assert (await world.get(f"/apis/{GROUP}/v2/things"))[0] == 200
    versions = decoded((await world.get(f"/apis/{GROUP}"))[1])["versions"]
    assert {each["version"] for each in versions} == {"v1", "v2"}
    await world.client.delete(APIService, f"{VERSION}.{GROUP}")
    await until(is_served)
    await world.until("Local")


def decoded(text: str) -> Any:
    return msgspec.json.decode(text)


async def test_slices_that_changed_while_nobody_looked_are_seen(world: World) -> None:
    port = ServicePort(port=world.backend.port)
    await world.client.create(
        Service(metadata=ObjectMeta(name="things", namespace="default"), spec=ServiceSpec(ports=[port]))
    )
    await world.client.create(world.api_service())
    await world.until("EndpointsNotFound")
    await world.client.delete(APIService, f"{VERSION}.{GROUP}")
    labels = {"kubernetes.io/service-name": "things"}
    await world.client.create(
        EndpointSlice(metadata=ObjectMeta(name="s", namespace="default", labels=labels), address_type="IPv4")
    )
    await world.client.create(world.api_service())
    await world.until("MissingEndpoints")


async def test_the_services_of_those_that_went_are_forgotten(world: World) -> None:
    service = await world.register()
    await world.until("Passed")
    surroundings = world.server._aggregator._surroundings

    async def is_known() -> bool:  # a change of the slices that comes late lets them be found again
        return [*surroundings._found] == [("default", "things")]

    await until(is_known)
    await world.client.delete(APIService, service.metadata.name)

    async def is_it() -> bool:
        return not surroundings._found

    await until(is_it)
