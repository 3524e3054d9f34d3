"""What a component answers over HTTP, and where: the runner's web server does the listening."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pegel.secret import Secret


@dataclass(frozen=True)
class Address:
    """A host and a port to listen at."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`.

        Raises:
            ValueError: It is no such address.
        """
        match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", text)
        if match is None or int(match[3]) > 65535:
            raise ValueError(f'"{text}" is no address to listen at; write host and port, such as "127.0.0.1:9464"')
        return cls(match[1] or match[2], int(match[3]))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Asked:
    """A request, as much of it as an answer depends on.

    Attributes:
        headers: By lower-case name.
        client: Address that it came from.
    """

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    client: str = ""


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    """One path at one address.

    Attributes:
        answer: Makes the answer; called on a thread of the web server, several at a time.
        hosts: Further names that a request's `Host` may have, beside the address itself and, on loopback, the
            names of this machine for itself.
        token: What a request has to bring as `Authorization: Bearer ...`; without one nothing is asked for.
    """

    address: Address
    path: str
    answer: Callable[[Asked], Answer]
    methods: Sequence[str] = ("GET", "HEAD")
    hosts: Sequence[str] = ()
    token: Secret | None = None
