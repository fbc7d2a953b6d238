"""From decided services to the text of nftables rules: pure rendering.

A :class:`Fragment` is everything one service contributes to the table: chains and sets of its own, and elements of
the shared sets and maps.  :class:`Layout` renders what does not depend on services.

Unlike upstream, a plain service has no chain: it is an element of ``service-ips`` that leads to the shared chain
``lb-N`` (N endpoints), which looks address, port and a random slot up in the map ``endpoints``.  The kernel
numbers sets and chains' verdict maps by walking a list of all of them, so that a map for each of 10,000 services costs
half a minute; elements of one map cost microseconds.  Only affinity and the Local policies need chains.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping

import msgspec

from .state import Endpoint, PortState, ServiceState

Elements = dict[tuple[str, str], str]
"""Elements of shared sets and maps: (set, key) → value, or an empty text in a plain set."""

_SERVICE_KEY = "type ipv4_addr . inet_proto . inet_service : verdict"
_NODE_PORT_KEY = "type inet_proto . inet_service : verdict"
_SLOT = "numgen random mod 2 : ip daddr . th dport"

SHARED: Mapping[str, tuple[str, str]] = {
    "cluster-ips": ("set", "type ipv4_addr"),
    "nodeport-ips": ("set", "type ipv4_addr"),
    "hairpin": ("set", "type ipv4_addr . ipv4_addr"),
    "no-endpoint-services": ("map", _SERVICE_KEY),
    "no-endpoint-nodeports": ("map", _NODE_PORT_KEY),
    "firewall-ips": ("map", _SERVICE_KEY),
    "service-ips": ("map", _SERVICE_KEY),
    "service-nodeports": ("map", _NODE_PORT_KEY),
    "endpoints": ("map", f"typeof ip daddr . meta l4proto . th dport . {_SLOT}"),
    "nodeport-endpoints": ("map", f"typeof meta l4proto . th dport . {_SLOT}"),
}

MAX_SHARED = 64
"""Services with more endpoints than this balance in a chain of their own."""


class Fragment(msgspec.Struct, frozen=True):
    """What one service contributes: chains (name → rules), sets (name → declaration), shared elements.

    A chain stands after those it jumps to.
    """

    chains: dict[str, tuple[str, ...]]
    sets: dict[str, str]
    elements: Elements


EMPTY = Fragment({}, {}, {})


class Layout(msgspec.Struct, frozen=True):
    """The part of the table that does not depend on services.

    ``nodeport_ips`` are the node's addresses on which NodePorts answer; empty means every local address but
    loopback.  ``masquerade_mark`` is the bit that asks for source NAT.
    """

    table: str
    service_cidrs: tuple[str, ...] = ()
    cluster_cidr: str = ""
    nodeport_ips: tuple[str, ...] = ()
    masquerade_mark: int = 0x4000
    masquerade_all: bool = False

    def chains(self) -> dict[str, tuple[str, ...]]:
        """Shared chains and hooks, each with its rules; a hook's first line is its declaration."""
        mark = f"0x{self.masquerade_mark:08x}"
        local = "ip daddr @nodeport-ips" if self.nodeport_ips else "fib daddr type local ip daddr != 127.0.0.0/8"
        unallocated = tuple(f"ip daddr {cidr} drop" for cidr in self.service_cidrs)
        masquerade: tuple[str, ...] = ()
        if self.masquerade_all:
            masquerade = ("ip daddr @cluster-ips jump mark-for-masquerade",)
        elif self.cluster_cidr:
            masquerade = (f"ip daddr @cluster-ips ip saddr != {self.cluster_cidr} jump mark-for-masquerade",)
        chains: dict[str, tuple[str, ...]] = {
            "mark-for-masquerade": (f"meta mark set meta mark or {mark}",),
            "reject-chain": ("reject",),
        }
        for count in range(1, MAX_SHARED + 1):
            chains[f"lb-{count}"] = (_balance(count),)
            chains[f"external-lb-{count}"] = ("jump mark-for-masquerade", f"goto lb-{count}")
            chains[f"nodeport-lb-{count}"] = ("jump mark-for-masquerade", _balance_node_port(count))
        return chains | {
            "nodeport-endpoints-check": (f"{local} meta l4proto . th dport vmap @no-endpoint-nodeports",),
            "service-endpoints-check": ("ip daddr . meta l4proto . th dport vmap @no-endpoint-services",),
            "firewall-check": ("ip daddr . meta l4proto . th dport vmap @firewall-ips",),
            "cluster-ips-check": ("ip daddr @cluster-ips reject", *unallocated),
            "services": (
                *masquerade,
                "ip daddr . meta l4proto . th dport vmap @service-ips",
                f"{local} meta l4proto . th dport vmap @service-nodeports",
            ),
            "masquerading": (
                f"ct status dnat ip saddr . ip daddr @hairpin meta mark set meta mark or {mark}",
                f"meta mark & {mark} == 0 return",
                f"meta mark set meta mark xor {mark}",
                "masquerade fully-random",
            ),
            "filter-prerouting": ("type filter hook prerouting priority -110;", "ct state new jump firewall-check"),
            "filter-input": (
                "type filter hook input priority -110;",
                "ct state new jump nodeport-endpoints-check",
                "ct state new jump service-endpoints-check",
            ),
            "filter-forward": (
                "type filter hook forward priority -110;",
                "ct state new jump service-endpoints-check",
                "ct state new jump cluster-ips-check",
            ),
            "filter-output": ("type filter hook output priority -110;", "ct state new jump firewall-check"),
            "filter-output-post-dnat": (
                "type filter hook output priority -90;",
                "ct state new jump service-endpoints-check",
                "ct state new jump cluster-ips-check",
            ),
            "nat-prerouting": ("type nat hook prerouting priority -100;", "jump services"),
            "nat-output": ("type nat hook output priority -100;", "jump services"),
            "nat-postrouting": ("type nat hook postrouting priority 100;", "jump masquerading"),
        }

    def elements(self) -> Elements:
        """The elements that belong to no service."""
        return {("nodeport-ips", ip): "" for ip in self.nodeport_ips}


