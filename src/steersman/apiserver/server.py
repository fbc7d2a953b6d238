"""One API server, composed: registry, authentication, authorization, endpoints, and HTTP over TLS."""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

import msgspec

from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import service_unavailable
from steersman.api.labels import NAMESPACE_SYSTEM
from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource
from steersman.api.types import rbac_v1
from steersman.api.types.coordination_v1 import Lease
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.types.version import Info
from steersman.api.user import User
from steersman.client.client import Client
from steersman.client.elsewhere import Elsewhere
from steersman.client.local import LocalClient, LocalServer
from steersman.storage.store import Store

from .aggregation.aggregator import Aggregator
from .aggregation.backends import Identity
from .aggregation.trust import Authorities
from .authn.chain import ANONYMOUS_PATHS, Authentication
from .authn.request_header import RequestHeaders
from .authn.service_account import ServiceAccountTokens
from .authn.x509 import CertificateAuthority
from .authz import bootstrap_policy
from .authz.rbac import RBACAuthorizer
from .components import Components
from .config import ApiServerConfig
from .endpoints.allocation_metrics import Allocated
from .endpoints.answers import raw_response
from .endpoints.connecting import Connector, NodeClient, NodeClientConfig, is_proxied
from .endpoints.conversion_metrics import ConversionMetrics
from .endpoints.discovery import Discovery
from .endpoints.exchange import Filter, Observer
from .endpoints.health import Check, Health, ping
from .endpoints.metrics import Metrics
from .endpoints.openapi import OpenAPI
from .endpoints.openid import OpenID
from .endpoints.pipeline import AsyncResponder, Pipeline, Responder, timeout_answer, too_large_answer
from .endpoints.resources import Resources
from .endpoints.storage_metrics import BuildInfo, MeteredStore, Stored
from .extensions.definitions.definitions import Definitions
from .extensions.plugins import configured_plugins
from .extensions.policies.status import PolicyStatus
from .extensions.webhook_client import WebhookClient
from .http.messages import Request, Response
from .http.server import HTTPServer, tls_context
from .registry.config import RegistryConfig
from .registry.contract import ResourceHandler
from .registry.registry import Registry
from .seams import Surroundings

__all__ = ["VERSION", "ApiServer", "ApiServerConfig"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
"""Go's names of what the kernel calls otherwise."""

VERSION = Info(
    major="1",
    minor="35",
    git_version="v1.35.0+steersman",
    git_tree_state="clean",
    go_version="none",
    compiler="cpython",
    platform=f"linux/{_ARCHITECTURES.get(platform.machine(), platform.machine())}",
    emulation_major="1",
    emulation_minor="35",
    min_compatibility_major="1",
    min_compatibility_minor="34",
)

_HOOKS = (
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/start-kube-apiserver-identity-lease-controller",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/bootstrap-controller",
    "poststarthook/crd-informer-synced",
    "poststarthook/start-cluster-authentication-info-controller",
    "poststarthook/start-kube-aggregator-informers",
    "poststarthook/apiservice-registration-controller",
    "poststarthook/apiservice-status-local-available-controller",
    "poststarthook/apiservice-status-remote-available-controller",
    "poststarthook/apiservice-discovery-controller",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
    "poststarthook/kube-apiserver-autoregistration",
    "autoregister-completion",
)
"""What must have been done once before a server is ready, under upstream's names."""


def nodes_binding() -> rbac_v1.ClusterRoleBinding:
    """Lets nodes do what upstream's ``system:node`` role allows, as long as there is no Node authorizer here."""
    return rbac_v1.ClusterRoleBinding(
        metadata=ObjectMeta(name="steersman:nodes", labels={"kubernetes.io/bootstrapping": "rbac-defaults"}),
        role_ref=rbac_v1.RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name="system:node"),
        subjects=[rbac_v1.Subject(kind="Group", name="system:nodes", api_group="rbac.authorization.k8s.io")],
    )


