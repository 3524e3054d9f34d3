"""Signals become events: a command finishes what it does and stops."""

from __future__ import annotations

import os
import signal
import threading


def stop_on_signals(stop: threading.Event) -> None:
    """Set `stop` at SIGTERM and Ctrl-C; a second one does not wait."""

    def on_stop(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, on_stop)