def _balance(count: int) -> str:
    return f"dnat ip to ip daddr . meta l4proto . th dport . numgen random mod {count} map @endpoints"


def _balance_node_port(count: int) -> str:
    return f"dnat ip to meta l4proto . th dport . numgen random mod {count} map @nodeport-endpoints"


def names(port: PortState) -> str:
    """What the names of all chains of a service port share; unique even where it had to be cut."""
    text = f"{port.namespace}/{port.service}/{port.protocol}/{port.name}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:8].upper()
    return f"{digest}-{text}"[:80]


def fragment(layout: Layout, service: ServiceState) -> Fragment:
    """Render one service."""
    result = Fragment({}, {}, {})
    for port in service.ports:
        _Renderer(layout, port, result).render()
    return result


class _Renderer:
    def __init__(self, layout: Layout, port: PortState, out: Fragment) -> None:
        self.layout = layout
        self.port = port
        self.out = out
        self.name = names(port)

    def render(self) -> None:
        port, elements = self.port, self.out.elements
        elements["cluster-ips", port.cluster_ip] = ""
        for endpoint in port.all_endpoints:
            elements["hairpin", f"{endpoint.address} . {endpoint.address}"] = ""
        external = [*port.external_ips, *port.load_balancer_ips]
        verdict = "drop" if port.has_any else "goto reject-chain"
        if port.internal_endpoints:
            elements["service-ips", self._key(port.cluster_ip)] = self._internal()
        else:
            elements["no-endpoint-services", self._key(port.cluster_ip)] = verdict
        for ip in external:
            if target := self._external(ip):
                elements["service-ips", self._key(ip)] = target
            if not port.external_endpoints:  # catches what the Local policy's chain does not translate
                elements["no-endpoint-services", self._key(ip)] = verdict
        if port.node_port:
            key = f"{port.protocol} . {port.node_port}"
            if target := self._node_port(key):
                elements["service-nodeports", key] = target
            if not port.external_endpoints:
                elements["no-endpoint-nodeports", key] = verdict
        if port.source_ranges and port.load_balancer_ips:
            self._firewall()

    def _key(self, ip: str) -> str:
        return f"{ip} . {self.port.protocol} . {self.port.port}"

    def _plain(self, count: int) -> bool:
        return not self.port.affinity and count <= MAX_SHARED

    def _slots(self, table: str, key: str, endpoints: Iterable[Endpoint]) -> None:
        for slot, endpoint in enumerate(endpoints):
            self.out.elements[table, f"{key} . {slot}"] = f"{endpoint.address} . {endpoint.port}"

    def _internal(self) -> str:
        port = self.port
        endpoints = port.internal_endpoints
        if self._plain(len(endpoints)):
            self._slots("endpoints", self._key(port.cluster_ip), endpoints)
            return f"goto lb-{len(endpoints)}"
        return f"goto {self._local_chain() if port.internal_local else self._cluster_chain()}"

    def _external(self, ip: str) -> str:
        port = self.port
        if not port.external_local and port.cluster and self._plain(len(port.cluster)):
            self._slots("endpoints", self._key(ip), port.cluster)
            return f"goto external-lb-{len(port.cluster)}"
        return self._external_chain()

    def _node_port(self, key: str) -> str:
        port = self.port
        if not port.external_local and port.cluster and self._plain(len(port.cluster)):
            self._slots("nodeport-endpoints", key, port.cluster)
            return f"goto nodeport-lb-{len(port.cluster)}"
        return self._external_chain()

    def _external_chain(self) -> str:
        port = self.port
        if not port.cluster and not port.local:
            return ""
        if port.external_local:
            rules: list[str] = []
            if port.cluster:
                if self.layout.cluster_cidr:
                    rules.append(f"ip saddr {self.layout.cluster_cidr} goto {self._cluster_chain()}")
                rules.append("fib saddr type local jump mark-for-masquerade")
                rules.append(f"fib saddr type local goto {self._cluster_chain()}")
            if port.local:
                rules.append(f"goto {self._local_chain()}")
        elif port.cluster:
            rules = ["jump mark-for-masquerade", f"goto {self._cluster_chain()}"]
        else:
            return ""
        chain = f"external-{self.name}"
        self.out.chains[chain] = tuple(rules)
        return f"goto {chain}"

    def _cluster_chain(self) -> str:
        return self._balancing_chain(f"service-{self.name}", self.port.cluster)

    def _local_chain(self) -> str:
        return self._balancing_chain(f"local-{self.name}", self.port.local)

    def _balancing_chain(self, chain: str, endpoints: tuple[Endpoint, ...]) -> str:
        """A chain that picks one of the endpoints, all alike, without a map of its own."""
        if chain in self.out.chains:
            return chain
        targets = [(endpoint, self._endpoint_chain(endpoint)) for endpoint in endpoints]
        rules = []
        if self.port.affinity:
            rules += [f"ip saddr @{self._affinity_set(endpoint)} goto {target}" for endpoint, target in targets]
        for index, (_, target) in enumerate(targets):
            left = len(targets) - index
            rules.append(f"numgen random mod {left} 0 goto {target}" if left > 1 else f"goto {target}")
        self.out.chains[chain] = tuple(rules)
        return chain

    def _endpoint_chain(self, endpoint: Endpoint) -> str:
        chain = f"endpoint-{self.name}__{endpoint.address}/{endpoint.port}"
        rules: tuple[str, ...] = ()
        if self.port.affinity:
            set_name = self._affinity_set(endpoint)
            self.out.sets[set_name] = f"type ipv4_addr; flags dynamic,timeout; timeout {self.port.affinity}s;"
            rules = (f"update @{set_name} {{ ip saddr }}",)
        translate = f"meta l4proto {self.port.protocol} dnat to {endpoint.address}:{endpoint.port}"
        self.out.chains[chain] = (*rules, translate)
        return chain

    def _affinity_set(self, endpoint: Endpoint) -> str:
        return f"affinity-{self.name}__{endpoint.address}/{endpoint.port}"

    def _firewall(self) -> None:
        port = self.port
        chain = f"firewall-{self.name}"
        # Accepting is returning: other ranges follow as rules, so that no set of its own is needed.
        networks = ipaddress.collapse_addresses(
            ipaddress.IPv4Network(text, strict=False) for text in port.source_ranges
        )
        self.out.chains[chain] = (*(f"ip saddr {network} return" for network in networks), "drop")
        for ip in port.load_balancer_ips:
            self.out.elements["firewall-ips", self._key(ip)] = f"goto {chain}"
