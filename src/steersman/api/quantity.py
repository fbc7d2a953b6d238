"""Quantities: exact numbers with a suffix, as ``resource.Quantity`` reads, rounds and writes them.

The API types hold quantities as text.  Arithmetic is done on :class:`~decimal.Decimal`, exactly; the results
go back to text through :func:`format_decimal` and :func:`format_binary`.
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Context, Decimal
from functools import lru_cache
from typing import Literal

Format = Literal["DecimalSI", "BinarySI", "DecimalExponent"]

_PATTERN = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
MALFORMED = f"quantities must match the regular expression '{_PATTERN}'"
_SYNTAX = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:([eE])([+-]?[0-9]+)|([KMGTPE]i)|([numkMGTPE]?))", re.ASCII)

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {0: "", **{exponent: suffix for suffix, exponent in _BINARY.items()}}

_EXACT = Context(prec=400)
_NANO = Decimal("1e-9")
_MAX = Decimal(2**63 - 1)
_LONGEST = 250
ZERO = Decimal(0)


class QuantityError(ValueError):
    """A text that is no quantity; the message is upstream's."""


@lru_cache(maxsize=4096)
def parse_with_format(text: str) -> tuple[Decimal, Format]:
    """The exact value of a quantity and the notation it was written in; raises :class:`QuantityError`."""
    match = _SYNTAX.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not (match[2] or match[3]):
        raise QuantityError(MALFORMED)
    sign, whole, fraction, exponential, exponent, binary, suffix = match.groups()
    number = Decimal(f"{sign}{whole or '0'}.{fraction or '0'}")
    form: Format = "DecimalSI"
    if exponential:
        power = int(exponent)
        if not -(2**31) <= power < 2**31:
            raise QuantityError("unable to parse quantity's suffix")
        form = "DecimalExponent"
        # Beyond these the value is the smallest or the largest there is, whatever the digits.
        number = number.scaleb(max(min(power, 300), -300), _EXACT)
    elif binary:
        form = "BinarySI"
        number = _EXACT.multiply(number, Decimal(2 ** _BINARY[binary]))
    else:
        number = number.scaleb(_DECIMAL[suffix], _EXACT)
    magnitude = abs(number)
    if magnitude > _MAX:
        number = _MAX.copy_sign(number)
    elif number != number.quantize(_NANO, ROUND_UP, _EXACT):
        number = number.quantize(_NANO, ROUND_UP, _EXACT)
    if form == "BinarySI" and 0 < number < 1:
        form = "DecimalSI"
    return number, form


def parse(text: str) -> Decimal:
    """The exact value of a quantity; raises :class:`QuantityError`."""
    return parse_with_format(text)[0]


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The one text of this value in its notation: ``1000m`` is ``1``, ``1024Ki`` is ``1Mi``; empty stays empty."""
    return format_quantity(*parse_with_format(text)) if text else text


def value(text: str) -> int:
    """The value as an integer, rounded away from zero; 0 for empty text."""
    return _integer(parse(text)) if text else 0


def milli_value(text: str) -> int:
    """The value in thousandths, rounded away from zero; 0 for empty text."""
    return _integer(parse(text).scaleb(3)) if text else 0


def format_decimal(number: Decimal | int) -> str:
    """Canonical text with decimal suffixes (``500m``, ``2k``)."""
    return format_quantity(Decimal(number), "DecimalSI")


def format_binary(number: Decimal | int) -> str:
    """Canonical text with binary suffixes (``128Mi``)."""
    return format_quantity(Decimal(number), "BinarySI")


def format_milli(thousandths: int) -> str:
    """Canonical text of so many thousandths, with decimal suffixes: CPU."""
    return format_quantity(Decimal(thousandths).scaleb(-3), "DecimalSI")


def format_quantity(number: Decimal, form: Format) -> str:
    """Canonical text: the greatest suffix that leaves no fraction."""
    if not number:
        return "0"
    if form == "BinarySI" and (abs(number) < 1024 or number != number.to_integral_value()):
        form = "DecimalSI"
    if form == "BinarySI":
        units, power = int(number), 0
        while units % 1024 == 0 and power < 60:
            units //= 1024
            power += 10
        return f"{units}{_BINARY_SUFFIX[power]}"
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    units = int("".join(map(str, digits)))
    while units % 10 == 0:
        units //= 10
        exponent += 1
    shift = exponent % 3
    units *= 10**shift
    exponent -= shift
    while exponent > 18:
        units *= 1000
        exponent -= 3
    text = f"{'-' if sign else ''}{units}"
    if form == "DecimalExponent":
        return f"{text}e{exponent}" if exponent else text
    return text + _SUFFIX[exponent]


def _integer(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_UP))
