"""A configuration at work: loaded, run, and loaded again when it changes."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from pegel import logs
from pegel.config import load
from pegel.errors import ConfigError
from pegel.pipeline import Runner
from pegel.pipeline.service import Service
from pegel.plan import Plan

log = logging.getLogger("pegel.config")

_LOOK = 2.0
"""Seconds between two looks at the configuration files."""


class Running:
    """Runs the plan of a file; `stop` ends it, `reload` loads the file again."""

    def __init__(self, config: Path, stop: threading.Event, *, accept_state_loss: bool = False) -> None:
        self._config = config
        self._stop = stop
        self._accept_state_loss = accept_state_loss
        self.reload = threading.Event()

    def forever(self) -> None:
        """Run until stopped; a changed configuration takes the place of the old one between two turns.

        Raises:
            ConfigError: The first configuration is refused.
            StateError: The state cannot be used.
        """
        plan = load(self._config)
        logs.set_up(plan.runner.log_level, plan.runner.log_format)
        while not self._stop.is_set():
            plan = self._run(plan)

    def once(self, *, close_all: bool, patience: float) -> str:
        """Read and send all there is; returns what could not be delivered."""
        plan = load(self._config)
        logs.set_up(plan.runner.log_level, plan.runner.log_format)
        runner = Runner(plan, accept_state_loss=self._accept_state_loss)
        runner.open()
        try:
            return Service(runner, self._stop).run_once(close_all=close_all, patience=patience)
        finally:
            runner.close()

    def _run(self, plan: Plan) -> Plan:
        """Run a plan until it is stopped or replaced; returns the next one."""
        pause = threading.Event()
        replacement: list[Plan] = []
        watcher = threading.Thread(target=self._watch, args=(pause, replacement), daemon=True)
        runner = Runner(plan, accept_state_loss=self._accept_state_loss)
        runner.open()
        try:
            watcher.start()
            Service(runner, pause).run()
        finally:
            pause.set()
            runner.close()
        return replacement[0] if replacement else plan

    def _watch(self, pause: threading.Event, replacement: list[Plan]) -> None:
        """Set `pause` when the plan has to stop: for good, or for a new one."""
        seen = self._stamp()
        while not pause.is_set():
            if self._stop.wait(_LOOK):
                pause.set()
                return
            stamp = self._stamp()
            if stamp == seen and not self.reload.is_set():
                continue
            seen = stamp
            self.reload.clear()
            try:
                replacement.append(load(self._config))
            except ConfigError as error:
                log.error("the changed configuration is refused, the old one goes on:\n%s", error)
                continue
            log.info("the configuration has changed and is loaded")
            pause.set()

    def _stamp(self) -> tuple[tuple[str, int], ...]:
        """What the configuration files look like from outside."""
        files = [self._config, *sorted(self._config.parent.glob("conf.d/*.toml"))]
        return tuple((str(file), file.stat().st_mtime_ns) for file in files if file.exists())
