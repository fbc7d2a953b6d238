"""The grammars of names: each function gives the faults of a text, in upstream's words; no fault, no entry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

_ASCII = re.ASCII

DNS1123_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS1123_SUBDOMAIN = rf"{DNS1123_LABEL}(\.{DNS1123_LABEL})*"
DNS1035_LABEL = "[a-z]([-a-z0-9]*[a-z0-9])?"
QUALIFIED_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_VALUE = f"({QUALIFIED_NAME})?"
_UNDERSCORED_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
SYSCTL = rf"({_SYSCTL_SEGMENT}[\./])*{_SYSCTL_SEGMENT}"
WILDCARD_SUBDOMAIN = rf"\*\.{DNS1123_SUBDOMAIN}"

_dns1123_label = re.compile(DNS1123_LABEL, _ASCII)
_dns1123_subdomain = re.compile(DNS1123_SUBDOMAIN, _ASCII)
_dns1035_label = re.compile(DNS1035_LABEL, _ASCII)
_qualified_name = re.compile(QUALIFIED_NAME, _ASCII)
_label_value = re.compile(LABEL_VALUE, _ASCII)
_wildcard = re.compile(WILDCARD_SUBDOMAIN, _ASCII)
_underscored = re.compile(rf"{_UNDERSCORED_LABEL}(\.{_UNDERSCORED_LABEL})*", _ASCII)
_sysctl = re.compile(SYSCTL, _ASCII)
_config_key = re.compile(r"[-._a-zA-Z0-9]+", _ASCII)
_env_name = re.compile("[-._a-zA-Z][-._a-zA-Z0-9]*", _ASCII)
_relaxed_env_name = re.compile(r"[ -<>-~]+", _ASCII)
_port_charset = re.compile(r"[-a-z0-9]+", _ASCII)
_port_letter = re.compile(r"[a-z]", _ASCII)
_http_path = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", _ASCII)
_http_header = re.compile(r"[-A-Za-z0-9]+", _ASCII)
_percent = re.compile(r"[0-9]+%", _ASCII)


def longer_than(limit: int) -> str:
    """The fault of excessive length."""
    return f"must be no more than {limit} characters"


def _regex(message: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown}regex used for validation is '{pattern}')"


_SUBDOMAIN = _regex(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    DNS1123_SUBDOMAIN,
    "example.com",
)


def dns1123_label(text: str) -> Iterator[str]:
    """RFC 1123 label: namespaces, containers, volumes."""
    if len(text) > 63:
        yield longer_than(63)
    if not _dns1123_label.fullmatch(text):
        if _dns1123_subdomain.fullmatch(text):
            yield "must not contain dots"
        else:
            yield _regex(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
                "and must start and end with an alphanumeric character",
                DNS1123_LABEL,
                "my-name",
                "123-abc",
            )


def dns1123_subdomain(text: str) -> Iterator[str]:
    """RFC 1123 subdomain: the names of most kinds."""
    if len(text) > 253:
        yield longer_than(253)
    if not _dns1123_subdomain.fullmatch(text):
        yield _SUBDOMAIN


def underscored_subdomain(text: str) -> Iterator[str]:
    """RFC 1123 subdomain whose labels may have underscores: DNS search paths.  Its faults do not mention them."""
    if len(text) > 253:
        yield longer_than(253)
    if not _underscored.fullmatch(text):
        yield _SUBDOMAIN


def dns1035_label(text: str) -> Iterator[str]:
    """RFC 1035 label: services."""
    if len(text) > 63:
        yield longer_than(63)
    if not _dns1035_label.fullmatch(text):
        yield _regex(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character",
            DNS1035_LABEL,
            "my-name",
            "abc-123",
        )


def wildcard_subdomain(text: str) -> Iterator[str]:
    """RFC 1123 subdomain after ``*.``: hosts of ingresses."""
    if len(text) > 253:
        yield longer_than(253)
    if not _wildcard.fullmatch(text):
        yield _regex(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
            "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            WILDCARD_SUBDOMAIN,
            "*.example.com",
        )


def qualified_name(text: str) -> Iterator[str]:
    """``[prefix/]name``: the keys of labels and annotations, resource names, conditions."""
    parts = text.split("/")
    if len(parts) == 2:
        prefix, name = parts
        if not prefix:
            yield "prefix part must be non-empty"
        else:
            for fault in dns1123_subdomain(prefix):
                yield f"prefix part {fault}"
    elif len(parts) == 1:
        name = text
    else:
        example = _regex(
            "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
            "an alphanumeric character",
            QUALIFIED_NAME,
            "MyName",
            "my.name",
            "123-abc",
        )
        yield f"{example} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return
    if not name:
        yield "name part must be non-empty"
    elif len(name) > 63:
        yield f"name part {longer_than(63)}"
    if not _qualified_name.fullmatch(name):
        yield "name part " + _regex(
            "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
            "character",
            QUALIFIED_NAME,
            "MyName",
            "my.name",
            "123-abc",
        )


def label_value(text: str) -> Iterator[str]:
    """The value of a label."""
    if len(text) > 63:
        yield longer_than(63)
    if not _label_value.fullmatch(text):
        yield _regex(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character",
            LABEL_VALUE,
            "MyValue",
            "my_value",
            "12345",
        )


def path_segment(text: str) -> Iterator[str]:
    """Anything that can stand between two slashes: RBAC names."""
    if text in (".", ".."):
        yield f"may not be '{text}'"
    for character in "/%":
        if character in text:
            yield f"may not contain '{character}'"


def config_map_key(text: str) -> Iterator[str]:
    """Keys of ConfigMaps and Secrets."""
    if len(text) > 253:
        yield longer_than(253)
    if not _config_key.fullmatch(text):
        yield _regex(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            "key.name",
            "KEY_NAME",
            "key-name",
        )
    if text == ".":
        yield "must not be '.'"
    elif text == "..":
        yield "must not be '..'"
    elif text.startswith(".."):
        yield "must not start with '..'"


def env_name(text: str) -> Iterator[str]:
    """Names of environment variables: printable ASCII without ``=``."""
    if not _relaxed_env_name.fullmatch(text):
        yield (
            "a valid environment variable name must consist only of printable ASCII characters other than '=' "
            "(regex used for validation is '^[ -<>-~]+$')"
        )


def port_name(text: str) -> Iterator[str]:
    """Names of container ports (RFC 6335)."""
    if len(text) > 15:
        yield "must be no more than 15 characters"
    if not _port_charset.fullmatch(text):
        yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not _port_letter.search(text):
        yield "must contain at least one letter (a-z)"
    if "--" in text:
        yield "must not contain consecutive hyphens"
    if text and (text[0] == "-" or text[-1] == "-"):
        yield "must not begin or end with a hyphen"


def port_number(number: int) -> Iterator[str]:
    """1 to 65535."""
    if not 1 <= number <= 65535:
        yield "must be between 1 and 65535, inclusive"


def http_header_name(text: str) -> Iterator[str]:
    """Names of HTTP headers in probes and hooks."""
    if not _http_header.fullmatch(text):
        yield _regex(
            "a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", "X-Header-Name"
        )


def percent(text: str) -> Iterator[str]:
    """``25%``."""
    if not _percent.fullmatch(text):
        yield _regex(
            "a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%"
        )


def sysctl(text: str) -> Iterator[str]:
    """Names of kernel parameters, with dots or slashes (``sysctl.d(5)``)."""
    if len(text) > 253 or not _sysctl.fullmatch(text):
        yield f"must have at most 253 characters and match regex ^{SYSCTL}$"


def ip(text: str) -> Iterator[str]:
    """An address of either family, in its usual form."""
    try:
        ip_address(text)
    except ValueError:
        yield "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def cidr(text: str) -> Iterator[str]:
    """A network of either family."""
    try:
        ip_network(text, strict=False)
        valid = "/" in text
    except ValueError:
        valid = False
    if not valid:
        yield "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
