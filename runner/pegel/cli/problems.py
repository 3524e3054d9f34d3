"""How problems of a configuration look in a terminal: place, problem, the line, and a caret."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from pegel.config.problems import Problem

_RED, _YELLOW, _BOLD, _DIM, _PLAIN = "\033[31m", "\033[33m", "\033[1m", "\033[2m", "\033[0m"


def print_refusal(problems: Sequence[object], out: TextIO | None = None) -> None:
    """Every problem, and that nothing was started."""
    out = sys.stderr if out is None else out
    print_problems([problem for problem in problems if isinstance(problem, Problem)], out)
    count = len(problems)
    print(f"{count} problem{'s' if count != 1 else ''}; nothing was started", file=out)


def print_problems(problems: Sequence[Problem], out: TextIO, *, warning: bool = False) -> None:
    """Problems one after another; colours only where a person looks."""
    colours = out.isatty()
    for problem in problems:
        print(render(problem, colours=colours, warning=warning), file=out)


def render(problem: Problem, *, colours: bool = False, warning: bool = False) -> str:
    """One problem as text: `file:line:column  path: sentence`, then the line with a caret."""
    mark = _YELLOW if warning else _RED
    kind = "warning: " if warning else ""
    if not colours:
        head = f"{problem.place}  {kind}{problem.sentence}"
    else:
        head = f"{_BOLD}{problem.place}{_PLAIN}  {mark}{kind}{_PLAIN}{problem.sentence}"
    line, _, caret = problem.excerpt.partition("\n")
    if not line:
        return head
    if colours:
        line, caret = f"{_DIM}{line}{_PLAIN}", caret.replace("^", f"{mark}^{_PLAIN}")
    return f"{head}\n    {line}\n    {caret}"
