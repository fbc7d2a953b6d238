"""Ingresses and EndpointSlices."""

from __future__ import annotations

from collections.abc import Iterator

from steersman.api.errors import go_value
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.api.types.networking_v1 import Ingress, IPBlock, NetworkPolicy
from steersman.api.validation.addresses import address_warnings, network_warnings
from steersman.api.validation.networking import CLASS_ANNOTATION
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Strategy


class IngressStrategy(Strategy):
    """Counts the changes of its spec."""

    generation = True

    def warnings(self, new: Ingress, old: Ingress | None) -> Iterator[str]:
        if old is None and CLASS_ANNOTATION in new.metadata.annotations and not new.spec.ingress_class_name:
            yield f"annotation {go_value(CLASS_ANNOTATION)} is deprecated, please use 'spec.ingressClassName' instead"


class NetworkPolicyStrategy(Strategy):
    """Counts the changes of its spec; warns of networks that are written oddly."""

    generation = True

    def warnings(self, new: NetworkPolicy, old: NetworkPolicy | None) -> Iterator[str]:
        for number, inward in enumerate(new.spec.ingress):
            for index, peer in enumerate(inward.from_):
                if peer.ip_block is not None:
                    yield from _block_warnings(peer.ip_block, f"spec.ingress[{number}].from[{index}].ipBlock")
        for number, outward in enumerate(new.spec.egress):
            for index, peer in enumerate(outward.to):
                if peer.ip_block is not None:
                    yield from _block_warnings(peer.ip_block, f"spec.egress[{number}].to[{index}].ipBlock")


def _block_warnings(block: IPBlock, path: str) -> Iterator[str]:
    yield from network_warnings(f"{path}.cidr", block.cidr)
    for index, excluded in enumerate(block.except_):
        yield from network_warnings(f"{path}.except[{index}]", excluded)


class EndpointSliceStrategy(Strategy):
    """Counts the changes of its content and of its labels; ``deprecatedTopology`` cannot be written any more."""

    generation = True

    def prepare_create(self, context: Context, new: EndpointSlice) -> None:
        super().prepare_create(context, new)
        _forget_topology(new)

    def prepare_update(self, context: Context, new: EndpointSlice, old: EndpointSlice) -> None:
        if new.endpoints != old.endpoints:
            _forget_topology(new)
        super().prepare_update(context, new, old)

    def count_change(self, new: EndpointSlice, old: EndpointSlice) -> None:
        super().count_change(new, old)
        if new.metadata.labels != old.metadata.labels:
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def warnings(self, new: EndpointSlice, old: EndpointSlice | None) -> Iterator[str]:
        if new.address_type == "FQDN":
            yield "spec.addressType: FQDN endpoints are deprecated"
            return
        for number, endpoint in enumerate(new.endpoints):
            for index, address in enumerate(endpoint.addresses):
                yield from address_warnings(f"endpoints[{number}].addresses[{index}]", address)


def _forget_topology(obj: EndpointSlice) -> None:
    for endpoint in obj.endpoints:
        endpoint.deprecated_topology = {}
