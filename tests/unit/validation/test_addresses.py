"""Addresses: those in the usual form are told at a glance, and are the same as those that are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.validation.addresses import address, parse_address

_octets = st.one_of(
    st.integers(0, 300).map(str), st.sampled_from(["00", "01", "010", "", " 1", "1 ", "0x1", "-1", "\u0661"])
)


@given(st.one_of(st.lists(_octets, min_size=1, max_size=5).map(".".join), st.ip_addresses().map(str), st.text()))
def test_an_address_is_what_can_be_read(text: str) -> None:
    assert bool(list(address(text))) == (parse_address(text) is None)


@pytest.mark.parametrize("text", ["10.0.0.1\0", "\ud800", "1.2.3.4%eth0", "::ffff:1.2.3.4", "1.2.3", "1.2.3.4\n"])
def test_odd_texts(text: str) -> None:
    assert bool(list(address(text))) == (parse_address(text) is None)
