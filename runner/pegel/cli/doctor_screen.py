"""The screen of `pegel doctor`: a line for each finding, and what to do below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pegel.cli.doctor_looks import Finding
from pegel.cli.terminal import Terminal
from pegel.sinks.safe_text import clean


def lines(findings: Sequence[Finding], terminal: Terminal) -> Iterator[str]:
    """All findings, then how many are problems."""
    for one in findings:
        sentence = clean(f"{one.part}: {one.sentence}")
        yield f"{one.level:8} {terminal.bold(sentence) if one.level == 'problem' else sentence}"
        if one.advice:
            yield terminal.dim(f"         {clean(one.advice)}")
    problems = sum(one.level == "problem" for one in findings)
    notes = sum(one.level == "note" for one in findings)
    yield ""
    yield f"{problems} problem{'' if problems == 1 else 's'}, {notes} note{'' if notes == 1 else 's'}"
