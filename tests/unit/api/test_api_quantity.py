from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import intstr, quantity


@pytest.mark.parametrize(
    ("text", "canonical", "value", "milli"),
    [
        ("1000m", "1", 1, 1000),
        ("0.5", "500m", 1, 500),
        ("1024Ki", "1Mi", 2**20, 2**20 * 1000),
        ("1.5Gi", "1536Mi", 1536 * 2**20, 1536 * 2**20 * 1000),
        ("0.1Ki", "102400m", 103, 102400),
        ("100000", "100k", 100000, 10**8),
        ("1e3", "1e3", 1000, 10**6),
        ("1E3", "1e3", 1000, 10**6),
        ("1E", "1E", 10**18, 10**21),
        ("-1500m", "-1500m", -2, -1500),
        ("0", "0", 0, 0),
        ("0Mi", "0", 0, 0),
        ("0.1n", "1n", 1, 1),
        ("16Ei", "9223372036854775807", 2**63 - 1, (2**63 - 1) * 1000),
        ("5.", "5", 5, 5000),
        ("+3", "3", 3, 3000),
        ("1023Ki", "1023Ki", 1023 * 1024, 1023 * 1024 * 1000),
        ("1000Ki", "1000Ki", 1000 * 1024, 1000 * 1024 * 1000),
        ("512", "512", 512, 512000),
    ],
)
def test_values(text: str, canonical: str, value: int, milli: int) -> None:
    assert quantity.canonical(text) == canonical
    assert quantity.value(text) == value
    assert quantity.milli_value(text) == milli


@pytest.mark.parametrize("text", ["", "x", "1x", "1.2.3", "Ki", "1 Ki", "--1", "1e", "1k1", "\u0661", "9" * 300])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(quantity.QuantityError):
        quantity.parse(text)


SUFFIXES = ["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "e-3", "E2"]


@given(
    st.decimals(min_value=-(10**6), max_value=10**6, places=3, allow_nan=False, allow_infinity=False),
    st.sampled_from(SUFFIXES),
)
def test_the_canonical_text_has_the_same_value_and_is_stable(number: Decimal, suffix: str) -> None:
    text = f"{number:f}{suffix}"
    canonical = quantity.canonical(text)
    assert quantity.parse(canonical) == quantity.parse(text)
    assert quantity.canonical(canonical) == canonical


@given(st.integers(-(2**60), 2**60))
def test_integers_survive_both_notations(number: int) -> None:
    assert quantity.parse(quantity.format_decimal(number)) == number
    assert quantity.parse(quantity.format_binary(number)) == number
    assert quantity.value(quantity.format_binary(number)) == number


@given(st.integers(-(10**9), 10**9))
def test_thousandths_survive(number: int) -> None:
    assert quantity.milli_value(quantity.format_milli(number)) == number


@pytest.mark.parametrize(
    ("value", "total", "up", "result"),
    [("25%", 10, True, 3), ("25%", 10, False, 2), (4, 10, True, 4), ("0%", 10, True, 0), ("100%", 7, False, 7)],
)
def test_percentages(value: int | str, total: int, up: bool, result: int) -> None:
    assert intstr.scaled(value, total, round_up=up) == result


def test_names_are_no_percentages() -> None:
    with pytest.raises(ValueError, match="string is not a percentage"):
        intstr.scaled("http", 10, round_up=True)
