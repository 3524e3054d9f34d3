"""Who listens at a port of this machine."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pegel.listening import Address

_LISTENING = "0A"
"""State of a socket in /proc/net/tcp."""


@dataclass(frozen=True)
class Taken:
    """Somebody listens.

    Attributes:
        process: Its number; None where this user may not see whose socket it is.
        name: Of its program.
    """

    process: int | None = None
    name: str = ""

    def __str__(self) -> str:
        return "a process that only root may see" if self.process is None else f"{self.name} (process {self.process})"


def refusal(address: Address) -> OSError | None:
    """Why nobody could begin to listen at an address now; None if somebody could. It is not listened at."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        return error
    family, kind, protocol, _, place = found[0]
    with socket.socket(family, kind, protocol) as tried:
        try:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the runner itself does
            tried.bind(place)
        except OSError as error:
            return error
    return None


def is_taken(error: OSError) -> bool:
    """Whether somebody else listens, rather than that the address cannot be had at all."""
    return error.errno == errno.EADDRINUSE


def listener(port: int, proc: Path = Path("/proc")) -> Taken | None:
    """Who listens at a port, as far as this user may see; None where nobody does."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    if not sockets:
        return None
    for process in (one for one in proc.iterdir() if one.name.isdecimal()):
        if _holds(process, sockets) or _publishes(process, port):
            return Taken(int(process.name), _name(process))
    return Taken()


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:  # no IPv6 here, or no such table at all
            continue
        for fields in (line.split() for line in lines):
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _holds(process: Path, sockets: set[str]) -> bool:
    try:
        return any(str(one.readlink()) in sockets for one in (process / "fd").iterdir())
    except OSError:  # somebody else's, or it has just ended
        return False


def _publishes(process: Path, port: int) -> bool:
    """Whether it is an engine's process for a published port: root's, but its arguments are for everybody."""
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"docker-proxy") and (b"-host-port", str(port).encode()) in pairwise(words)


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "?"
