"""`pegel demo`: the speed-test job on invented data, live."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pegel.cli.terminal import Terminal, standard_output

if TYPE_CHECKING:
    from pegel.sinks import Point

CONFIG = """\
# The whole configuration of this demonstration.
[runner]
state = "{directory}/state"

[[sources]]
name = "ookla"
preset = "ookla"
path = "{directory}/log/ooklaserver-access.log"

[[sinks]]
type = "local"
"""

METRIC = "ookla_speedtest_minutely"
_MINUTES = 30
_FRAME = 1.0
"""Seconds between two pictures on a terminal."""
_LINE = 5.0
"""Seconds between two lines in a pipe."""


def demo(
    seconds: Annotated[float | None, typer.Option(help="Stop by itself after so many seconds.")] = None,
    directory: Annotated[Path | None, typer.Option("--dir", help="Keep log, state and config here.")] = None,
    rate: Annotated[int, typer.Option(help="Log records a second.")] = 60,
) -> None:
    """Watch the speed-test job on invented data.

    A made-up speed-test server writes its access log, with records over several lines, dirt, rotation and
    compression; a runner counts it under your eyes. Ctrl-C ends both.

    Examples:
        pegel demo
            Until Ctrl-C.
        pegel demo --seconds 30 --dir demo
            Half a minute; log, state and configuration stay in demo.
    """
    with ExitStack() as stack:
        if directory is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pegel-demo-")))
            kept = False
        else:
            kept = True
        log = directory / "log"
        log.mkdir(parents=True, exist_ok=True)
        config = directory / "config.toml"
        config.write_text(CONFIG.format(directory=directory.resolve()), encoding="utf-8")
        stack.enter_context(_child("pegel.samples.ookla", "--live", "--out", str(log), "--past", f"{_MINUTES}m",
                                   "--rate", str(rate), "--rotate", "512KiB", "--profile", "dirty"))  # fmt: skip
        stack.enter_context(_child("pegel", "run", str(config)))
        with contextlib.suppress(KeyboardInterrupt):
            _watch(directory, standard_output(), seconds)
    typer.echo(_farewell(config if kept else None))


@contextlib.contextmanager
def _child(module: str, *arguments: str) -> Iterator[None]:
    """Run one of our modules beside us; it is asked to stop at the end, and waited for."""
    process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us; we pass it on in order
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _watch(directory: Path, terminal: Terminal, seconds: float | None) -> None:
    """Show what the runner has counted, until the time is over."""
    begun = time.monotonic()
    drawn = 0
    while seconds is None or time.monotonic() - begun < seconds:
        if terminal.width is None:
            _rest(_LINE, begun, seconds)
            typer.echo(_line(directory))
            continue
        lines = _picture(directory, terminal)
        up = f"\x1b[{drawn}F" if drawn else ""
        typer.echo(up + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[0J", nl=False)
        drawn = len(lines)
        _rest(_FRAME, begun, seconds)


def _rest(pause: float, begun: float, seconds: float | None) -> None:
    left = pause if seconds is None else min(pause, max(0.0, seconds - (time.monotonic() - begun)))
    signal.sigtimedwait([], left)


def _picture(directory: Path, terminal: Terminal) -> list[str]:
    """The last half hour as charts, and how the runner is."""
    from pegel.cli.points_view import charts
    from pegel.cli.timelines import timelines

    points = _points(directory)
    told = "a made-up speed-test server, counted live; Ctrl-C ends it"
    title = f"{terminal.bold('pegel demo')}  {terminal.dim(told)}"
    if len(points) < 2:
        return [title, "", "reading the last half hour of its log ..."]
    shown = timelines([_only(point, ("tests", "users")) for point in points])
    facts = _facts(directory)
    return [title, "", *charts(shown, terminal, height=7), "", *(terminal.dim(line) for line in facts)]


def _line(directory: Path) -> str:
    points = _points(directory)
    newest = "catching up with the past half hour"
    if points:
        values = ", ".join(f"{value} {name}" for name, value in points[-1].values.items())
        newest = f"{len(points)} minutes, newest: {values}"
    return f"{newest}; {'; '.join(_facts(directory))}"


def _only(point: Point, names: Sequence[str]) -> Point:
    from dataclasses import replace

    return replace(point, values={name: point.values[name] for name in names if name in point.values})


def _points(directory: Path) -> list[Point]:
    from pegel.errors import PegelError
    from pegel.sinks.local_points import LocalPoints

    since = round((time.time() - (_MINUTES + 1) * 60) * 1e6)
    try:
        with LocalPoints(directory / "state" / "points.db") as store:
            return store.points(METRIC, since_us=since)
    except (FileNotFoundError, PegelError):  # the runner has not come so far
        return []


def _facts(directory: Path) -> list[str]:
    """What the state says: records, rejects by reason, rotations, how far it is."""
    from pegel.errors import PegelError
    from pegel.state.report import report

    try:
        facts = report(directory / "state")
    except PegelError:
        return ["the runner is starting"]
    counters = facts["counters"]
    records = _sum(counters, "records_total")
    rejected = [(one["value"], one["labels"]["reason"]) for one in counters if one["name"] == "rejects_total"]
    rejects = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for count, reason in rejected)
    archives = len(list((directory / "log").glob("*.gz")))
    size = sum(file.stat().st_size for file in (directory / "log").iterdir())
    return [
        f"{records:,} records counted exactly once; rejected: {rejects or 'none'}",
        f"{archives} compressed archives beside the live log ({size / 1e6:.1f} MB), {_behind(facts)}",
    ]


def _sum(counters: Sequence[dict[str, Any]], name: str) -> int:
    return sum(one["value"] for one in counters if one["name"] == name)


def _behind(facts: dict[str, Any]) -> str:
    watermark = next((source["watermark"] for source in facts["sources"]), None)
    if watermark is None:
        return "no watermark yet"
    return f"watermark {max(0.0, time.time() - watermark / 1e6):.0f} s behind now"


def _farewell(config: Path | None) -> str:
    if config is None:
        return "The log and the numbers are gone. Keep them next time:  pegel demo --dir demo"
    return (
        f"Everything is in {config.parent}. Look around:\n"
        f"  pegel points {config} {METRIC}\n"
        f"  pegel points {config} ookla_speedtest_device_minutely --by model\n"
        f"  pegel state {config}\n"
        "and begin with your own log:  pegel init --preset ookla"
    )
