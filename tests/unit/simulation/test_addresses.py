"""Addresses and networks that are given out."""

from __future__ import annotations

import pytest

from steersman.simulation.addresses import AddressPool, Exhausted, Networks


def test_addresses_go_round_and_skip_what_is_in_use() -> None:
    pool = AddressPool("10.0.0.0/29")
    pool.mark("10.0.0.3", "z")
    pool.mark("10.0.1.3", "z")
    assert [pool.take("a"), pool.take("b")] == ["10.0.0.2", "10.0.0.4"]
    pool.release("10.0.0.2", "a")
    assert [pool.take("c"), pool.take("d"), pool.take("e")] == ["10.0.0.5", "10.0.0.6", "10.0.0.2"]
    with pytest.raises(Exhausted, match=r"no address of 10\.0\.0\.0/29 is free"):
        pool.take("f")


def test_only_its_owner_gives_an_address_back() -> None:
    pool = AddressPool("10.0.0.0/30")
    address = pool.take("a")
    pool.mark(address, "b")
    pool.release(address, "b")
    with pytest.raises(Exhausted):
        pool.take("c")
    pool.release(address, "a")
    assert pool.take("c") == address


@pytest.mark.parametrize(
    ("network", "first"), [("10.0.0.0/32", "10.0.0.0"), ("10.0.0.0/31", "10.0.0.1"), ("fd00::/64", "fd00::2")]
)
def test_networks_of_any_size(network: str, first: str) -> None:
    assert AddressPool(network).take("a") == first


def test_networks_are_given_out_after_those_in_use() -> None:
    networks = Networks("10.0.0.0/20")
    assert [networks.take(110), networks.take(1), networks.take(300)] == ["10.0.0.0/24", "10.0.1.0/24", "10.0.4.0/22"]
    networks.mark("10.0.8.0/22")
    networks.mark("10.0.13.128/25")
    networks.mark("192.168.0.0/16")
    rest = ["10.0.12.0/24", "10.0.14.0/24", "10.0.15.0/24", "10.0.2.0/24", "10.0.3.0/24", ""]
    assert [networks.take(110) for _ in rest] == rest


def test_whose_range_begins_elsewhere_uses_all_of_it() -> None:
    networks = Networks("10.0.0.0/22", begin=0.5)
    assert [networks.take(110) for _ in range(5)] == [*(f"10.0.{part}.0/24" for part in (2, 3, 0, 1)), ""]
    pool = AddressPool("10.0.0.0/29", begin=0.5)
    assert [pool.take("a") for _ in range(5)] == [f"10.0.0.{last}" for last in (4, 5, 6, 2, 3)]
