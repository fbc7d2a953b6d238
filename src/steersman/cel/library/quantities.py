"""The quantity library; what compares is the semvers' too and stands there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from steersman.api import quantity as quantities
from steersman.cel.errors import CELError
from steersman.cel.functions import free, member, traversal
from steersman.cel.values import INT_MAX, INT_MIN

QUANTITY = "kubernetes.Quantity"
_SHAPE = re.compile(r"[+-]?[0-9.]+[eEinumkKMGTP]*[-+]?[0-9]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quantity:
    number: Decimal

    cel_type = QUANTITY


def quantity(text: str) -> Quantity:
    try:
        return Quantity(quantities.parse(text))
    except quantities.QuantityError as error:
        known = _SHAPE.fullmatch(text) is not None
        raise CELError("unable to parse quantity's suffix" if known else str(error)) from error


def is_quantity(text: str) -> bool:
    try:
        quantities.parse(text)
    except quantities.QuantityError:
        return False
    return True


def is_integer(value: Quantity) -> bool:
    """The largest is no integer: what is beyond it is cut off to it."""
    return value.number == value.number.to_integral_value() and INT_MIN < value.number < INT_MAX


def as_integer(value: Quantity) -> int:
    if not is_integer(value):
        raise CELError("cannot convert value to integer")
    return int(value.number)


def _amount(value: Any) -> Decimal:
    return value.number if isinstance(value, Quantity) else Decimal(value)


_BINARY = (f"{QUANTITY} {QUANTITY} -> {QUANTITY}", f"{QUANTITY} int -> {QUANTITY}")

FUNCTIONS = (
    free("quantity", quantity, f"string -> {QUANTITY}", cost=traversal),
    free("isQuantity", is_quantity, "string -> bool", cost=traversal),
    member("sign", lambda q: (q.number > 0) - (q.number < 0), f"{QUANTITY} -> int"),
    member("isInteger", is_integer, f"{QUANTITY} -> bool"),
    member("asInteger", as_integer, f"{QUANTITY} -> int"),
    member("asApproximateFloat", lambda q: float(q.number), f"{QUANTITY} -> double"),
    member("add", lambda a, b: Quantity(a.number + _amount(b)), *_BINARY),
    member("sub", lambda a, b: Quantity(a.number - _amount(b)), *_BINARY),
)
