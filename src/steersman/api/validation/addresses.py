"""Addresses and networks as upstream's API reads them: old fields accept more forms than one, and warn of the odd ones.

The odd forms are leading zeros, IPv4-mapped IPv6, bits beyond the prefix and spellings of IPv6 other than RFC 5952's
(KEP-4858).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from steersman.api.errors import go_value

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_NO_NETWORK = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_FUTURE = "will be considered invalid in a future Kubernetes release"
_MAPPED_BITS = 96


class HostNetwork(NamedTuple):
    """A network, and the address with which it was written."""

    address: Address
    network: Network


def parse_address(text: str) -> Address | None:
    """An address in any accepted form; IPv4 within IPv6 is IPv4."""
    if "%" in text:
        return None
    octets = text.split(".")
    if len(octets) == 4 and all(octet.isascii() and octet.isdigit() for octet in octets):
        text = ".".join(octet.lstrip("0") or "0" for octet in octets)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def parse_network(text: str) -> HostNetwork | None:
    """A network in any accepted form."""
    host, slash, length = text.partition("/")
    address = parse_address(host)
    if address is None or not slash or not (length.isascii() and length.isdigit()) or len(length) > 4:
        return None
    bits = int(length) - (_MAPPED_BITS if address.version == 4 and ":" in host else 0)
    if not 0 <= bits <= address.max_prefixlen:
        return None
    return HostNetwork(address, ipaddress.ip_network((address, bits), strict=False))


def address(text: str) -> Iterator[str]:
    """An address in any accepted form."""
    if not _is_plain(text) and parse_address(text) is None:
        yield _NO_ADDRESS


def _is_plain(text: str) -> bool:
    """Whether it is an IPv4 address in its usual form, as most are."""
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def canonical_address(text: str) -> Iterator[str]:
    """An address in its one usual form: what newer fields demand."""
    parsed = parse_address(text)
    if parsed is None:
        yield _NO_ADDRESS
    elif _odd(text) is not None:
        mapped = "." in text and ":" in text
        yield "must not be an IPv4-mapped IPv6 address" if mapped else "must not have leading 0s"
    elif text != (usual := str(parsed)):
        yield f"must be in canonical form ({go_value(usual)})"


def network(text: str) -> Iterator[str]:
    """A network in any accepted form."""
    if parse_network(text) is None:
        yield _NO_NETWORK


def interface(text: str) -> Iterator[str]:
    """An address with the length of its network's prefix, both in their usual form."""
    parsed = parse_network(text)
    if parsed is None:
        yield "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
    elif text != (usual := f"{parsed.address}/{parsed.network.prefixlen}"):
        yield f"must be in canonical form ({go_value(usual)})"


def canonical_network(text: str) -> Iterator[str]:
    """A network in its one usual form: what newer fields demand."""
    parsed = parse_network(text)
    if parsed is None:
        yield _NO_NETWORK
        return
    usual = str(parsed.network)
    host, _, length = text.partition("/")
    if _odd(host) is not None:
        if "." in host and ":" in host:
            yield "must not be an IPv4-mapped IPv6 address"
        else:
            yield "must not have leading 0s in IP"
    elif length != str(int(length)):
        yield "must not have leading 0s in prefix length"
    elif parsed.address != parsed.network.network_address:
        yield "must not have bits set beyond the prefix length"
    elif text != usual:
        yield f"must be in canonical form ({go_value(usual)})"


def _odd(text: str) -> Address | None:
    """What a form means that strict parsers refuse or take for something else."""
    parsed = parse_address(text)
    try:
        strict = ipaddress.ip_address(text)
    except ValueError:
        return parsed
    return None if strict == parsed else parsed


def special(text: str) -> Iterator[str]:
    """Addresses that nobody else can reach are refused where others must."""
    found = parse_address(text)
    if found is None:
        yield "must be a valid IP address"
        return
    if found.is_unspecified:
        yield f"may not be unspecified ({text})"
    if found.is_loopback:
        yield "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    if found.is_link_local:
        yield "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    if found in _LINK_LOCAL_MULTICAST[found.version]:
        yield "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"


_LINK_LOCAL_MULTICAST = {4: ipaddress.ip_network("224.0.0.0/24"), 6: ipaddress.ip_network("ff02::/16")}


def address_warnings(path: str, text: str) -> Iterator[str]:
    """What to tell people of the form of an address that was accepted."""
    parsed = parse_address(text)
    if parsed is None:
        return
    if _odd(text) is not None:
        yield f"{path}: non-standard IP address {go_value(text)} {_FUTURE}: use {go_value(str(parsed))}"
    elif parsed.version == 6 and str(parsed) != text:
        yield f"{path}: IPv6 address {go_value(text)} should be in RFC 5952 canonical format ({go_value(str(parsed))})"


def network_warnings(path: str, text: str) -> Iterator[str]:
    """What to tell people of the form of a network that was accepted."""
    return (f"{path}: {advice}" for advice in _on_network(text))


@lru_cache(1024)
def _on_network(text: str) -> tuple[str, ...]:
    return tuple(_advice_on_network(text))


def _advice_on_network(text: str) -> Iterator[str]:
    parsed = parse_network(text)
    if parsed is None:
        return
    address, network = parsed
    usual = go_value(str(network))
    plain = True
    if address != network.network_address:
        single = go_value(f"{address}/{address.max_prefixlen}")
        yield f"CIDR value {go_value(text)} is ambiguous in this context (should be {usual} or {single}?)"
        plain = False
    host, _, length = text.partition("/")
    if _odd(host) is not None or length != str(int(length)):
        yield f"non-standard CIDR value {go_value(text)} {_FUTURE}: use {usual}"
        plain = False
    if plain and network.version == 6 and str(network) != text:
        yield f"IPv6 CIDR value {go_value(text)} should be in RFC 5952 canonical format ({usual})"
