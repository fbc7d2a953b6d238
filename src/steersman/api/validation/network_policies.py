"""NetworkPolicies."""

from __future__ import annotations

from steersman.api import errors
from steersman.api.types import networking_v1

from . import addresses, meta
from .faults import Faults

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_DIRECTIONS = ("Ingress", "Egress")


def network_policy(faults: Faults, obj: networking_v1.NetworkPolicy) -> None:
    spec = obj.spec
    meta.label_selector(faults, spec.pod_selector, "spec.podSelector")
    for number, inward in enumerate(spec.ingress):
        place = f"spec.ingress[{number}]"
        _ports(faults, inward.ports, place)
        for index, peer in enumerate(inward.from_):
            _peer(faults, peer, f"{place}.from[{index}]")
    for number, outward in enumerate(spec.egress):
        place = f"spec.egress[{number}]"
        _ports(faults, outward.ports, place)
        for index, peer in enumerate(outward.to):
            _peer(faults, peer, f"{place}.to[{index}]")
    if len(spec.policy_types) > 2:
        faults.invalid("spec.policyTypes", spec.policy_types, "may not specify more than two policyTypes")
        return
    for index, direction in enumerate(spec.policy_types):
        if direction not in _DIRECTIONS:
            faults.unsupported(f"spec.policyTypes[{index}]", direction, _DIRECTIONS)


def _ports(faults: Faults, ports: list[networking_v1.NetworkPolicyPort], path: str) -> None:
    for index, port in enumerate(ports):
        place = f"{path}.ports[{index}]"
        if port.protocol and port.protocol not in _PROTOCOLS:
            faults.unsupported(f"{place}.protocol", port.protocol, _PROTOCOLS)
        first, last = port.port, port.end_port
        if isinstance(first, int):
            faults.port(f"{place}.port", first)
            if last is not None:
                if last < first:
                    faults.invalid(f"{place}.endPort", first, "must be greater than or equal to `port`")
                faults.port(f"{place}.endPort", last)
            continue
        if last is not None:
            why = "not specified" if first is None else "non-numeric"
            faults.invalid(f"{place}.endPort", last, f"may not be specified when `port` is {why}")
        faults.port(f"{place}.port", first)


def _peer(faults: Faults, peer: networking_v1.NetworkPolicyPeer, path: str) -> None:
    selecting = peer.pod_selector is not None or peer.namespace_selector is not None
    meta.label_selector(faults, peer.pod_selector, f"{path}.podSelector")
    meta.label_selector(faults, peer.namespace_selector, f"{path}.namespaceSelector")
    if peer.ip_block is not None:
        _block(faults, peer.ip_block, f"{path}.ipBlock")
        if selecting:
            faults.forbidden(path, "may not specify both ipBlock and another peer")
    elif not selecting:
        faults.append(errors.required(path, "must specify a peer"))


def _block(faults: Faults, block: networking_v1.IPBlock, path: str) -> None:
    faults.name(f"{path}.cidr", block.cidr, addresses.network)
    whole = addresses.parse_network(block.cidr)
    if whole is None:
        return
    for index, excluded in enumerate(block.except_):
        place = f"{path}.except[{index}]"
        faults.grammar(place, excluded, addresses.network)
        part = addresses.parse_network(excluded)
        if part is None:
            continue
        inside = part.network.network_address in whole.network
        if not inside or part.network.prefixlen <= whole.network.prefixlen:
            faults.invalid(place, excluded, "must be a strict subset of `cidr`")
