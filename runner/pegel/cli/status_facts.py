"""The facts that a verdict rests on, gathered beside a running runner."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pegel.pipeline.health import Vitals
from pegel.plan import Plan
from pegel.seams import Clock, Files, SystemClock, SystemFiles
from pegel.sources.identity import FileKey
from pegel.state import bulletin
from pegel.state.lock import holder
from pegel.state.place import database
from pegel.state.report import report


def gather(plan: Plan, *, silent: float = 6 * 3600.0, clock: Clock | None = None, files: Files | None = None) -> Vitals:
    """Look at everything that belongs to a plan.

    Raises:
        StateError: There is a state and it cannot be read.
    """
    directory = plan.runner.state
    clock, files = clock or SystemClock(), files or SystemFiles()
    if database(directory) is None:
        return Vitals(now=clock.wall(), plan=plan, facts=None, silent=silent)
    facts = report(directory)
    for source in facts["sources"]:
        source["unread"] = _unread(source, files)
        source["put_aside"] = _put_aside(source, files)
    return Vitals(
        now=clock.wall(),
        plan=plan,
        facts=facts,
        process=holder(directory),
        said=bulletin.read(directory),
        free=_free(directory),
        silent=silent,
    )


def _unread(source: Mapping[str, Any], files: Files) -> int | None:
    """Bytes behind the cursors of a source; None where its files cannot be looked at."""
    sizes = [_behind(stream, files) for stream in source["streams"] if not stream["done"]]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def _put_aside(source: Mapping[str, Any], files: Files) -> list[dict[str, str]]:
    """Damaged files that were put aside and are still there, and objects, each once, with the reason."""
    mark = "quarantined: "
    found = []
    for stream in source["streams"]:
        fate = str(stream["cursor"].get("fate", ""))
        if fate.startswith(mark):
            places = stream["cursor"].get("files")
            names = [stream["stream"]] if places is None else _still_there(places, files)
            kind = "object" if places is None else "archive"
            found += [{"file": name, "reason": fate.removeprefix(mark), "kind": kind} for name in names]
    return found


def _still_there(places: Sequence[Any], files: Files) -> list[str]:
    """The last name of a file, if it still is that file."""
    return [str(name) for name, *key in places[-1:] if _is_there(str(name), FileKey(*key), files)]


def _is_there(name: str, key: FileKey, files: Files) -> bool:
    try:
        return FileKey.of(files.stat(name)) == key
    except OSError:
        return False


def _behind(stream: Mapping[str, Any], files: Files) -> int | None:
    path = stream["cursor"].get("path")
    if path is None or str(path).endswith(".gz"):
        return None
    try:
        return max(0, files.stat(path).size - int(stream["offset"]))
    except OSError:
        return None


def _free(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
