"""The objects that this distribution adds to a new cluster: its DNS Service, and what its DNS server may read."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from steersman.api import codecs
from steersman.api.errors import StatusError, is_already_exists
from steersman.api.scheme import Object
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.types.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject
from steersman.client.client import Client
from steersman.dns.objects import service_objects
from steersman.pki.config import DNS_USER

from .config import ClusterConfig

log = logging.getLogger(__name__)

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
"""Seconds between attempts."""

_GROUP = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]


def objects(config: ClusterConfig) -> list[Object]:
    """Everything that must be there, in an order in which it can be created."""
    role = ClusterRole(
        metadata=ObjectMeta(name=DNS_USER),
        rules=[
            PolicyRule(verbs=_READ, api_groups=[""], resources=["services", "pods", "namespaces"]),
            PolicyRule(verbs=_READ, api_groups=["discovery.k8s.io"], resources=["endpointslices"]),
        ],
    )
    binding = ClusterRoleBinding(
        metadata=ObjectMeta(name=DNS_USER),
        role_ref=RoleRef(api_group=_GROUP, kind="ClusterRole", name=DNS_USER),
        subjects=[Subject(api_group=_GROUP, kind="User", name=DNS_USER)],
    )
    return [role, binding, *service_objects(config.dns_address, [config.node_address], config.dns_port)]


async def ensure(client: Client, config: ClusterConfig) -> None:
    """Create what is missing and mend what differs; what cannot be done now is tried again, ever later, until it is.

    Where other servers share the store, DNS stays where the first one said: they MUST NOT take it from each other.
    """
    missing = objects(config)
    delay = FIRST_DELAY
    while missing := [wanted for wanted in missing if not await _attempt(client, wanted, config)]:
        await asyncio.sleep(delay)
        delay = min(delay * 2, LONGEST_DELAY)


async def _attempt(client: Client, wanted: Any, config: ClusterConfig) -> bool:
    try:
        await _ensure(client, wanted, keep=config.shares_store and isinstance(wanted, EndpointSlice))
    except StatusError as error:
        log.error("cannot create %s %s, and will try again: %s", wanted.kind, wanted.metadata.name, error)
        return False
    return True


async def _ensure(client: Client, wanted: Any, *, keep: bool) -> None:
    try:
        await client.create(wanted)
        return
    except StatusError as error:
        # A Service is refused for its taken address before its name is seen to be taken.
        if not is_already_exists(error) and error.reason != "Invalid":
            raise
    if keep:
        return
    metadata = wanted.metadata
    present = await client.get(type(wanted), metadata.name, metadata.namespace)
    changed = codecs.copy(present)
    for name in ("rules", "subjects", "endpoints", "ports"):
        if hasattr(wanted, name):
            setattr(changed, name, getattr(wanted, name))
    if hasattr(wanted, "spec"):
        changed.spec.ports = wanted.spec.ports
    if changed != present:
        await client.update(changed)
