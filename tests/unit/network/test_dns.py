from __future__ import annotations

import asyncio
import contextlib

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from steersman.api.types.core_v1 import Namespace, Service, ServicePort, ServiceSpec
from steersman.api.types.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.dns.objects import service_objects
from steersman.dns.server import DNSConfig, DNSServer, upstreams

from .fakes import FakeClient, eventually


def service(name: str, **spec: object) -> Service:
    return Service(metadata=ObjectMeta(name=name, namespace="default"), spec=ServiceSpec(**spec))  # type: ignore[arg-type]


def world() -> FakeClient:
    client = FakeClient()
    http = [ServicePort(name="http", port=80, protocol="TCP")]
    client.put(Namespace(metadata=ObjectMeta(name="default")))
    client.put(service("web", cluster_ip="10.96.0.7", cluster_ips=["10.96.0.7"], ports=http))
    client.put(service("db", cluster_ip="None", ports=http))
    client.put(service("far", type="ExternalName", external_name="Example.org"))
    client.put(service("near", type="ExternalName", external_name="web.default.svc.cluster.local"))
    endpoints = [
        Endpoint(addresses=["10.244.0.2"], hostname="db-0", conditions=EndpointConditions(ready=True)),
        Endpoint(addresses=["10.244.0.3"]),
        Endpoint(addresses=["10.244.0.4"], conditions=EndpointConditions(ready=False)),
    ]
    client.put(
        EndpointSlice(
            metadata=ObjectMeta(name="db-1", namespace="default", labels={"kubernetes.io/service-name": "db"}),
            address_type="IPv4",
            endpoints=endpoints,
            ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
        )
    )
    return client


