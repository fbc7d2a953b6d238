"""Addresses that are given out and come back."""

from __future__ import annotations

import ipaddress

_LARGEST = 1 << 18
"""A larger network's first addresses are enough."""


class Exhausted(Exception):
    """Every address of a network is in use."""


class AddressPool:
    """The addresses of one network.

    The first and the second are the network's and its gateway's, the last is the broadcast's.  They are given out one
    after the other, so that one that comes back rests a while.
    """

    def __init__(self, network: str) -> None:
        parsed = ipaddress.ip_network(network, strict=False)
        self.network = str(parsed)
        self._base = int(parsed.network_address)
        self._v4 = parsed.version == 4
        size = min(_LARGEST, parsed.num_addresses)
        self._used = bytearray(size)
        self._used[:2] = b"\1" * min(2, size)
        if self._v4 and size > 2:
            self._used[-1] = 1
        self._next = 0

    def take(self) -> str:
        """An address that nobody has; raises Exhausted."""
        found = self._used.find(0, self._next)
        if found < 0 and (found := self._used.find(0)) < 0:
            raise Exhausted(f"no address of {self.network} is free")
        self._used[found] = 1
        self._next = found + 1
        return self._text(self._base + found)

    def mark(self, address: str) -> None:
        """Somebody has this one; nothing where it is of another network."""
        if (number := self._number(address)) is not None:
            self._used[number] = 1

    def release(self, address: str) -> None:
        """Nobody has it any more."""
        if (number := self._number(address)) is not None:
            self._used[number] = 0

    def _text(self, value: int) -> str:
        if self._v4:  # ten times as fast as the module's
            return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"
        return str(ipaddress.IPv6Address(value))

    def _number(self, address: str) -> int | None:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return None
        number = int(parsed) - self._base
        return number if (parsed.version == 4) == self._v4 and 0 <= number < len(self._used) else None
