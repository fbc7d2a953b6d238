"""The DNS server as a component: sockets and watches around :class:`steersman.dns.resolver.Resolver`."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from pathlib import Path
from typing import Any

import msgspec

from steersman.api import labels
from steersman.api.types.core_v1 import Namespace, Service
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.client.client import Client
from steersman.client.informer import Informer

from .forward import Forwarder, Upstream, parse_resolv_conf
from .records import service_records
from .resolver import Resolver
from .wire import Query, WireError, encode_name
from .zone import Zone

log = logging.getLogger(__name__)

_Peer = tuple[Any, ...]

_BATCH = 64
"""Datagrams answered before the event loop gets its turn: at 20 µs each, about a millisecond."""

_MAX_WAITING = 2000
"""Datagrams waiting for upstream; more are dropped, and their clients ask again."""

_BIND_ATTEMPTS = 10
"""A port that the kernel chose for UDP may be somebody's for TCP."""

_TCP_IDLE = 10.0
_TCP_CONNECTIONS = 200


class DNSConfig(msgspec.Struct, frozen=True):
    """Configuration of :class:`DNSServer`.

    ``bind_address`` should be one address, not ``0.0.0.0``: answers must come from where the question went.
    ``upstreams`` are ``address`` or ``address:port``; where empty, the nameservers of ``resolv_conf`` are asked.  Of
    both, the server's own address and ``own_addresses`` (the Service's cluster IP) are left out, lest it ask itself.
    ``resolv_conf`` is looked at every ``resolv_conf_period`` seconds: networks come and go under a node.
    """

    bind_address: str = "127.0.0.1"
    port: int = 53
    domain: str = "cluster.local"
    ttl: int = 30
    upstreams: tuple[str, ...] = ()
    resolv_conf: str = "/etc/resolv.conf"
    own_addresses: tuple[str, ...] = ("10.96.0.10",)
    upstream_timeout: float = 2.0
    resolv_conf_period: float = 10.0


def upstreams(config: DNSConfig) -> list[Upstream]:
    """The resolvers to ask; reads ``resolv_conf``."""
    texts: list[str] = list(config.upstreams)
    if not texts:
        try:
            texts = parse_resolv_conf(Path(config.resolv_conf).read_text())
        except OSError as error:
            log.warning("cannot read %s: only cluster names will be answered: %s", config.resolv_conf, error)
    result = []
    for text in texts:
        host, port = text, 53
        if text.count(":") == 1:
            host, _, number = text.partition(":")
            port = int(number)
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            log.warning("upstream resolver %s is no IP address, leaving it out", text)
            continue
        if (host == config.bind_address and port == config.port) or host in config.own_addresses:
            log.warning("upstream resolver %s is this server itself, leaving it out", text)
            continue
        if address.is_unspecified:
            continue
        result.append(Upstream(host, port))
    return result


