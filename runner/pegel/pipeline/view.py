"""A view: a sink that shows the committed snapshot, whole, again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from pegel.errors import SinkError
from pegel.pipeline.live import LiveMetric, Shown
from pegel.plan import SinkPlan, takes, wants_own
from pegel.seams import Clock
from pegel.sinks import Point


class View:
    """Keeps one view fresh. Nothing waits for it and nothing is owed to it."""

    def __init__(self, plan: SinkPlan, clock: Clock) -> None:
        self.name = plan.name
        self._plan = plan
        self._clock = clock
        self._log = logging.getLogger(f"pegel.sinks.{plan.name}")
        self._points: list[Point] | None = None
        self._refreshed = float("-inf")
        self._behind = False
        self._held: set[int] = set()
        self._again = False
        self._guard = threading.Lock()
        self.trouble = ""
        self.wake = threading.Event()

    def refresh(self, metrics: Sequence[LiveMetric], own: Callable[[], Sequence[Point]], *, now: bool = False) -> None:
        """Take a new snapshot if it is time; called by the thread of the state after a commit.

        Args:
            metrics: What is counted.
            own: Makes the points about the runner itself.
            now: It is time.
        """
        if not now and not self._is_time:
            self._behind = True
            return
        current = [one for one in metrics if one.standing.until is None and any(map(self._takes, one.shown))]
        points = [point for metric in current for point in metric.snapshot() if takes(self._plan, point.metric)]
        held = {metric.id for metric in current if metric.behind is not None}
        self._again = self._again or bool(self._held - held)
        self._held = held
        self._points = [*points, *own()] if wants_own(self._plan) else points
        self._refreshed = self._clock.monotonic()
        self._behind = False
        self.wake.set()

    def _takes(self, shown: Shown) -> bool:
        return takes(self._plan, shown.metric.name)

    @property
    def overdue(self) -> bool:
        """Whether something was committed that it has not seen, too soon after its last snapshot, and now it is time.

        No other commit may follow for a long while.
        """
        return self._behind and self._is_time

    @property
    def _is_time(self) -> bool:
        return self._clock.monotonic() - self._refreshed >= self._plan.early_interval

    @property
    def busy(self) -> bool:
        """Whether a snapshot was not shown yet."""
        return self._points is not None

    def show(self) -> None:
        """Show the newest snapshot if there is one that was not shown."""
        with self._guard:
            points = self._points
            if points is None:
                return
            again, self._again = self._again, False
            try:
                (self._plan.sink.show_again if again else self._plan.sink.show)(points)
            except SinkError as error:
                self._again = self._again or again
                if not self.trouble:
                    self._log.warning("%s cannot be shown: %s", self.name, error)
                self.trouble = str(error)
                return
            self.trouble = ""
            if self._points is points:
                self._points = None

    def loop(self, stop: threading.Event) -> None:
        """Show snapshots as they come."""
        while not stop.is_set():
            self._clock.wait(self.wake, 1.0)
            self.wake.clear()
            self.show()
