"""Ranges to choose from: the upper part for choices made here, the lower for those that people make (pure).

Of addresses KEP-3070, of node ports KEP-3668.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import NamedTuple

from steersman.api.types import networking_v1
from steersman.api.validation.addresses import Address, Network, parse_network

_LEAST_FOR_PEOPLE = 16


class Range(NamedTuple):
    """Whole numbers from ``first`` to ``last``, of which the lowest ``reserved`` are chosen last."""

    first: int
    last: int
    reserved: int

    @property
    def size(self) -> int:
        """How many there are."""
        return self.last - self.first + 1

    def candidates(self, random: Random) -> Iterator[int]:
        """Every number once, beginning at a random one of the upper part."""
        boundary = self.first + self.reserved
        yield from _around(boundary, self.last, random)
        yield from _around(self.first, boundary - 1, random)


def _around(first: int, last: int, random: Random) -> Iterator[int]:
    if first > last:
        return
    start = random.randint(first, last)
    yield from range(start, last + 1)
    yield from range(first, start)


def address_range(network: Network) -> Range:
    """The addresses of a network that can be given out: not its own, and not IPv4's broadcast address."""
    first = int(network.network_address) + 1
    last = int(network.broadcast_address) - (1 if network.version == 4 else 0)
    return Range(first, last, _reserved(network.num_addresses, 16, 256))


def port_range(low: int, high: int) -> Range:
    """The node ports from ``low`` to ``high``."""
    return Range(low, high, _reserved(high - low + 1, 32, 128))


def _reserved(size: int, step: int, most: int) -> int:
    return 0 if size <= _LEAST_FOR_PEOPLE else min(max(size // step, _LEAST_FOR_PEOPLE), most)


def is_ready(cidr: networking_v1.ServiceCIDR) -> bool:
    """Whether addresses of a ServiceCIDR may be given out."""
    return cidr.metadata.deletion_timestamp is None and any(
        condition.type == "Ready" and condition.status == "True" for condition in cidr.status.conditions
    )


def networks(cidrs: Iterable[networking_v1.ServiceCIDR]) -> list[Network]:
    """The networks of ServiceCIDRs."""
    parsed = (parse_network(text) for cidr in cidrs for text in cidr.spec.cidrs)
    return [each.network for each in parsed if each is not None]


def contains(network: Network, address: Address) -> bool:
    """Whether an address of a network can be given out."""
    if address.version != network.version:
        return False
    usable = address_range(network)
    return usable.first <= int(address) <= usable.last


def choices(available: Sequence[Network], family: str, random: Random) -> Iterator[str]:
    """Every address of a family that could be given out, network after network."""
    version, kind = (6, ipaddress.IPv6Address) if family == "IPv6" else (4, ipaddress.IPv4Address)
    for network in available:
        if network.version == version:
            for number in address_range(network).candidates(random):
                yield str(kind(number))
