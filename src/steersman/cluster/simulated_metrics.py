"""Serves what simulated pods use as ``metrics.k8s.io/v1beta1``: an API server of one group, behind an APIService.

It listens on an address of this machine that the API server reaches, with a certificate of its own, and answers those
alone who show a certificate of the front proxy's authority: the API server has authorized what it passes on.  What it
registers it removes when it ends.  Where somebody else serves the group, it leaves that alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import tempfile
from pathlib import Path

import msgspec
from aiohttp import web

from steersman.api import codecs, labels
from steersman.api.errors import StatusError, internal_error, is_already_exists, method_not_allowed
from steersman.api.types.apiregistration_v1 import APIService, APIServiceSpec, ServiceReference
from steersman.api.types.core_v1 import ConfigMap, Service, ServicePort, ServiceSpec
from steersman.api.types.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.client import Client
from steersman.pki.certificates import KeyPair, Subject, issue, new_authority
from steersman.simulation.metrics import GROUP, VERSION, Metrics

log = logging.getLogger(__name__)

NAME = "steersman-simulated-metrics"
NAMESPACE = labels.NAMESPACE_SYSTEM
API_SERVICE = f"{VERSION}.{GROUP}"
MARK = {"app.kubernetes.io/managed-by": NAME}
AUTHENTICATION = "extension-apiserver-authentication"
CLIENT_CA = "requestheader-client-ca-file"
PORT = 443
PATIENCE = 2.0
"""Seconds to take back what was registered."""

RETRY = 1.0


async def serve(client: Client, metrics: Metrics, address: str) -> None:
    """Serve and be registered until cancelled; returns where somebody else serves the group."""
    if not await _is_free(client):
        log.warning("%s is served by somebody else: simulated nodes have no metrics", GROUP)
        return
    authority = new_authority(f"{NAME}-ca")
    host = f"{NAME}.{NAMESPACE}.svc"
    pair = issue(authority, Subject(host, dns_names=(host,), addresses=(address,), server=True))
    runner = web.AppRunner(_application(metrics), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, 0, ssl_context=_context(pair, await _front_proxy(client)))
        await site.start()
        port = int(runner.addresses[0][1])
        try:
            for obj in _objects(address, port, authority.certificate_pem):
                await _ensure(client, obj)
            log.info("metrics of simulated nodes are served at %s port %d", address, port)
            await asyncio.Event().wait()
        finally:
            await asyncio.shield(_withdraw(client))
    finally:
        await runner.cleanup()


def _application(metrics: Metrics) -> web.Application:
    async def handle(request: web.Request) -> web.Response:
        if request.path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        try:
            if request.method != "GET":
                raise method_not_allowed(request.method)
            answer: object = await metrics.answer(request.path, request.query)
            code = 200
        except StatusError as error:
            answer, code = error.status, error.code
        except Exception:
            log.exception("%s failed", request.path)
            failure = internal_error("see the log of the simulated nodes")
            answer, code = failure.status, failure.code
        return web.Response(body=msgspec.json.encode(answer), status=code, content_type="application/json")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    return application


def _context(pair: KeyPair, front_proxy: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=front_proxy)
    with tempfile.TemporaryDirectory(prefix="steersman-") as directory:
        path = Path(directory) / "pair.pem"
        path.touch(0o600)
        path.write_bytes(pair.certificate_pem + pair.key_pem)
        context.load_cert_chain(path)
    return context


async def _front_proxy(client: Client) -> str:
    """The authority by which the API server is known; a new server says it after a moment."""
    while True:
        with contextlib.suppress(StatusError):
            found = await client.get(ConfigMap, AUTHENTICATION, NAMESPACE)
            if authority := found.data.get(CLIENT_CA):
                return authority
        await asyncio.sleep(RETRY)


async def _is_free(client: Client) -> bool:
    try:
        present = await client.get(APIService, API_SERVICE)
    except StatusError as error:
        if error.code == 404:
            return True
        raise
    return MARK.items() <= present.metadata.labels.items()


def _objects(address: str, port: int, authority: bytes) -> list[Service | EndpointSlice | APIService]:
    def metadata(name: str, namespace: str = "", **marks: str) -> ObjectMeta:
        return ObjectMeta(name=name, namespace=namespace, labels={**MARK, **marks})

    sliced = metadata(NAME, NAMESPACE)
    sliced.labels |= {labels.SERVICE_NAME: NAME, labels.MANAGED_BY: NAME}
    return [
        Service(
            metadata=metadata(NAME, NAMESPACE),
            spec=ServiceSpec(ports=[ServicePort(name="https", port=PORT, protocol="TCP")]),
        ),
        EndpointSlice(
            metadata=sliced,
            address_type="IPv6" if ":" in address else "IPv4",
            endpoints=[Endpoint(addresses=[address])],
            ports=[EndpointPort(name="https", port=port, protocol="TCP")],
        ),
        APIService(
            metadata=metadata(API_SERVICE),
            spec=APIServiceSpec(
                group=GROUP,
                version=VERSION,
                group_priority_minimum=100,
                version_priority=100,
                ca_bundle=authority,
                service=ServiceReference(name=NAME, namespace=NAMESPACE, port=PORT),
            ),
        ),
    ]


async def _ensure(client: Client, obj: Service | EndpointSlice | APIService) -> None:
    """Create it, or make what an earlier process has left like it."""
    try:
        await client.create(obj)
        return
    except StatusError as error:
        if not is_already_exists(error):
            raise
    present = codecs.copy(await client.get(type(obj), obj.metadata.name, obj.metadata.namespace))
    match present, obj:
        case (EndpointSlice(), EndpointSlice()):
            present.endpoints, present.ports = obj.endpoints, obj.ports
        case (APIService(), APIService()):
            present.spec = obj.spec
        case _:
            return
    await client.update(present)


async def _withdraw(client: Client) -> None:
    """An APIService that nobody answers for would keep namespaces from being deleted."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(StatusError, OSError):
                await client.delete(APIService, API_SERVICE)
            for kind in (EndpointSlice, Service):
                with contextlib.suppress(StatusError, OSError):
                    await client.delete(kind, NAME, NAMESPACE)