class DNSServer:
    """Serves the cluster's names.  ``ready`` is set once it listens and knows all services."""

    def __init__(self, config: DNSConfig, client: Client) -> None:
        self.ready = asyncio.Event()
        self._config = config
        self._zone = Zone(config.domain, config.ttl)
        self._forwarder = Forwarder(upstreams(config), timeout=config.upstream_timeout)
        self._resolver = Resolver(self._zone, self._forwarder)
        self._services: Informer[Service] = Informer(client, Service)
        self._slices: Informer[EndpointSlice] = Informer(client, EndpointSlice)
        self._namespaces: Informer[Namespace] = Informer(client, Namespace)
        self._slices.lister.add_index("service", lambda item: [_service_key(item)])
        self._dirty: set[str] = set()
        self._changed = asyncio.Event()
        self._waiting: set[asyncio.Task[None]] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self.bound_port = 0
        """The port it listens on, once it does; tells it where the configuration says 0."""

    async def run(self) -> None:
        """Work until cancelled; raises OSError where the address is taken."""
        self._watch()
        sock, listener = self._bind()
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._accept, sock=listener)
        try:
            async with asyncio.TaskGroup() as group:
                loop.add_reader(sock.fileno(), self._read, sock)
                for informer in (self._services, self._slices, self._namespaces):
                    group.create_task(informer.run(), name=f"dns informer {informer.resource.name}")
                group.create_task(self._follow(), name="dns zone")
                if not self._config.upstreams:
                    group.create_task(self._follow_resolv_conf(), name="dns upstreams")
        finally:
            loop.remove_reader(sock.fileno())
            server.close()
            for task in (*self._waiting, *self._connections):
                task.cancel()
            sock.close()

    def _bind(self) -> tuple[socket.socket, socket.socket]:
        """UDP and TCP on the same port; where any will do, one that is free for both."""
        for _ in range(_BIND_ATTEMPTS - 1 if not self._config.port else 0):
            with contextlib.suppress(OSError):
                return self._bind_once()
        return self._bind_once()

    def _bind_once(self) -> tuple[socket.socket, socket.socket]:
        config = self._config
        family = socket.AF_INET6 if ":" in config.bind_address else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM)
        tcp = socket.socket(family, socket.SOCK_STREAM)
        try:
            udp.setblocking(False)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            udp.bind((config.bind_address, config.port))
            self.bound_port = udp.getsockname()[1]
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.setblocking(False)
            tcp.bind((config.bind_address, self.bound_port))
        except OSError as error:
            udp.close()
            tcp.close()
            raise OSError(error.errno, f"DNS on {config.bind_address}:{config.port}: {error.strerror}") from error
        return udp, tcp

    def _watch(self) -> None:
        def service(item: Service) -> None:
            self._touch(f"{item.metadata.namespace}/{item.metadata.name}")

        def endpoints(item: EndpointSlice) -> None:
            self._touch(_service_key(item))

        def moved(old: EndpointSlice, new: EndpointSlice) -> None:
            endpoints(old)
            endpoints(new)

        def namespace(*_: Namespace) -> None:
            self._touch("")

        self._services.add_handler(service, lambda _, item: service(item), service)
        self._slices.add_handler(endpoints, moved, endpoints)
        self._namespaces.add_handler(namespace, None, namespace)

    def _touch(self, key: str) -> None:
        self._dirty.add(key)
        self._changed.set()

    async def _follow(self) -> None:
        for informer in (self._services, self._slices, self._namespaces):
            await informer.synced()
        while True:
            self._changed.clear()
            dirty, self._dirty = self._dirty, set()
            for number, key in enumerate(dirty, 1):
                self._update(key)
                if number % _BATCH == 0:
                    await asyncio.sleep(0)
            self._resolver.synced = True
            self.ready.set()
            await self._changed.wait()

    async def _follow_resolv_conf(self) -> None:
        path = Path(self._config.resolv_conf)
        seen = _fingerprint(path)
        while True:
            await asyncio.sleep(self._config.resolv_conf_period)
            if (present := _fingerprint(path)) != seen:
                seen = present
                self._forwarder.upstreams = tuple(upstreams(self._config))

    def _update(self, key: str) -> None:
        if not key:
            self._zone.set_namespaces(item.metadata.name for item in self._namespaces.lister.list())
            return
        service = self._services.lister.by_key(key)
        if service is None:
            self._zone.set_service(key, None)
            return
        slices = self._slices.lister.by_index("service", key)
        try:
            records = service_records(service, slices, self._zone.domain, self._zone.ttl)
            encode_name(records.alias)
            self._zone.set_service(key, records)
        except (WireError, ValueError) as error:  # validation keeps such objects out; one must not stop the others
            log.warning("service %s has no DNS records: %s", key, error)
            self._zone.set_service(key, None)

    def _read(self, sock: socket.socket) -> None:
        answer = self._resolver.answer_nowait
        for _ in range(_BATCH):
            try:
                data, peer = sock.recvfrom(4096)
            except BlockingIOError:
                return
            except OSError as error:  # an ICMP error about an earlier answer
                log.debug("dns: %s", error)
                continue
            result = answer(data)
            if isinstance(result, bytes):
                _send(sock, result, peer)
            elif result is not None and len(self._waiting) < _MAX_WAITING:
                task = asyncio.get_running_loop().create_task(self._later(sock, result, peer), name="dns query")
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)

    async def _later(self, sock: socket.socket, query: Query, peer: _Peer) -> None:
        _send(sock, await self._resolver.answer(query), peer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= _TCP_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        try:
            while True:
                async with asyncio.timeout(_TCP_IDLE):
                    length = int.from_bytes(await reader.readexactly(2), "big")
                    data = await reader.readexactly(length)
                result = self._resolver.answer_nowait(data, 65535)
                if result is None:
                    return
                if not isinstance(result, bytes):
                    result = await self._resolver.answer(result, 65535)
                writer.write(len(result).to_bytes(2, "big") + result)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            return
        finally:
            self._connections.discard(task)
            writer.close()


def _fingerprint(path: Path) -> tuple[int, int, int] | None:
    """Changes when a file is written or replaced; None while it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _send(sock: socket.socket, data: bytes, peer: _Peer) -> None:
    try:
        sock.sendto(data, peer)
    except OSError as error:  # its buffer is full or the client is gone: it asks again
        log.debug("dns: %s", error)


def _service_key(item: EndpointSlice) -> str:
    return f"{item.metadata.namespace}/{item.metadata.labels.get(labels.SERVICE_NAME, '')}"
