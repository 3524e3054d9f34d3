"""Addresses as bytes: read strictly, and whether one may be asked about."""

from __future__ import annotations

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
