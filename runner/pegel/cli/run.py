"""`pegel run`: read, count and send, for ever or once."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Annotated

import typer

from pegel.cli.arguments import CONFIG, Config


def run(
    config: Config = CONFIG,
    once: Annotated[
        bool, typer.Option("--once", help="Read and send all there is, then stop; the newest windows stay open.")
    ] = False,
    close: Annotated[bool, typer.Option("--close", help="With --once: close the newest windows too.")] = False,
    patience: Annotated[
        str,
        typer.Option(
            metavar="DURATION", help="With --once: how long a source or a sink may fail before it is given up."
        ),
    ] = "30s",
    accept_state_loss: Annotated[
        bool, typer.Option("--accept-state-loss", help="Begin anew if the state is damaged and has no snapshot.")
    ] = False,
) -> None:
    """Run a configuration until it is stopped (or once: cron mode).

    SIGTERM or Ctrl-C finishes the turn and stops; a second one stops at once. Both are safe. SIGHUP, or a
    changed file, loads the configuration again; a bad one is reported and the old one goes on.

    Under systemd (Type=notify) it says when it is ready, reloading and stopping, and that it is alive.

    Examples:
        pegel run /etc/pegel/config.toml
            The service.
        pegel run --once --patience 50s
            For cron, once a minute: the same points as the service.
        pegel run --once --close
            An old log to its end, the newest windows too.

    Exit codes:
        1: not everything could be read or delivered, or a sink refused points for good (with --once)
    """
    from pegel.cli.notify import Notify
    from pegel.cli.running import Running
    from pegel.cli.stopping import stop_on_signals
    from pegel.units import duration

    if close and not once:
        raise typer.BadParameter("--close needs --once")
    stop = threading.Event()
    notify = Notify.from_environment()
    running = Running(config, stop, accept_state_loss=accept_state_loss, notify=notify)
    stop_on_signals(stop)
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, lambda _number, _frame: running.reload.set())
    if not once:
        running.forever()
        return
    undelivered = running.once(close_all=close, patience=duration(patience))
    if stop.is_set():
        raise typer.Exit(130)
    if undelivered:
        typer.echo(f"not everything could be read or delivered: {undelivered}", err=True)
        raise typer.Exit(1)
