from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegel.enrichers.addresses import packed, written


@given(st.ip_addresses())
def test_every_address_is_read_as_it_is_written(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    assert packed(str(address)) == (mapped or address).packed
    assert packed(address.exploded) == (mapped or address).packed


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    """It comes from a token that anybody can write."""
    address = packed(text)
    assert address is None or packed(written(address)) == address


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_the_form_of_ipv6_is_the_ipv4_address(address: ipaddress.IPv4Address) -> None:
    assert packed(f"::ffff:{address}") == address.packed


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 192.0.2.1",
        "192.0.2.1 ",
        "192.0.2.01",
        "0192.0.2.1",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.1.1",
        "0xc0.0.2.1",
        "3221225985",
        "192.0.2.1/24",
        "192.0.2.1:80",
        "[2001:db8::1]",
        "fe80::1%eth0",
        "2001:db8::1%",
        "2001:db8:::1",
        "2001:db8::12345",
        "::ffff:192.0.2.01",
        "192.0.2.1\0",
        "١٩٢.0.2.1",
        "\ud800",
    ],
)
def test_what_two_programs_may_read_differently_is_no_address(text: str) -> None:
    assert packed(text) is None


def test_one_address_has_one_form() -> None:
    assert written(packed("2001:0DB8:0:0::0001") or b"") == "2001:db8::1"
