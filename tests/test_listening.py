from __future__ import annotations

import pytest

from pegel.listening import Address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", Address("127.0.0.1", 9464)),
        ("[::1]:80", Address("::1", 80)),
        ("localhost:0", Address("localhost", 0)),
        ("0.0.0.0:9464", Address("0.0.0.0", 9464)),
    ],
)
def test_an_address_reads_and_writes_itself(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["9464", ":9464", "host", "http://host:1", "host:70000", "::1:9464", "a b:1", ""])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r'such as "127\.0\.0\.1:9464"'):
        Address.parse(text)


def test_only_loopback_is_loopback() -> None:
    """What is not loopback is open to others: the difference decides who may ask."""
    inside = [Address.parse(text) for text in ("127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1")]
    outside = [Address.parse(text) for text in ("0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1")]
    assert all(one.loopback for one in inside)
    assert not any(one.loopback for one in outside)
