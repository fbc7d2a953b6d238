"""The IP and CIDR libraries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from steersman.api.errors import go_value
from steersman.cel.errors import CELError
from steersman.cel.functions import free, member, rebuilding, tenth, traversal
from steersman.cel.values import to_string

IP, CIDR = "net.IP", "net.CIDR"
_PREFIX = re.compile(r"0|[1-9]\d{0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    value: IPv4Address | IPv6Address

    cel_type = IP

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Cidr:
    address: IPv4Address | IPv6Address
    prefix: int

    cel_type = CIDR

    def network(self) -> IPv4Network | IPv6Network:
        return ip_network((self.address, self.prefix), strict=False)

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"


def _parse(text: str) -> IPv4Address | IPv6Address:
    value = ip_address(text)
    if "%" in text:
        raise CELError(f'IP address "{text}" with zone value is not allowed')
    if isinstance(value, IPv6Address) and value.ipv4_mapped is not None:
        raise CELError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return value


def ip(value: Any) -> Address:
    if isinstance(value, Cidr):
        return Address(value.address)
    try:
        return Address(_parse(value))
    except ValueError:
        raise CELError(f'IP Address "{value}" parse error during conversion from string: {_why(value)}') from None


def cidr(text: str) -> Cidr:
    host, slash, prefix = text.rpartition("/")
    try:
        address = _parse(host)
    except ValueError:
        raise _no_prefix(text, _why(host) if slash else "no '/'") from None
    if not _PREFIX.fullmatch(prefix):
        raise _no_prefix(text, f"bad bits after slash: {go_value(prefix)}")
    if int(prefix) > address.max_prefixlen:
        raise _no_prefix(text, "prefix length out of range")
    return Cidr(address, int(prefix))


def _no_prefix(text: str, why: str) -> CELError:
    error = "network address parse error during conversion from string: "
    return CELError(f"{error}{error}netip.ParsePrefix({go_value(text)}): {why}")


def _why(text: str) -> str:
    """What Go says of a text that is no address."""
    first = next((character for character in text if character in ".:%"), "")
    if first != ".":
        return f"ParseAddr({go_value(text)}): unable to parse IP"
    parts = text.split(".")
    if any(part and not part.isdecimal() for part in parts):
        why = "unexpected character"
    elif not all(parts):
        why = "IPv4 field must have at least one digit"
    elif any(len(part) > 1 and part[0] == "0" for part in parts):
        why = "IPv4 field has octet with leading zero"
    elif any(int(part) > 255 for part in parts):
        why = "IPv4 field has value >255"
    else:
        why = f"IPv4 address too {'long' if len(parts) > 4 else 'short'}"
    return f"ParseAddr({go_value(text)}): {why}"


def is_ip(text: str) -> bool:
    return _holds(ip, text)


def is_cidr(text: str) -> bool:
    return _holds(cidr, text)


def _holds(read: Any, text: str) -> bool:
    try:
        read(text)
    except CELError:
        return False
    return True


def is_canonical(text: str) -> bool:
    return str(ip(text)) == text


def contains_ip(network: Cidr, other: Any) -> bool:
    address = ip(other).value if other.__class__ is str else other.value
    return address in network.network()


def contains_cidr(network: Cidr, other: Any) -> bool:
    inner = cidr(other) if other.__class__ is str else other
    return inner.address in network.network() and network.prefix <= inner.prefix


def masked(network: Cidr) -> Cidr:
    return Cidr(network.network().network_address, network.prefix)


def _global_unicast(address: Address) -> bool:
    value = address.value
    special = value.is_unspecified or value.is_loopback or value.is_multicast or value.is_link_local
    return not special and value != IPv4Address("255.255.255.255")


def _local_multicast(address: Address) -> bool:
    value = address.value
    if isinstance(value, IPv4Address):
        return value in IPv4Network("224.0.0.0/24")
    return value.packed[0] == 0xFF and value.packed[1] & 0x0F == 2


def _ip_cost(arguments: Any, result: Any) -> int:
    return 1 if isinstance(arguments[0], Cidr) else traversal(arguments, result)


def _containing(arguments: Any, _result: Any) -> int:
    width = arguments[0].address.max_prefixlen // 8
    text = tenth(len(arguments[1])) if arguments[1].__class__ is str else 0
    return tenth(2 * width) + text


def _containing_cidr(arguments: Any, result: Any) -> int:
    return _containing(arguments, result) + tenth(arguments[0].address.max_prefixlen // 8) + 1


_TEXTUAL = ("bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint", IP, CIDR)

FUNCTIONS = (
    free("string", to_string, *(f"{kind} -> string" for kind in _TEXTUAL)),
    free("isIP", is_ip, "string -> bool", cost=traversal),
    free("isCIDR", is_cidr, "string -> bool", cost=traversal),
    free("cidr", cidr, f"string -> {CIDR}", cost=traversal),
    free("ip", ip, f"string -> {IP}", cost=_ip_cost),
    member("ip", ip, f"{CIDR} -> {IP}", cost=_ip_cost),
    free("ip.isCanonical", is_canonical, "string -> bool", cost=rebuilding),
    member("family", lambda a: a.value.version, f"{IP} -> int"),
    member("isUnspecified", lambda a: a.value.is_unspecified, f"{IP} -> bool"),
    member("isLoopback", lambda a: a.value.is_loopback, f"{IP} -> bool"),
    member("isLinkLocalMulticast", _local_multicast, f"{IP} -> bool"),
    member("isLinkLocalUnicast", lambda a: a.value.is_link_local, f"{IP} -> bool"),
    member("isGlobalUnicast", _global_unicast, f"{IP} -> bool"),
    member("containsIP", contains_ip, f"{CIDR} string -> bool", f"{CIDR} {IP} -> bool", cost=_containing),
    member("containsCIDR", contains_cidr, f"{CIDR} string -> bool", f"{CIDR} {CIDR} -> bool", cost=_containing_cidr),
    member("masked", masked, f"{CIDR} -> {CIDR}"),
    member("prefixLength", lambda c: c.prefix, f"{CIDR} -> int"),
)
