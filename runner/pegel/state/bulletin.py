"""What a running process says of itself, beside its state: when it began, what troubles it, how it ended.

The state has what is committed; what a process only tries (a sink that refuses, a log that cannot be read) is
not in it. This small file says so to `pegel status`. It is written when something changes and never else.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pegel.seams import Clock

FILE_NAME = "runner.json"

Part = tuple[str, str]
"""Kind and name of what may be in trouble."""

log = logging.getLogger("pegel.runner")


@dataclass(frozen=True)
class Trouble:
    """What does not work at the moment.

    Attributes:
        kind: `source`, `sink`, `state` or `config`.
        name: Of the source or sink.
        sentence: What is wrong.
        since: Seconds since 1970.
        waiting: It is held back on purpose, which is no failure.
    """

    kind: str
    name: str
    sentence: str
    since: float = 0.0
    waiting: bool = False


@dataclass(frozen=True)
class Said:
    """The newest bulletin of a state directory; times in seconds since 1970.

    Attributes:
        mode: `service` runs until it is stopped, `once` reads all there is (cron).
        former: When the process before this one began.
        ended: None while it runs, or if it died.
        result: What a run that ended could not read or deliver.
        troubles: What did not work when it was last asked.
    """

    pid: int
    mode: Literal["service", "once"]
    began: float
    former: float | None = None
    ended: float | None = None
    result: str = ""
    troubles: tuple[Trouble, ...] = field(default=())


def read(directory: Path) -> Said | None:
    """The newest bulletin; None where there is none that can be read."""
    try:
        facts: dict[str, Any] = json.loads((directory / FILE_NAME).read_text(encoding="utf-8"))
        return Said(**{**facts, "troubles": tuple(Trouble(**one) for one in facts["troubles"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


class Bulletin:
    """Writes the bulletin of one process; used by the thread of the state."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._path = directory / FILE_NAME
        self._clock = clock
        former = read(directory)
        self._since = {(one.kind, one.name): one.since for one in former.troubles} if former else {}
        self._former = former.began if former else None
        self._facts: dict[str, Any] = {}
        self._refused = False

    def begin(self, mode: Literal["service", "once"]) -> None:
        """A process has started on this state.

        What troubled the one before it is not forgotten: where it is met again, it goes on since then.
        """
        said = Said(os.getpid(), mode, self._clock.wall(), self._former)
        self._facts = {**asdict(said), "troubles": []}
        self._write()

    def tell(self, troubles: Mapping[Part, tuple[str, bool]], fine: Collection[Part]) -> None:
        """Say what does not work now; written only if that is news.

        Args:
            troubles: A sentence for each part that does not work, and whether it is held back on purpose.
            fine: Parts that are known to work. What is in neither was not tried yet: an old trouble may go on.
        """
        now = self._clock.wall()
        rows = []
        for part, (sentence, waiting) in sorted(troubles.items()):
            since = self._since.setdefault(part, now)
            rows.append(asdict(Trouble(*part, sentence, since, waiting)))
        for part in fine:
            self._since.pop(part, None)
        if rows != self._facts["troubles"]:
            self._facts["troubles"] = rows
            self._write()

    def end(self, result: str = "") -> None:
        """The process stops on purpose."""
        self._facts.update(ended=self._clock.wall(), result=result)
        self._write()

    def _write(self) -> None:
        """Replace the file as a whole; it is not worth stopping for."""
        fresh = self._path.with_suffix(".json-new")
        try:
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "w", encoding="utf-8") as file:  # noqa: PTH123 - the descriptor has the mode
                json.dump(self._facts, file, ensure_ascii=False)
            fresh.replace(self._path)
        except OSError as error:
            if not self._refused:
                log.warning("pegel status will not know how this runner is: %s", error)
            self._refused = True
