"""The files of a source, as `pegel doctor` finds them: which there are, and whether they can be read."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from pegel.cli.findings import Finding
from pegel.cli.rights import Rights
from pegel.pipeline.health import ago
from pegel.plan import SourcePlan
from pegel.seams import Files
from pegel.sources import LogFile
from pegel.sources.file import File
from pegel.units import show_size

_QUIET = 86400.0
"""Seconds without a change after which a live log is worth a note."""

_OOKLA = "ooklaserver-access"
_OOKLA_ADVICE = (
    "the server writes no access log unless told: in OoklaServer.properties remove the # before the lines"
    " logging.loggers.access.*, and restart it (docs/jobs/ookla.md, step 1)"
)


def file_findings(source: SourcePlan, files: Files, rights: Rights, now: float) -> Iterator[Finding]:
    """What there is for a source to read."""
    part = f"source {source.name}"
    if not isinstance(source.source, File):
        yield Finding("ok", part, "it reads no files")
        return
    path = Path(source.source.path)
    door = rights.closed_door(path)
    if door is not None:
        yield Finding("problem", part, f"{rights.name} may not pass the directory {door}", _open_door(door, rights))
        return
    try:
        found = source.source.found(files)
    except OSError as error:
        yield Finding("problem", part, f"{path} cannot be looked at: {error.strerror or error}", "mend the path")
        return
    yield from _live(part, path, [one for one in found if one.live], now)
    yield from _archives(part, [one for one in found if not one.live])
    closed = [Path(one.name) for one in found if not rights.may_read(Path(one.name))]
    if closed:
        names = f"{closed[0]} and {len(closed) - 1} more" if len(closed) > 1 else f"{closed[0]}"
        yield Finding("problem", part, f"{rights.name} may not read {names}", _open_files(closed, rights))


def _live(part: str, path: Path, found: Sequence[LogFile], now: float) -> Iterator[Finding]:
    if not found:
        advice = (
            _OOKLA_ADVICE if path.name.startswith(_OOKLA) else "is the path right, and does anything write there yet?"
        )
        yield Finding("problem", part, f"there is no log {path}", advice)
    for one in found:
        age = max(0.0, now - one.stat.mtime_ns / 1e9)
        sentence = f"{one.name}, {show_size(one.stat.size)}, last written {ago(age)}"
        if age > _QUIET:
            yield Finding("note", part, sentence, "does anything still write there?")
        else:
            yield Finding("ok", part, sentence)


def _archives(part: str, found: Sequence[LogFile]) -> Iterator[Finding]:
    if found:
        size = show_size(sum(one.stat.size for one in found))
        packed = sum(one.packed for one in found)
        yield Finding("ok", part, f"{len(found)} archives ({packed} packed), {size}, the newest is {found[-1].name}")


def _open_door(door: Path, rights: Rights) -> str:
    if rights.contained:
        return _from_outside([door], 0o010, rights)
    return f"as root: setfacl -m u:{rights.name}:rX {door}   (or chmod o+x, if anybody may pass)"


def _pattern(names: Sequence[str]) -> str:
    """The files of one directory, as a shell takes them."""
    if len(names) == 1:
        return shlex.quote(names[0])
    return shlex.quote(os.path.commonprefix(names)) + "*"  # noqa: RUF071 - it is characters that a pattern has in common


def _open_files(paths: Sequence[Path], rights: Rights) -> str:
    """How to get the right to read all of the files, and those that rotation will make."""
    if rights.contained:
        return _from_outside(paths, 0o040, rights)
    name = rights.name
    commands = []
    for folder in dict.fromkeys(path.parent for path in paths):
        mine = [str(path) for path in paths if path.parent == folder]
        door = shlex.quote(str(folder))
        commands += [f"setfacl -m u:{name}:r {_pattern(mine)}", f"setfacl -m u:{name}:rX,d:u:{name}:rX {door}"]
    acl = " && ".join(commands)
    groups = {rights.group_of(path) if path.stat().st_mode & 0o040 else "root" for path in paths}
    if len(groups) == 1 and "root" not in groups:
        return f"as root: usermod -aG {groups.pop()} {name} (then start it again), or {acl}"
    return (
        f"as root: {acl}; new files follow the directory, unless they are made with mode 0600 (logrotate: create 0640)"
    )


def _from_outside(paths: Sequence[Path], bit: int, rights: Rights) -> str:
    """A container has neither the tools nor the names of its host, and may call the place differently."""
    user, found = rights.user, [path.stat() for path in paths]
    acl = f"setfacl -R -m u:{user}:rX DIRECTORY && setfacl -m d:u:{user}:rX DIRECTORY"
    host = f"on the host, as root, for the directory that is mounted here: {acl}"
    groups = {one.st_gid if one.st_mode & bit else 0 for one in found}
    if len(groups) == 1 and 0 not in groups:
        return f'give the container its group, in compose.override.yaml: group_add: ["{groups.pop()}"]; or {host}'
    return host