class FakeUpstream(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.questions: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.questions.append(query.question[0].name.to_text())
        reply = dns.message.make_response(query)
        name = query.question[0].name
        if query.question[0].rdtype == dns.rdatatype.A and "missing" not in name.to_text():
            reply.answer.append(dns.rrset.from_text(name, 600, "IN", "A", "192.0.2.1"))
        else:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(reply.to_wire(), addr)  # type: ignore[attr-defined]


@contextlib.asynccontextmanager
async def serving(client: FakeClient):
    loop = asyncio.get_running_loop()
    transport, upstream = await loop.create_datagram_endpoint(FakeUpstream, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    server = DNSServer(DNSConfig(port=0, upstreams=(f"127.0.0.1:{port}",)), client)  # type: ignore[arg-type]
    task = asyncio.create_task(server.run())
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait({task, ready}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert not task.done(), task.exception()
    assert ready.done()
    server.fake = upstream  # type: ignore[attr-defined]
    try:
        yield server
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        transport.close()


async def ask(server: DNSServer, name: str, type_: str, *, tcp: bool = False, edns: int = -1) -> dns.message.Message:
    query = dns.message.make_query(name, type_, use_edns=edns)
    function = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    reply = await function(query, "127.0.0.1", timeout=5, port=server.bound_port)
    assert reply.question[0].name.to_text() == name + "."  # the case is kept
    return reply


def texts(reply: dns.message.Message) -> list[str]:
    return sorted(rdata.to_text() for rrset in reply.answer for rdata in rrset)


async def test_cluster_names() -> None:
    async with serving(world()) as server:
        domain = "cluster.local"
        expected = {
            (f"web.default.svc.{domain}", "A"): ["10.96.0.7"],
            (f"WEB.default.svc.{domain}", "A"): ["10.96.0.7"],
            (f"web.default.svc.{domain}", "AAAA"): [],
            (f"_http._tcp.web.default.svc.{domain}", "SRV"): [f"0 100 80 web.default.svc.{domain}."],
            (f"web.default.svc.{domain}", "SRV"): [f"0 100 80 web.default.svc.{domain}."],
            ("7.0.96.10.in-addr.arpa", "PTR"): [f"web.default.svc.{domain}."],
            (f"db.default.svc.{domain}", "A"): ["10.244.0.2", "10.244.0.3"],
            (f"db-0.db.default.svc.{domain}", "A"): ["10.244.0.2"],
            (f"10-244-0-3.db.default.svc.{domain}", "A"): ["10.244.0.3"],
            (f"_http._tcp.db.default.svc.{domain}", "SRV"): [
                f"0 50 8080 10-244-0-3.db.default.svc.{domain}.",
                f"0 50 8080 db-0.db.default.svc.{domain}.",
            ],
            ("2.0.244.10.in-addr.arpa", "PTR"): [f"db-0.db.default.svc.{domain}."],
            (f"10-1-2-3.default.pod.{domain}", "A"): ["10.1.2.3"],
            (f"10-1-2-3.default.pod.{domain}", "AAAA"): [],
            (f"dns-version.{domain}", "TXT"): ['"1.1.0"'],
            (f"default.svc.{domain}", "A"): [],
            (f"_tcp.web.default.svc.{domain}", "A"): [],
            (f"near.default.svc.{domain}", "A"): ["10.96.0.7", f"web.default.svc.{domain}."],
            (f"far.default.svc.{domain}", "A"): ["192.0.2.1", "Example.org."],
        }
        for (name, type_), answer in expected.items():
            for edns in (-1, 0):
                reply = await ask(server, name, type_, edns=edns)
                assert reply.rcode() == dns.rcode.NOERROR, name
                assert texts(reply) == answer, name
                assert reply.edns == edns
                if not answer:
                    assert reply.authority[0].rdtype == dns.rdatatype.SOA
        for name in (
            f"nope.default.svc.{domain}",
            f"10-1-2-3.nowhere.pod.{domain}",
            f"web.default.svc.{domain}.default.svc.{domain}",
        ):
            reply = await ask(server, name, "A")
            assert reply.rcode() == dns.rcode.NXDOMAIN
            assert reply.authority[0].rdtype == dns.rdatatype.SOA
        assert server.fake.questions == ["Example.org."]  # type: ignore[attr-defined]


async def test_changes_are_followed() -> None:
    client = world()
    async with serving(client) as server:
        web = service("web", cluster_ip="10.96.0.8", cluster_ips=["10.96.0.8"])
        client.put(web)
        name = "web.default.svc.cluster.local"
        async with asyncio.timeout(5):
            while texts(await ask(server, name, "A")) != ["10.96.0.8"]:
                await asyncio.sleep(0.01)
        assert (await ask(server, "_http._tcp." + name, "SRV")).rcode() == dns.rcode.NXDOMAIN
        client.drop(web)
        async with asyncio.timeout(5):
            while (await ask(server, name, "A")).rcode() != dns.rcode.NXDOMAIN:
                await asyncio.sleep(0.01)


async def test_forwarding_caches_and_caps() -> None:
    async with serving(world()) as server:
        for name in ("example.com", "eXample.com", "example.com"):
            reply = await ask(server, name, "A")
            assert texts(reply) == ["192.0.2.1"]
            assert reply.answer[0].ttl <= 30
        assert (await ask(server, "missing.example.com", "A")).rcode() == dns.rcode.NXDOMAIN
        assert server.fake.questions == ["example.com.", "missing.example.com."]  # type: ignore[attr-defined]


async def test_truncation_and_tcp() -> None:
    client = world()
    many = [Endpoint(addresses=[f"10.244.1.{number}"]) for number in range(1, 201)]
    client.put(service("many", cluster_ip="None"))
    client.put(
        EndpointSlice(
            metadata=ObjectMeta(name="m", namespace="default", labels={"kubernetes.io/service-name": "many"}),
            address_type="IPv4",
            endpoints=many,
        )
    )
    async with serving(client) as server:
        name = "many.default.svc.cluster.local"
        reply = await ask(server, name, "A")
        assert reply.flags & dns.flags.TC
        assert len(texts(await ask(server, name, "A", tcp=True))) == 200


async def test_no_upstream_is_servfail_and_noise_is_survived() -> None:
    server = DNSServer(DNSConfig(port=0, upstreams=("127.0.0.1:9",), upstream_timeout=0.2), world())  # type: ignore[arg-type]
    task = asyncio.create_task(server.run())
    await asyncio.wait_for(server.ready.wait(), 5)
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for noise in (b"", b"x", b"\0" * 12, b"\xff" * 600, b"\0\1\1\0\0\1\0\0\0\0\0\0\x3f" + b"a" * 20):
            sock.sendto(noise, ("127.0.0.1", server.bound_port))
    assert (await ask(server, "example.com", "A")).rcode() == dns.rcode.SERVFAIL
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_server_does_not_ask_itself(tmp_path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 10.96.0.10\nnameserver 192.0.2.53 # office\nsearch x\nnameserver 10.0.0.1\n")
    config = DNSConfig(bind_address="10.0.0.1", resolv_conf=str(path))
    assert [upstream.host for upstream in upstreams(config)] == ["192.0.2.53"]


async def test_the_resolvers_of_a_new_network_are_asked(tmp_path) -> None:
    path = tmp_path / "resolv.conf"
    config = DNSConfig(port=0, resolv_conf=str(path), resolv_conf_period=0.01)
    server = DNSServer(config, world())  # type: ignore[arg-type]
    task = asyncio.create_task(server.run())
    try:
        await asyncio.wait_for(server.ready.wait(), 5)
        for address in ("192.0.2.53", "198.51.100.53"):
            new = tmp_path / "new"
            new.write_text(f"nameserver {address}\n")
            new.replace(path)
            await eventually(lambda: [item.host for item in server._forwarder.upstreams] == [address])  # noqa: B023
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_service_objects_name_the_servers() -> None:
    found, endpoints = service_objects("10.96.0.10", ["192.0.2.7"], 5353)
    assert isinstance(found, Service)
    assert isinstance(endpoints, EndpointSlice)
    assert [port.port for port in found.spec.ports] == [53, 53]
    assert endpoints.metadata.labels["kubernetes.io/service-name"] == found.metadata.name
    assert endpoints.ports[0].port == 5353
