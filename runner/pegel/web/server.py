"""Listening: one thread for all addresses."""

from __future__ import annotations

import errno
import socket
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pegel.errors import ListenError
from pegel.listening import Address, Endpoint
from pegel.web.patience import Patience

if TYPE_CHECKING:
    from pegel.web.serving import Serving

_QUEUE = 64
"""Connections that may wait to be accepted."""

_FAREWELL = 6.0
"""Seconds until the thread has ended; answers under way have half of it."""


class WebServer:
    """Answers for endpoints from `start` to `stop`; the addresses are taken at `open`, before anything else runs."""

    def __init__(self, endpoints: Iterable[Endpoint], patience: Patience | None = None) -> None:
        self._endpoints: dict[Address, list[Endpoint]] = defaultdict(list)
        for endpoint in endpoints:
            self._endpoints[endpoint.address].append(endpoint)
        self._patience = patience or Patience()
        self._sockets: dict[Address, socket.socket] = {}
        self._serving: Serving | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Take the addresses.

        Raises:
            ListenError: One cannot be had; none is taken then.
        """
        try:
            for address in self._endpoints:
                self._sockets[address] = _bind(address)
        except ListenError:
            self.stop()
            raise

    @property
    def addresses(self) -> Mapping[Address, int]:
        """The addresses with the ports that they have now; port 0 in a configuration means any."""
        return {address: bound.getsockname()[1] for address, bound in self._sockets.items()}

    def start(self) -> None:
        """Answer, on a thread of its own."""
        if self._sockets:
            from pegel.web.serving import Serving  # the libraries behind it are for those who listen

            pairs = [(bound, self._endpoints[address]) for address, bound in self._sockets.items()]
            self._serving = Serving(pairs, self._patience)
            self._thread = threading.Thread(target=self._serving.run, name="web", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finish the answers that are under way, and give the addresses back."""
        if self._serving is not None and self._thread is not None:
            self._serving.stop()
            self._thread.join(timeout=_FAREWELL)
            self._serving = self._thread = None
        for bound in self._sockets.values():
            bound.close()
        self._sockets.clear()


def _bind(address: Address) -> socket.socket:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ListenError(f"cannot listen at {address}: this machine does not know {address.host}") from error
    family, kind, protocol, _, place = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
        bound.listen(_QUEUE)
    except OSError as error:
        bound.close()
        raise ListenError(f"cannot listen at {address}: {_reason(error)}") from error
    return bound


def _reason(error: OSError) -> str:
    """What is in the way, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return "another program does; stop that or choose another port in `listen`"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have that address; `ip address` shows those it has"
    if error.errno == errno.EACCES:
        return "ports below 1024 need a privilege; choose a higher one in `listen`"
    return str(error.strerror or error).lower()
