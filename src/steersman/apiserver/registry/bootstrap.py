"""What every cluster begins with: namespaces, priority classes, the ``kubernetes`` Service and its endpoints."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from steersman.api import codecs
from steersman.api.errors import StatusError, is_already_exists, is_conflict
from steersman.api.scheme import Object
from steersman.api.types import core_v1 as v1
from steersman.api.types import networking_v1
from steersman.api.types.meta_v1 import Condition, ObjectMeta
from steersman.api.types.rbac_v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding
from steersman.api.types.scheduling_v1 import PriorityClass
from steersman.apiserver.authz.bootstrap_policy import reconciled

from .config import RegistryConfig
from .contract import OWN

if TYPE_CHECKING:
    from .registry import Registry

_POLICY = (ClusterRole, ClusterRoleBinding, Role, RoleBinding)

_ATTEMPTS = 5

log = logging.getLogger(__name__)

SERVICE_CIDR = "kubernetes"
"""The name of the ServiceCIDR of the configured ranges."""

SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")

SYSTEM_PRIORITY_CLASSES = (
    PriorityClass(
        metadata=ObjectMeta(name="system-node-critical"),
        value=2_000_001_000,
        description="For pods that the node they run on cannot do without.",
        preemption_policy="PreemptLowerPriority",
    ),
    PriorityClass(
        metadata=ObjectMeta(name="system-cluster-critical"),
        value=2_000_000_000,
        description="For pods that the cluster cannot do without, on whichever node.",
        preemption_policy="PreemptLowerPriority",
    ),
)


async def bootstrap(registry: Registry, objects: Sequence[Object]) -> None:
    """Create what is missing; what exists is left alone, but the policy gets what it lacks of the present one."""
    await essentials(registry)
    await _agree_on_port(registry)
    await registry.identity.step()
    for obj in objects:
        await _ensure_policy(registry, codecs.copy(obj))


async def essentials(registry: Registry) -> None:
    """What no cluster works without: made at start, and made again where somebody deleted it."""
    for name in SYSTEM_NAMESPACES:
        await ensure(registry, v1.Namespace(metadata=ObjectMeta(name=name)))
    for priority_class in SYSTEM_PRIORITY_CLASSES:
        await ensure(registry, codecs.copy(priority_class))
    await _service_range(registry)
    await _kubernetes_service(registry)
    await registry.peers.step()


async def _service_range(registry: Registry) -> None:
    """The ServiceCIDR of the configured ranges, from which addresses can be given out at once."""
    cidrs = [str(network) for network in registry.config.service_networks]
    spec = networking_v1.ServiceCIDRSpec(cidrs=cidrs)
    await ensure(registry, networking_v1.ServiceCIDR(metadata=ObjectMeta(name=SERVICE_CIDR), spec=spec))
    present = await registry.get(networking_v1.ServiceCIDR, SERVICE_CIDR)
    if present is None or present.metadata.deletion_timestamp is not None or present.spec.cidrs != cidrs:
        return
    if any(condition.type == "Ready" for condition in present.status.conditions):
        return
    ready = Condition(
        type="Ready",
        status="True",
        message="Kubernetes default Service CIDR is ready",
        last_transition_time=registry.now(),
    )

    def change(obj: networking_v1.ServiceCIDR) -> None:
        if not any(condition.type == "Ready" for condition in obj.status.conditions):
            obj.status.conditions = [*obj.status.conditions, ready]

    await registry.handler_of(networking_v1.ServiceCIDR).amend("", SERVICE_CIDR, change)


async def _ensure_policy(registry: Registry, wanted: Any) -> None:
    """Create an object; where it exists and belongs to the RBAC policy, give it what it lacks of the present policy."""
    meta = wanted.metadata
    for _ in range(_ATTEMPTS):
        existing = await registry.get(type(wanted), meta.name, meta.namespace)
        if existing is None:
            await ensure(registry, wanted)
            return
        if type(wanted) not in _POLICY or (changed := reconciled(existing, wanted)) is None:
            return
        handler = registry.handler_of(type(wanted))
        try:
            await handler.update(OWN, meta.namespace, meta.name, codecs.copy(changed))
            return
        except StatusError as error:
            if is_conflict(error):  # another server does the same
                await handler.consistent()
                continue
            # A role reference cannot change: that is no reason not to start.
            log.warning("%s %s of the bootstrap policy stays as it is: %s", wanted.kind, meta.name, error)
            return


async def ensure(registry: Registry, obj: Any) -> None:
    """Create an object unless there is one of its name."""
    meta = obj.metadata
    if await registry.get(type(obj), meta.name, meta.namespace) is None:
        try:
            await registry.handler_of(type(obj)).create(OWN, meta.namespace, obj)
        except StatusError as error:
            if not is_already_exists(error):  # another server was faster
                raise


async def _kubernetes_service(registry: Registry) -> None:
    config = registry.config
    network = config.service_networks[0]
    service = v1.Service(
        metadata=ObjectMeta(
            name="kubernetes", namespace="default", labels={"component": "apiserver", "provider": "kubernetes"}
        ),
        spec=v1.ServiceSpec(
            type="ClusterIP",
            cluster_ip=str(network.network_address + 1),
            ip_families=[f"IPv{network.version}"],
            ip_family_policy="SingleStack",
            session_affinity="None",
            ports=_ports(config),
        ),
    )
    await ensure(registry, service)


def _ports(config: RegistryConfig) -> list[v1.ServicePort]:
    return [v1.ServicePort(name="https", port=443, protocol="TCP", target_port=config.secure_port or 443)]


async def _agree_on_port(registry: Registry) -> None:
    """The ``kubernetes`` Service leads to the port of the server that started last; done once, as upstream does."""
    if not registry.config.secure_port:
        return
    wanted = _ports(registry.config)

    def change(service: v1.Service) -> None:
        service.spec.type, service.spec.ports = "ClusterIP", wanted

    await registry.handler_of(v1.Service).modify(OWN, "default", "kubernetes", change)
