"""The formats of texts that schemas of custom resources know: those of upstream's registry; others mean nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache, partial
from urllib.parse import urlsplit

from steersman.api import quantity
from steersman.api.validation import addresses, names
from steersman.api.validation.faults import Grammar

Accepts = Callable[[str], bool]

_SHORT = 128

_CODE = r"(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])"
_GO_DURATION = re.compile(r"[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_SPOKEN_DURATION = re.compile(r"\s*(?:\d+\s*[A-Za-zµ]+\s*)+", re.ASCII)
_SPOKEN_PART = re.compile(r"\d+\s*([A-Za-zµ]+)", re.ASCII)
_UNITS = frozenset(("ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk"))
_UNIT_STARTS = ("nano", "micro", "milli", "sec", "min", "hour", "day", "week")
_TIME = re.compile(r"(\d{2}):(\d{2}):(\d{2})(.\d+)?(z|[+-]\d{2}:\d{2})", re.ASCII)
_ATOM = r"[^\s\"(),.:;<>@\[\\\]\x00-\x1f\x7f]+"
_ADDRESS = re.compile(rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[^"\\\r\n]|\\.)+")@(?:{_ATOM}(?:\.{_ATOM})*|\[[^\[\]\\\s]*\])')
_CARD = re.compile(
    r"(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|(222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}|6(?:011|5\d\d)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11}|6[27]\d{14})",
    re.ASCII,
)


def _matches(pattern: str) -> Accepts:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: compiled.fullmatch(text) is not None


def _uuid(text: str, *, version: str = "[0-9a-f]", variant: str = "[0-9a-f]") -> bool:
    form = f"[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{version}[0-9a-f]{{3}}-?{variant}[0-9a-f]{{3}}-?[0-9a-f]{{12}}"
    return re.fullmatch(form, text, re.IGNORECASE | re.ASCII) is not None


def _uri(text: str) -> bool:
    """An absolute URI, or an absolute path."""
    if not text or any(ord(character) <= 0x20 or character == "\x7f" for character in text):
        return False
    if re.search("%(?![0-9A-Fa-f]{2})", text.partition("?")[0]):
        return False
    if text.startswith("/"):
        return True
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return re.match("[A-Za-z][A-Za-z0-9+.-]*:", text) is not None and (port is None or port >= 0)


def _email(text: str) -> bool:
    """An address of RFC 5322, with a display name or without."""
    named = re.fullmatch(r"(?:\"(?:[^\"\\]|\\.)*\"|[^<>\"@,:;]*)\s*<([^<>]+)>\s*", text)
    return _ADDRESS.fullmatch(named[1] if named else text.strip(" \t")) is not None


def _hostname(text: str) -> bool:
    """Labels of letters, symbols and digits; dashes within; a top-level domain of two at least."""
    labels = text.split(".")
    if len(text.encode()) > 255 or any(not label or len(label.encode()) > 63 for label in labels):
        return False
    for label in labels:
        if label.startswith("-") or label.endswith("-"):
            return False
        if not all(character == "-" or character.isalnum() or ord(character) > 0x7F for character in label):
            return False
    return len(labels) == 1 or len(labels[-1]) >= 2


def _address(text: str, mark: str) -> bool:
    return mark in text and addresses.parse_address(text) is not None


def _network(text: str) -> bool:
    return addresses.parse_network(text) is not None


def _mac(text: str) -> bool:
    for form in (r"([0-9A-F]{2})([:-])[0-9A-F]{2}(\2[0-9A-F]{2})*", r"[0-9A-F]{4}(\.[0-9A-F]{4})+"):
        if re.fullmatch(form, text, re.IGNORECASE | re.ASCII):
            return len(re.sub("[^0-9A-Fa-f]", "", text)) // 2 in (6, 8, 20)
    return False


def _isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch("[0-9]{9}[0-9X]", digits):
        return False
    total = sum((index + 1) * (10 if digit == "X" else int(digit)) for index, digit in enumerate(digits))
    return total % 11 == 0


def _isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch("[0-9]{13}", digits):
        return False
    return sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits)) % 10 == 0


def _credit_card(text: str) -> bool:
    digits = re.sub("[^0-9]+", "", text)
    if not _CARD.fullmatch(digits):
        return False
    doubled = [int(digit) * (2 if index % 2 else 1) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _date(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _date_time(text: str) -> bool:
    day, mark, time = text.lower().partition("t")
    found = _TIME.match(time) if mark and _date(day) else None
    return found is not None and found[1] <= "23" and found[2] <= "59" and found[3] <= "59" and found.end() == len(time)


def _duration(text: str) -> bool:
    """As Go writes durations, or as Scala does (``2 days``)."""
    if _GO_DURATION.fullmatch(text):
        return True
    if not _SPOKEN_DURATION.fullmatch(text):
        return False
    units = [unit.lower() for unit in _SPOKEN_PART.findall(text)]
    return any(unit in _UNITS or unit.startswith(_UNIT_STARTS) for unit in units)


def _quantity(text: str) -> bool:
    try:
        quantity.parse(text)
    except ValueError:
        return False
    return True


def _named(text: str, grammar: Grammar) -> bool:
    return not any(True for _ in grammar(text))


_FORMATS: Mapping[str, Accepts] = {
    "bsonobjectid": _matches("[0-9a-fA-F]{24}"),
    "uri": _uri,
    "email": _email,
    "hostname": _hostname,
    "ipv4": partial(_address, mark="."),
    "ipv6": partial(_address, mark=":"),
    "cidr": _network,
    "mac": _mac,
    "uuid": _uuid,
    "uuid3": partial(_uuid, version="3"),
    "uuid4": partial(_uuid, version="4", variant="[89ab]"),
    "uuid5": partial(_uuid, version="5", variant="[89ab]"),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _credit_card,
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matches("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _matches(rf"rgb\(\s*{_CODE}\s*,\s*{_CODE}\s*,\s*{_CODE}\s*\)"),
    "byte": _matches("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"),
    "password": lambda text: True,
    "date": _date,
    "datetime": _date_time,
    "duration": _duration,
    "quantity": _quantity,
    "k8sshortname": partial(_named, grammar=names.dns1123_label),
    "k8slongname": partial(_named, grammar=names.dns1123_subdomain),
}

_OF_NUMBERS = {"integer": ("int32", "int64"), "number": ("float", "double")}


def text_format(name: str) -> Accepts | None:
    """What checks a format of texts, whose dashes do not count; None for those that are not known."""
    return _FORMATS.get(name.replace("-", ""))


def accepts(name: str, text: str) -> bool:
    """Whether a text is of a known format; remembered for short ones, because the same come again and again."""
    return _remembered(name, text) if len(text) <= _SHORT else _judge(name, text)


def _judge(name: str, text: str) -> bool:
    accepted = text_format(name)
    return accepted is None or accepted(text)


_remembered = lru_cache(maxsize=8192)(_judge)


def known(name: str, type_: str) -> bool:
    """Whether a format means something for a type (empty: any)."""
    if type_ in ("", "string"):
        return text_format(name) is not None
    return name in _OF_NUMBERS.get(type_, ())
