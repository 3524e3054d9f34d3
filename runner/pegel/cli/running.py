"""A configuration at work: loaded, run, and loaded again when it changes."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from pegel import logs
from pegel.cli.health import with_health
from pegel.cli.notify import Notify
from pegel.cli.scaling import crew
from pegel.config import load
from pegel.errors import ConfigError, ListenError, StateError
from pegel.memory import settle
from pegel.pipeline import Runner
from pegel.pipeline.refusals import refused_so_far
from pegel.pipeline.service import Service
from pegel.plan import Plan
from pegel.web import WebServer

log = logging.getLogger("pegel.config")

_LOOK = 2.0
"""Seconds between two looks at the configuration files."""


class Running:
    """Runs the plan of a file; `stop` ends it, `reload` loads the file again, `notify` hears of both."""

    def __init__(
        self, config: Path, stop: threading.Event, *, accept_state_loss: bool = False, notify: Notify | None = None
    ) -> None:
        self._config = config
        self._stop = stop
        self._accept_state_loss = accept_state_loss
        self._notify = notify or Notify()
        self.reload = threading.Event()

    def forever(self) -> None:
        """Run until stopped; a changed configuration takes the place of the old one between two turns.

        Raises:
            ConfigError: The first configuration is refused.
            StateError: The state cannot be used.
        """
        plan = load(self._config)
        logs.set_up(plan.runner.log_level, plan.runner.log_format)
        settle()
        former: Plan | None = None
        while not self._stop.is_set():
            plan, former = self._run(plan, former)

    def once(self, *, close_all: bool, patience: float) -> str:
        """Read and send all there is; returns what could not be delivered, now or ever."""
        plan = load(self._config)
        logs.set_up(plan.runner.log_level, plan.runner.log_format)
        settle()
        runner = Runner(plan, accept_state_loss=self._accept_state_loss, hands=crew(plan))
        runner.open()
        try:
            former = refused_so_far(runner.state.counters())
            left = Service(runner, self._stop).run_once(close_all=close_all, patience=patience)
            refused = refused_so_far(runner.state.counters()) - former
        finally:
            runner.close()
        lost = [f"{sink} refused {count:,} points for good (pegel sinks shows them)" for sink, count in refused.items()]
        return "; ".join(filter(None, [left, *lost]))

    def _opened(self, plan: Plan, former: Plan | None) -> tuple[Runner, WebServer, Plan]:
        """What runs a plan, or the former one where the state or an address refuses the new one."""
        hands = crew(plan)
        runner = Runner(plan, accept_state_loss=self._accept_state_loss, hands=hands)
        web = WebServer(with_health(plan))
        try:
            web.open()
            try:
                runner.open()
            except StateError:
                web.stop()
                raise
        except (StateError, ListenError) as error:
            if hands is not None:
                hands.close()
            if former is None:
                raise
            log.error("the changed configuration cannot run, the old one goes on: %s", error)
            runner, web, plan = self._opened(former, None)
            runner.refused = str(error)
        return runner, web, plan

    def _run(self, plan: Plan, former: Plan | None) -> tuple[Plan, Plan]:
        """Run a plan until it is stopped or replaced; returns the next one and the one that ran."""
        pause = threading.Event()
        replacement: list[Plan] = []
        runner, web, plan = self._opened(plan, former)
        watcher = threading.Thread(target=self._guard, args=(pause, replacement, runner), daemon=True)
        try:
            watcher.start()
            web.start()
            self._notify.ready(_in_words(plan))
            Service(runner, pause).run(self._notify.alive)
        finally:
            pause.set()
            web.stop()
            runner.close()
        return (replacement[0] if replacement else plan), plan

    def _guard(self, pause: threading.Event, replacement: list[Plan], runner: Runner) -> None:
        """Watch; if that fails, the plan is started again and watched anew, for nobody else hears a signal."""
        try:
            self._watch(pause, replacement, runner)
        finally:
            pause.set()

    def _watch(self, pause: threading.Event, replacement: list[Plan], runner: Runner) -> None:
        """Set `pause` when the plan has to stop: for good, or for a new one."""
        seen = self._stamp()
        while not pause.is_set():
            if self._stop.wait(_LOOK):
                self._notify.stopping()
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
                for problem in error.problems:
                    log.error("the changed configuration is refused, the old one goes on: %s", problem)
                runner.refused = _first_of(error)
                continue
            log.info("the configuration has changed and is loaded")
            self._notify.reloading()
            pause.set()

    def _stamp(self) -> tuple[tuple[str, int], ...]:
        """What the configuration files look like from outside."""
        files = [self._config, *sorted(self._config.parent.glob("conf.d/*.toml"))]
        return tuple((str(file), _changed(file)) for file in files)


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0  # it is being replaced, or is gone: loading says which


def _first_of(error: ConfigError) -> str:
    """The first problem, and how many there are."""
    first, *more = error.problems
    return f"{first} (and {len(more)} more)" if more else f"{first}"


def _in_words(plan: Plan) -> str:
    sources, sinks = (", ".join(one.name for one in part) for part in (plan.sources, plan.sinks))
    return f"{len(plan.metrics)} metrics of {sources} to {sinks}"
