"""Addresses as bytes: read strictly, and whether one may be asked about."""

from __future__ import annotations

import functools
import ipaddress
import socket

_MAPPED = bytes(10) + b"\xff\xff"


def packed(text: str) -> bytes | None:
    """An address as 4 or 16 bytes, an IPv4 address that is written as IPv6 as 4; None for any other text.

    Leading zeros, zones, ports, prefixes, short forms and blanks are not read: what two programs may read
    differently is no address.
    """
    try:
        if ":" not in text:
            return socket.inet_pton(socket.AF_INET, text)
        address = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):  # ValueError: characters that no address has
        return None
    return address[12:] if address.startswith(_MAPPED) else address


def written(address: bytes) -> str:
    """An address as text, in its one canonical form."""
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)


_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/3"),
        *("::/3", "4000::/2", "8000::/1"),  # all but 2000::/3, of which providers get theirs
        *("2001::/23", "2001:db8::/32", "3fff::/20"),
        "2002::/16",  # has an IPv4 address in its first 48 bits: the base would tell all of it
    )
)
_BITS = {4: 24, 16: 48}


def base(address: bytes) -> bytes:
    """The first address of its /24, or /48 for IPv6: all that anybody else may learn of it."""
    kept = _BITS[len(address)] // 8
    return address[:kept] + bytes(len(address) - kept)


def base_length(address: bytes) -> int:
    """How many bits of an address its base tells."""
    return _BITS[len(address)]


@functools.lru_cache(8192)
def is_public(base: bytes) -> bool:
    """Whether a base can be a provider's: not private, reserved, for documentation, multicast or a tunnel's."""
    number = ipaddress.ip_address(base)
    return not any(number in network for network in _PRIVATE)
