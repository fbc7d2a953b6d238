"""The format library: Kubernetes's own string formats by name."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from steersman.cel.errors import CELError
from steersman.cel.functions import free, member, tenth
from steersman.cel.values import NONE, Optional, cost_size, timestamp

from .urls import is_url

FORMAT = "kubernetes.NamedFormat"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_FAULT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an "
    f"alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_SUBDOMAIN_FAULT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end "
    f"with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    check: Callable[[str], list[str]]
    pattern: int
    """Characters of its pattern, by which checks are charged."""

    cel_type = FORMAT


def _grammar(expression: str, longest: int, fault: str) -> Callable[[str], list[str]]:
    compiled = re.compile(expression, re.ASCII)

    def check(text: str) -> list[str]:
        faults = [f"must be no more than {longest} characters"] if len(text) > longest else []
        return faults if compiled.fullmatch(text) else [*faults, fault]

    return check


def _prefix(check: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    return lambda text: check(text[:-1] + "a" if text.endswith("-") else text)


def _readable(read: Callable[[str], Any], fault: str) -> Callable[[str], list[str]]:
    def check(text: str) -> list[str]:
        try:
            return [] if read(text) else [fault]
        except (ValueError, CELError, binascii.Error):
            return [fault]

    return check


def _qualified(text: str) -> list[str]:
    prefix, slash, name = text.rpartition("/")
    faults = [f"prefix part {fault}" for fault in _subdomain(prefix)] if slash else []
    return faults + [f"name part {fault}" for fault in _name(name)]


_label = _grammar(_LABEL, 63, _LABEL_FAULT)
_subdomain = _grammar(_SUBDOMAIN, 253, _SUBDOMAIN_FAULT)
_label1035 = _grammar(
    r"[a-z]([-a-z0-9]*[a-z0-9])?",
    63,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and "
    "end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')",
)
_name = _grammar(
    _QUALIFIED,
    63,
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. "
    f"'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')",
)
_value = _grammar(
    f"({_QUALIFIED})?",
    63,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end "
    f"with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'({_QUALIFIED})?')",
)

_CHECKS: dict[str, Callable[[str], list[str]]] = {
    "dns1123Label": _label,
    "dns1123Subdomain": _subdomain,
    "dns1035Label": _label1035,
    "qualifiedName": _qualified,
    "dns1123LabelPrefix": _prefix(_label),
    "dns1123SubdomainPrefix": _prefix(_subdomain),
    "dns1035LabelPrefix": _prefix(_label1035),
    "labelValue": _value,
    "uri": _readable(is_url, "invalid URI"),
    "uuid": _readable(UUID, "does not match the UUID format"),
    "byte": _readable(lambda text: base64.b64decode(text, validate=True) or True, "invalid base64"),
    "date": _readable(lambda text: len(text) == 10 and date.fromisoformat(text), "invalid date"),
    "datetime": _readable(timestamp, "invalid datetime"),
}
_SHORT, _MEDIUM, _LONG = 30, 60, 128
_PATTERNS = {
    **dict.fromkeys(("dns1123Label", "dns1035Label", "dns1123LabelPrefix", "dns1035LabelPrefix"), _SHORT),
    **dict.fromkeys(("dns1123Subdomain", "dns1123SubdomainPrefix", "qualifiedName"), _MEDIUM),
    "labelValue": 40,
}
_FORMATS = {name: Format(name, check, _PATTERNS.get(name, _LONG)) for name, check in _CHECKS.items()}


def named(name: str) -> Optional:
    found = _FORMATS.get(name)
    return NONE if found is None else Optional(True, found)


def validate(form: Format, text: str) -> Optional:
    faults = form.check(text)
    return Optional(True, faults) if faults else NONE


def _checking(arguments: Sequence[Any], _result: Any) -> int:
    return int(tenth(1 + cost_size(arguments[1])) * -(-arguments[0].pattern // 4))


def _constant(form: Format) -> Callable[[], Format]:
    return lambda: form


FUNCTIONS = (
    free("format.named", named, "string -> dyn"),
    member("validate", validate, f"{FORMAT} string -> dyn", cost=_checking),
    *(free(f"format.{name}", _constant(form), f"-> {FORMAT}") for name, form in _FORMATS.items()),
)
