"""Texts that are made of parts: faults show the part that is wrong."""

from __future__ import annotations

import re

from steersman.api import errors
from steersman.api.types import meta_v1

from . import names
from .faults import Faults

_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_path = re.compile(_PATH, re.ASCII)
_REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_reason = re.compile(_REASON, re.ASCII)
_STATUSES = ("False", "True", "Unknown")

NUMBER = r"(0|[1-9]\d*)"
_PRERELEASE = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
SEMANTIC_VERSION = re.compile(
    rf"{NUMBER}\.{NUMBER}\.{NUMBER}(-{_PRERELEASE}(\.{_PRERELEASE})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?", re.ASCII
)
"""semver.org, 2.0.0."""


def domain_prefixed_path(faults: Faults, path: str, text: str) -> None:
    """``acme.io/foo``."""
    if not faults.required(path, text):
        return
    host, _, rest = text.partition("/")
    if not host or not rest:
        faults.invalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")')
        return
    faults.grammar(path, host, names.dns1123_subdomain)
    if not _path.fullmatch(rest):
        faults.invalid(path, rest, f"Invalid path (regex used for validation is '{_PATH}')")


def fully_qualified_name(faults: Faults, path: str, text: str) -> None:
    """A domain of three parts at least: names of webhooks."""
    if not faults.required(path, text):
        return
    before = len(faults)
    faults.joined(path, text, names.dns1123_subdomain)
    if len(faults) == before and text.count(".") < 2:
        faults.invalid(path, text, "should be a domain with at least three segments separated by dots")


def fully_qualified_domain_name(faults: Faults, path: str, text: str) -> None:
    """A domain of two labels at least, which may end with a dot: addresses of endpoints."""
    if not faults.required(path, text):
        return
    name = text.removesuffix(".")
    before = len(faults)
    faults.joined(path, name, names.dns1123_subdomain)
    if len(faults) > before:
        return
    if "." not in name:
        faults.invalid(path, name, "should be a domain with at least two segments separated by dots")
        return
    for label in name.split("."):
        if tuple(names.dns1123_label(label)):
            faults.joined(path, label, names.dns1123_label)
            return


def conditions(faults: Faults, values: list[meta_v1.Condition], path: str) -> None:
    """``metav1.Condition``, whose types are unique."""
    seen: set[str] = set()
    for index, condition in enumerate(values):
        place = f"{path}[{index}]"
        faults.unique(f"{place}.type", condition.type, seen)
        faults.grammar(f"{place}.type", condition.type, names.qualified_name)
        if condition.status not in _STATUSES:
            faults.unsupported(f"{place}.status", condition.status, _STATUSES)
        if (condition.observed_generation or 0) < 0:
            faults.invalid(
                f"{place}.observedGeneration", condition.observed_generation, "must be greater than or equal to zero"
            )
        if condition.last_transition_time is None:
            faults.append(errors.required(f"{place}.lastTransitionTime", "must be set"))
        if faults.required(f"{place}.reason", condition.reason, "must be set"):
            if not _reason.fullmatch(condition.reason):
                faults.invalid(
                    f"{place}.reason",
                    condition.reason,
                    "a condition reason must start with alphabetic character, optionally followed by a string of "
                    "alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. "
                    "'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used "
                    f"for validation is '{_REASON}')",
                )
            faults.shorter(f"{place}.reason", condition.reason, 1024)
        faults.shorter(f"{place}.message", condition.message, 32 * 1024)


def webhook_url(faults: Faults, path: str, url: str) -> None:
    """The address of a webhook outside the cluster."""
    form = "; desired format: https://host[/path]"
    match = re.fullmatch(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", url, re.S)
    assert match is not None
    scheme, authority, _, query, fragment = (part or "" for part in match.groups())
    user, at, host = authority.rpartition("@")
    if scheme.lower() != "https":
        faults.invalid(path, scheme.lower(), f"'https' is the only allowed URL scheme{form}")
    if not host:
        faults.invalid(path, "", f"host must be specified{form}")
    if at:
        faults.invalid(path, user, "user information is not permitted in the URL")
    if fragment:
        faults.invalid(path, fragment, "fragments are not permitted in the URL")
    if query:
        faults.invalid(path, query, "query parameters are not permitted in the URL")


def webhook_service(faults: Faults, path: str, name: str, namespace: str, url_path: str, port: int | None) -> None:
    """The service of a webhook inside the cluster."""
    faults.required(f"{path}.name", name, "service name is required")
    faults.required(f"{path}.namespace", namespace, "service namespace is required")
    number = port or 0
    if bad := ", ".join(names.port_number(number)):
        faults.invalid(f"{path}.port", number, f"port is not valid: {bad}")
    if url_path in ("", "/"):
        return
    place = f"{path}.path"
    if url_path == "//":
        faults.invalid(place, url_path, "segment[0] may not be empty")
        return
    if not url_path.startswith("/"):
        faults.invalid(place, url_path, "must start with a '/'")
    for index, step in enumerate(url_path[1:].removesuffix("/").split("/")):
        if not step:
            faults.invalid(place, url_path, f"segment[{index}] may not be empty")
        else:
            for fault in names.dns1123_subdomain(step):
                faults.invalid(place, url_path, f"segment[{index}]: {fault}")
