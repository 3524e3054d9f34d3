"""`pegel explain`: a record through format, enrichers and metrics, step by step."""

from __future__ import annotations

import gzip
import json
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, cast

import typer

from pegel.cli.arguments import CONFIG, Config, chosen_source
from pegel.cli.terminal import standard_output

_MOST_BYTES = 16 * 2**20
"""Of an input; nobody reads more than that step by step."""


def explain(
    config: Config = CONFIG,
    record: Annotated[str | None, typer.Option(metavar="TEXT", help="The record itself.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file (plain or gzip) that it is in.")] = None,
    line: Annotated[
        str, typer.Option(metavar="N[-M]", help="With --file: the line, or the first and the last one.")
    ] = "",
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Its source, if there are several.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Show the values of private columns too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All steps as JSON.")] = False,
) -> None:
    """Show what becomes of a record, step by step.

    The record comes from --record, from a line of --file, or from standard input; it may have several lines.
    Shown are: what the format makes of it, or where it stops to fit; what each enricher adds or changes; its time;
    and for each metric whether it counts, in which window, under which labels, and what the values of a window
    would be that holds this record alone.

    Nothing is counted or sent, and no server is asked. Values of private columns are shown as ***, since what is
    shown gets copied into messages; --private shows them. At most 20 records are explained.

    Examples:
        tail -1 access.log | pegel explain
            The newest record of a log.
        pegel explain --file access.log --line 1200-1201 --source shop
            A record of two lines.
    """
    from pegel.cli.explain_view import facts, lines
    from pegel.config import load
    from pegel.pipeline.explaining import explain as explained
    from pegel.seams import SystemClock

    plan = load(config)
    chosen = chosen_source(plan.sources, source, "the record is of")
    found = explained(plan, chosen, _input(record, file, line), round(SystemClock().wall() * 1e6))
    if as_json:
        typer.echo(json.dumps(facts(found, private=private), ensure_ascii=False, indent=2, default=str))
        return
    for text in lines(found, standard_output(), private=private):
        typer.echo(text)


def _input(record: str | None, file: Path | None, line: str) -> bytes:
    if record is not None and file is not None:
        raise typer.BadParameter("--record and --file are two inputs; give one")
    if line and file is None:
        raise typer.BadParameter("--line needs --file")
    if record is not None:
        return f"{record}\n".encode("utf-8", "surrogateescape")
    if file is None:
        return sys.stdin.buffer.read(_MOST_BYTES)
    first, last = _range(line)
    try:
        with _opened(file) as stream:
            found = b"".join(islice(stream, first, last)) if line else stream.read(_MOST_BYTES)
    except (OSError, EOFError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}") from error
    if not found:
        raise typer.BadParameter(f"{file} has no line {line}" if line else f"{file} is empty")
    return found


def _range(line: str) -> tuple[int, int]:
    """The first line, counted from 0, and the one behind the last."""
    if not line:
        return 0, 0
    first, _, last = line.partition("-")
    try:
        start, end = int(first), int(last or first)
    except ValueError:
        start, end = 0, 0
    if not 1 <= start <= end:
        raise typer.BadParameter(f'"{line}" is no line; write 12, or 12-14')
    return start - 1, end


def _opened(file: Path) -> BinaryIO:
    with file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return cast("BinaryIO", gzip.open(file)) if packed else file.open("rb")
