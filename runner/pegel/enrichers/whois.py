"""A conversation with a whois server that knows the origin of prefixes, in bulk, as Team Cymru's does.

Nothing that the server says is believed: an answer counts for an address that was asked about and lies in the
prefix of the answer; how much it may say, and for how long, is bounded.
"""

from __future__ import annotations

import contextlib
import ipaddress
import select
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pegel.enrichers.addresses import base_length, packed, written
from pegel.enrichers.networks import Network, network
from pegel.enrichers.newest import why

MOST = 5000
"""Addresses in one query."""

_BYTES = 512
"""Longest answer, per address asked about; one is about 80 bytes long."""

_FEWEST_BYTES = 64 * 2**10
_PIECE = 64 * 2**10
_PLAUSIBLE = {4: range(8, 33), 16: range(16, 129)}
"""Lengths of prefixes that somebody may announce."""

Connect = Callable[[tuple[str, int], float], socket.socket]
"""Opens a connection within so many seconds."""


class Prefix(NamedTuple):
    """A network prefix.

    Attributes:
        address: Its first address.
        length: Bits that all its addresses share.
    """

    address: bytes
    length: int

    def __str__(self) -> str:
        return f"{written(self.address)}/{self.length}"

    def covers(self, address: bytes) -> bool:
        """Whether an address lies in it."""
        rest = 8 * len(self.address) - self.length
        mine, other = (int.from_bytes(one, "big") >> rest for one in (self.address, address))
        return len(address) == len(self.address) and mine == other


def prefix(text: str) -> Prefix | None:
    """Read a prefix; None for any other text, and for a length that nobody announces."""
    address, _, length = text.partition("/")
    first = packed(address)
    if first is None or not length.isascii() or not length.isdigit() or int(length) not in _PLAUSIBLE[len(first)]:
        return None
    with contextlib.suppress(ValueError):
        return Prefix(ipaddress.ip_network((first, int(length))).network_address.packed, int(length))
    return None


class Origin(NamedTuple):
    """What was said of an address: the prefix that it lies in, and whose that is; None if nobody's."""

    prefix: Prefix
    network: Network | None


@dataclass
class Answer:
    """What a server said.

    Attributes:
        origins: By the address that was asked about.
        complete: The server ended its answer by itself.
        unusable: Lines that are no answer to what was asked.
        trouble: Why there is no more; empty if nothing went wrong.
    """

    origins: dict[bytes, Origin] = field(default_factory=dict)
    complete: bool = False
    unusable: int = 0
    trouble: str = ""


def ask(
    server: tuple[str, int],
    addresses: Sequence[bytes],
    timeout: float,
    connect: Connect = socket.create_connection,
) -> Answer:
    """Ask about addresses, in one connection.

    Args:
        server: Name and port.
        addresses: At most `MOST`.
        timeout: Seconds for all of it.
        connect: Opens the connection.
    """
    deadline = time.monotonic() + timeout
    query = "".join(f"{written(address)}\n" for address in addresses)
    said = bytearray()
    trouble = ""
    try:
        with connect(server, timeout) as connection:
            connection.setblocking(False)
            most = max(_FEWEST_BYTES, _BYTES * len(addresses))
            for piece in _talk(connection, f"begin\nverbose\n{query}end\n".encode(), deadline):
                said += piece
                if len(said) > most:
                    trouble = "it says more than was asked"
                    break
    except TimeoutError:
        trouble = f"no answer within {timeout:g}s"
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that the DNS cannot have
        trouble = why(error)
    answer = understand(bytes(said), frozenset(addresses))
    answer.complete = not trouble
    answer.trouble = trouble or ("" if answer.origins else "it does not answer the question")
    return answer


def reach(server: tuple[str, int], timeout: float = 5.0, connect: Connect = socket.create_connection) -> str:
    """Try a connection; returns why there is none, empty if there is one."""
    try:
        connect(server, timeout).close()
    except TimeoutError:
        return f"no answer within {timeout:g}s"
    except (OSError, UnicodeError) as error:
        return why(error)
    return ""


def _talk(connection: socket.socket, query: bytes, deadline: float) -> Iterator[bytes]:
    """Send a query and give what comes, at the same time: a server that answers early must not wait for us.

    Raises:
        TimeoutError: The time is over.
        OSError: The connection broke.
    """
    waiting = select.poll()
    rest = query
    unheard = False
    while True:
        waiting.register(connection, select.POLLIN | (select.POLLOUT if rest else 0))
        left = deadline - time.monotonic()
        if left <= 0 or not waiting.poll(left * 1000):
            raise TimeoutError
        try:
            rest = rest[connection.send(rest[:_PIECE]) :] if rest else b""
        except BlockingIOError:
            pass
        except OSError:  # it listens no longer, and may have said why
            rest, unheard = b"", True
        with contextlib.suppress(BlockingIOError):
            piece = connection.recv(_PIECE)
            if not piece and (unheard or rest):
                raise ConnectionAbortedError("it hung up before it had heard the question")
            if not piece:
                return
            yield piece


def understand(said: bytes, asked: Collection[bytes]) -> Answer:
    """Read an answer line by line; a last line without an end may be half of one and does not count."""
    answer = Answer()
    for line in said.decode("utf-8", "replace").split("\n")[:-1]:
        found = _row(line)
        if found is None:
            continue
        address, origin = found
        if address not in asked or origin is None or not origin.prefix.covers(address):
            answer.unusable += 1
        elif address not in answer.origins or _rank(origin) > _rank(answer.origins[address]):
            answer.origins[address] = origin
    return answer


def _row(line: str) -> tuple[bytes, Origin | None] | None:
    """The address of a line and what it says of it; None for a line of another kind."""
    parts = [part.strip() for part in line.split("|", 6)]
    address = packed(parts[1]) if len(parts) == 7 else None
    if address is None:
        return None
    number, _, announced, country, _, _, name = parts
    if number == "NA":
        return address, Origin(Prefix(address, base_length(address)), None)
    first = number.split(" ", 1)[0]
    where = prefix(announced)
    if where is None or not (first.isascii() and first.isdigit() and 0 < int(first[:11]) < 2**32):
        return address, None
    return address, Origin(where, network(int(first), name, country))


def _rank(origin: Origin) -> tuple[bool, int, int]:
    """Which of several answers counts: an origin before none, the longest prefix, and of those the lowest number.

    The order of the lines must not matter: a server promises none.
    """
    number = -int(origin.network.asn) if origin.network else 0
    return origin.network is not None, origin.prefix.length, number