class ApiServer:
    """Serves the API from a store, which the caller opens and closes."""

    def __init__(self, config: ApiServerConfig, store: Store, *, clock: Clock = SYSTEM) -> None:
        self.config = config
        self.ready = asyncio.Event()
        self.port = 0
        self.metrics = Metrics()
        self.scheme = builtin_scheme()
        self._store = metered = MeteredStore(store)
        self._stopping = False
        self._draining = False
        self._surroundings = Surroundings()
        self.registry = Registry(
            metered,
            self.scheme,
            RegistryConfig(
                service_cidr=config.service_cidr,
                node_ports=config.node_ports,
                advertise_address=config.advertise_address,
                secure_port=config.secure_port,
                shared_store=config.shared_store,
                history_bytes=config.history_bytes,
            ),
            surroundings=self._surroundings,
            bootstrap_objects=[*bootstrap_policy.objects(), nodes_binding()],
            clock=clock,
        )
        self._webhooks = WebhookClient(self.registry)
        self.registry.admission.add(
            *configured_plugins(
                self.registry,
                self._webhooks,
                self.metrics.admission,
                mutating_policies=config.enables_mutating_policies,
            )
        )
        self.registry.admission.tell(self.metrics.admission)
        self.authorizer = RBACAuthorizer(self.scheme, self.registry.handler)
        self._surroundings.authorizer = self.authorizer
        self._conversions = ConversionMetrics()
        self._definitions = Definitions(self.registry, webhooks=self._webhooks, observe=self._conversions.observe)
        self._policy_status = PolicyStatus(self.registry)
        self._aggregator = self._aggregation(config.pki_directory)
        self._components = Components(metered.revision, self._lease, self.registry.now)
        self._surroundings.component_checks = self._components.checks
        self._health = self._checks()
        self.filters: list[Filter] = []
        """See requests before they are carried out, the outermost first; may come and go."""
        self.observers: list[Observer] = []
        """Hear how requests ended; may come and go."""
        self.local: Callable[[User], LocalServer] = lambda _: self.registry
        """What clients in this process speak to."""
        self._clients: WeakSet[LocalClient] = WeakSet()
        self._served = {resource for resource in self.scheme if self._is_default(resource)}

    def _is_default(self, resource: Resource[Any]) -> bool:
        return resource.served or resource.group_version in self.config.runtime_config

    def _builtin_versions(self) -> set[tuple[str, str]]:
        return {(resource.group, resource.version) for resource in self._served}

    def is_served(self, resource: Resource[Any]) -> bool:
        """Whether clients may see a resource."""
        return resource.custom or resource in self._served

    def local_client(self, user: User) -> Client:
        """A client in this process, on behalf of a user, past authorization."""
        self._components.runs_here(user.name)
        client = LocalClient(self.local(user), user, field_manager=user.name.removeprefix("system:"))
        self._clients.add(client)
        return client

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What it is doing, or keeps from the components in its process, or will do within ``soon`` seconds."""
        if under_way := sum(self.metrics.inflight.values()):
            yield f"{under_way} requests under way"
        for client in self._clients:
            yield from client.unfinished()
        yield from self.registry.unfinished(soon)
        yield from self.authorizer.unfinished()
        yield from self._definitions.unfinished(soon)
        yield from self._aggregator.unfinished()
        yield from self._policy_status.unfinished()

    def hurry(self, within: float) -> list[str]:
        """Look at once at what it would look at within so many seconds; returns what that is."""
        return [*self.registry.hurry(within), *self._definitions.hurry(within)]

    @property
    def elsewhere(self) -> Elsewhere:
        """What other API servers serve through this one."""
        return self._aggregator

    def handler(self, resource: Resource[Any]) -> ResourceHandler:
        """The registry's handler of a resource."""
        return self.registry.handler(resource)

    # -- running -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled.  Raises OSError for a port that is taken, and for certificates that are missing."""
        http: HTTPServer | None = None
        nodes: NodeClient | None = None
        pki = self.config.pki_directory
        try:
            if pki is not None:
                nodes = self._node_client(pki)
                http = self._http(pki, nodes)
                context = tls_context(
                    pki / "apiserver.crt",
                    pki / "apiserver.key",
                    _present(pki / "ca.crt", pki / "front-proxy-ca.crt"),
                )
                self.port = await http.start(self.config.bind_address, self.config.secure_port, context)
                # MUST be known before the registry runs, which publishes it.
                self.registry.config = msgspec.structs.replace(self.registry.config, secure_port=self.port)
            async with asyncio.TaskGroup() as tasks:
                try:
                    await self._run(tasks)
                finally:
                    # Before the registry ends, so that what is being written gets its answer.
                    await asyncio.shield(self._stop(http))
        finally:
            await self._webhooks.close()
            if nodes is not None:
                await nodes.close()

    async def _stop(self, http: HTTPServer | None) -> None:
        # Not ready before anything is refused, so that those who balance load send the next request elsewhere.
        self._stopping = True
        await self.registry.peers.leave()
        if http is not None:
            await asyncio.sleep(self.config.shutdown_delay)
            self._draining = True
            await http.stop()
        self.ready.clear()

    async def _run(self, tasks: asyncio.TaskGroup) -> None:
        tasks.create_task(self.registry.run(), name="registry")
        await self.registry.ready.wait()
        tasks.create_task(self.authorizer.run(), name="rbac")
        await self.authorizer.ready.wait()
        tasks.create_task(self._definitions.run(), name="definitions")
        await self._definitions.ready.wait()
        tasks.create_task(self._aggregator.run(), name="aggregation")
        await self._aggregator.ready.wait()
        tasks.create_task(self._policy_status.run(), name="policy status")
        self.ready.set()
        logger.info("API server is ready on port %d", self.port)
        await asyncio.Event().wait()

    def _aggregation(self, pki: Path | None) -> Aggregator:
        if pki is None:
            return Aggregator(self.registry, self._builtin_versions)
        proxy = pki / "front-proxy-ca.crt"
        return Aggregator(
            self.registry,
            self._builtin_versions,
            Authorities((pki / "ca.crt").read_text(), proxy.read_text() if proxy.exists() else ""),
            Identity(pki / "front-proxy-client.crt", pki / "front-proxy-client.key"),
            refused=partial(self.metrics.refused, component="aggregator"),
        )

    def _node_client(self, pki: Path) -> NodeClient:
        name = "apiserver-kubelet-client"
        return NodeClient(
            NodeClientConfig(authority=pki / "ca.crt", certificate=pki / f"{name}.crt", key=pki / f"{name}.key")
        )

    def _http(self, pki: Path, nodes: NodeClient) -> HTTPServer:
        tokens = ServiceAccountTokens(
            self.scheme,
            self.registry.handler,
            signing_key=(pki / "sa.key").read_bytes(),
            public_keys=[(pki / "sa.pub").read_bytes()],
            issuer=self.config.issuer,
            clock=self.registry.clock,
        )
        front_proxy = pki / "front-proxy-ca.crt"
        authentication = Authentication(
            authority=CertificateAuthority((pki / "ca.crt").read_bytes()),
            front_proxy=RequestHeaders(
                CertificateAuthority(front_proxy.read_bytes()), frozenset({"front-proxy-client"})
            )
            if front_proxy.exists()
            else None,
            tokens=(tokens,),
            anonymous_paths=(
                *ANONYMOUS_PATHS,
                "/version",
                "/api/v1/namespaces/kube-public/configmaps/cluster-info",
            ),
        )
        self._surroundings.authenticator = authentication
        self._surroundings.token_issuer = tokens
        limits = self.config.limits
        resources = Resources(
            self.scheme,
            self.registry.handler,
            is_served=self.is_served,
            connector=Connector(nodes, self._find),
            admit=self.registry.admission.admit,
            now=self.registry.now,
        )
        stored = Stored(self.registry.caches, resources.watches, self._store)
        allocated = Allocated(self.registry)
        self.metrics.add(
            self._store, stored, allocated, self._conversions, self._aggregator.metrics, BuildInfo(VERSION)
        )
        self.metrics.add_slis(self._health)
        self.metrics.before(stored.measure)
        self.metrics.before(allocated.measure)
        pipeline = Pipeline(
            authentication,
            self.authorizer,
            resources,
            self.metrics,
            plain=self._plain(tokens),
            asynchronous=self._asynchronous(),
            max_read_only=self.config.max_read_only_in_flight,
            max_mutating=self.config.max_mutating_in_flight,
            draining=lambda: self._draining,
            delegate=self._aggregator.find,
            filters=self.filters,
            observers=self.observers,
        )
        return HTTPServer(
            pipeline.handle,
            timeout_answer=timeout_answer,
            too_large_answer=lambda: too_large_answer(limits.body_bytes),
            limits=limits,
            passes_on=lambda target: is_proxied(target) or self._aggregator.passes_on(target),
        )

    def _address(self) -> str:
        return f"{self.config.advertise_address or '127.0.0.1'}:{self.port}"

    def _plain(self, tokens: ServiceAccountTokens) -> list[Responder]:
        discovery = Discovery(self.scheme, is_served=self.is_served, address=self._address, aggregated=self._aggregator)
        version = msgspec.json.encode(VERSION)

        def respond_version(request: Request) -> Response | None:
            if request.path.rstrip("/") != "/version":
                return None
            return raw_response(msgspec.json.format(version, indent=2), request)

        return [discovery.respond, respond_version, OpenID(tokens, self._address).respond, self._paths(discovery)]

    def _paths(self, discovery: Discovery) -> Responder:
        """``/``: the paths there are."""
        fixed = [
            "/.well-known/openid-configuration",
            "/api",
            "/apis",
            "/metrics",
            "/metrics/slis",
            "/openapi/v2",
            "/openapi/v3",
            "/openid/v1/jwks",
            "/version",
            *self._health.paths(),
        ]

        def respond(request: Request) -> Response | None:
            if request.path != "/":
                return None
            versions = [f"/apis/{name}" if "/" in name else f"/api/{name}" for name in discovery.group_versions()]
            groups = {path.rpartition("/")[0] for path in versions}
            return raw_response(msgspec.json.encode({"paths": sorted({*fixed, *versions, *groups})}), request)

        return respond

    def _checks(self) -> Health:
        async def etcd() -> None:
            await self._store.revision()

        async def synced() -> None:
            if not self.ready.is_set():
                raise service_unavailable("the caches are being filled")

        async def shutdown() -> None:
            if self._stopping:
                raise service_unavailable("process is shutting down")

        def checks(*names: str) -> dict[str, Check]:
            known: dict[str, Callable[[], Awaitable[None]]] = {
                "ping": ping,
                "log": ping,
                "etcd": etcd,
                "etcd-readiness": etcd,
                "informer-sync": synced,
                "shutdown": shutdown,
                **dict.fromkeys(_HOOKS, synced),
            }
            return {name: known[name] for name in names}

        return Health(
            checks("ping", "log", "etcd", *_HOOKS),
            checks("ping", "log", "etcd", *_HOOKS),
            checks("ping", "log", "etcd", "etcd-readiness", "informer-sync", *_HOOKS, "shutdown"),
        )

    def _asynchronous(self) -> list[AsyncResponder]:
        openapi = OpenAPI(
            self.scheme, is_served=self.is_served, version=VERSION.git_version, elsewhere=self._aggregator
        )

        async def describe(request: Request) -> Response | None:
            return await openapi.answer(request) if openapi.handles(request.path) else None

        responders: list[AsyncResponder] = [self._health.respond, self.metrics.respond, describe]
        if self.config.profiling:
            from .endpoints.debugging import Debugging

            responders.append(Debugging().respond)
        return responders

    async def _find(self, kind: type[T], name: str, namespace: str = "") -> T:
        found: T = (await self.registry.handler_of(kind).get(namespace, name)).object
        return found

    async def _lease(self, name: str) -> Lease | None:
        return await self.registry.get(Lease, name, NAMESPACE_SYSTEM)


def _present(*paths: Path) -> list[Path]:
    return [path for path in paths if path.exists()]
