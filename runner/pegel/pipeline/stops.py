"""A place where numbers stop on their way."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Literal

from pegel.plan import Plan, SourcePlan
from pegel.sources.file import File


@dataclass(frozen=True)
class Stop:
    """One place where numbers stop.

    Attributes:
        level: `note` where that may be as it should (nothing is written at night), `problem` where it is not.
        part: Where: `source shop`, `metric users`, `sink influx`, `runner`.
        sentence: Why.
        advice: The next step.
    """

    level: Literal["note", "problem"]
    part: str
    sentence: str
    advice: str


def explain(source: SourcePlan, plan: Plan) -> str:
    """The command that shows what becomes of the newest record of a source."""
    log = shlex.quote(str(source.source.path)) if isinstance(source.source, File) else "LOG"
    named = f" --source {source.name}" if len(plan.sources) > 1 else ""
    return f"tail -1 {log} | pegel explain{named} shows what becomes of the newest one"
