"""Where a server is, and whether it may be asked: the same for what is sent and for what is fetched."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PORTS = {"http": 80, "https": 443}
"""Of a scheme, where an address does not say another."""

_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254")})
"""Where clouds hand out credentials, beside the link-local addresses."""

Address = tuple[Any, ...]
"""What `socket.connect` takes."""

Resolve = Callable[[str, int], Sequence[tuple[int, Address]]]
"""From a host and a port to (family, address); raises OSError."""


@dataclass(frozen=True)
class Trust:
    """Whom to believe, and where not to go.

    Attributes:
        ca_file: Certificates of the authorities to trust, in the place of the system's.
        verify: Certificates are looked at.
        link_local: Link-local addresses are meant.
        cert_file: Certificate by which the server knows us (PEM, with those that vouch for it).
        key_file: Its key; None where that is in the same file.
    """

    ca_file: Path | None = None
    verify: bool = True
    link_local: bool = False
    cert_file: Path | None = None
    key_file: Path | None = None

    def allowed(self, found: Sequence[tuple[int, Address]]) -> Sequence[tuple[int, Address]]:
        """Those of a host's addresses that may be asked."""
        return [one for one in found if self.link_local or not _is_link_local(one[1])]


def refused(place: str) -> str:
    """The sentence about a server none of whose addresses may be asked."""
    return (
        f"{place} is a link-local address, where clouds hand out credentials;"
        " say allow_link_local = true if it is meant"
    )


def resolve(host: str, port: int) -> Sequence[tuple[int, Address]]:
    """Ask this machine where a host is."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def _is_link_local(address: Address) -> bool:
    found = ipaddress.ip_address(str(address[0]).partition("%")[0])
    plain = (found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None) or found
    return plain.is_link_local or plain in _METADATA
