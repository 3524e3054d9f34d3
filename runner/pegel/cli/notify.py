"""What a service manager is told: ready, reloading, stopping, alive (the protocol of systemd's Type=notify)."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, MutableMapping

from pegel.seams import Clock, SystemClock

log = logging.getLogger("pegel.service")

Send = Callable[[str], None]


class Notify:
    """Tells the service manager how we are; where there is none, nothing happens.

    Args:
        send: Delivers a message; None where nobody listens.
        watchdog: Seconds after which a service that says nothing is taken for dead; None if nobody watches.
        clock: Of the time between two signs of life.
    """

    def __init__(self, send: Send | None = None, watchdog: float | None = None, clock: Clock | None = None) -> None:
        self._send = send
        self._interval = None if watchdog is None else watchdog / 3
        self._clock = clock or SystemClock()
        self._last_sign = float("-inf")

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] | None = None) -> Notify:
        """As the service manager set it up; its variables are taken away, so that no child speaks in our name."""
        environ = os.environ if environ is None else environ
        address = environ.pop("NOTIFY_SOCKET", "")
        watchdog, watched = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        ours = watched in ("", str(os.getpid()))
        seconds = int(watchdog) / 1e6 if watchdog.isdigit() and ours else None
        return cls(_to(address) if address else None, seconds)

    def ready(self, status: str) -> None:
        """What was asked for is running; `status` is a sentence for people."""
        self._say(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """A new configuration takes the place of the old one; `ready` ends it."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic() * 1e6)}")

    def stopping(self) -> None:
        """The last turn is being finished."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """A sign of life; may be given as often as one likes, three in the time of the watchdog are sent."""
        if self._interval is None:
            return
        now = self._clock.monotonic()
        if now - self._last_sign >= self._interval:
            self._last_sign = now
            self._say("WATCHDOG=1")

    def _say(self, message: str) -> None:
        if self._send is None:
            return
        try:
            self._send(message)
        except OSError as error:
            log.warning("the service manager cannot be told anything: %s", error)
            self._send = None


def _to(address: str) -> Send:
    """What sends datagrams to a socket; `@` begins a name that is no file."""
    name = "\0" + address[1:] if address.startswith("@") else address

    def send(message: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
            connection.sendto(message.encode(), name)

    return send
