"""What the files of a log are called: archives, their age by name, and files that are not ready yet."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from pegel.seams import Files, FileStat

_PACKED = (".gz", ".gzip")
_OTHER_PACKERS = (".xz", ".bz2", ".zst", ".lz4", ".zip", ".tgz", ".tar", ".Z", ".lzma", ".br")
_UNFINISHED = re.compile(r"(~|\.tmp|\.temp|\.part|\.partial|\.filepart|\.new|\.swp)$")
_ROTATED = re.compile(r"[-._](\d[-\d_.:T+Z]*|old|bak|prev|orig|save)$")
_TIME = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)"
    r"(?:[-_.T]?([0-2]\d)(?:[-_.:]?([0-5]\d)(?:[-_.:]?([0-5]\d)(?:[-_.,]?(\d{3,9}))?)?)?)?(?![\d])"
)
_UNIX = re.compile(r"(?<!\d)(1\d{9})(?!\d)")
_NUMBER = re.compile(r"(\d+)\D*$")


@dataclass(frozen=True)
class Entry:
    """An archive in a directory."""

    name: str
    stat: FileStat
    packed: bool

    @property
    def plain_name(self) -> str:
        """The name that it had before it was packed."""
        return plain_name(self.name)


@dataclass(frozen=True)
class Directory:
    """The files of one log as they were at one moment.

    Attributes:
        live: The file behind the live path; None while there is none.
        archives: Oldest first.
        unfinished: Files that somebody is still making (by their name), and those that cannot be looked at:
            name and size, -1 where it is not known.
        foreign: How many archives are packed by something that is not gzip.
    """

    live: FileStat | None
    archives: tuple[Entry, ...] = ()
    unfinished: tuple[tuple[str, int], ...] = ()
    foreign: int = 0


def is_packed_name(name: str) -> bool:
    """Whether a name says that the file is gzip."""
    return name.endswith(_PACKED)


def plain_name(name: str) -> str:
    """An archive's name without the ending that packing added."""
    return next((name[: -len(ending)] for ending in _PACKED if name.endswith(ending)), name)


def is_rotated_name(live: str, name: str) -> bool:
    """Whether a name is what rotation makes of a live path: a number, a time or `old` behind it."""
    bare = plain_name(_UNFINISHED.sub("", name))
    return bare.startswith(live) and _ROTATED.fullmatch(bare[len(live) :]) is not None


def look(files: Files, live: str, archives: Sequence[str], homes: Sequence[str] = ()) -> Directory:
    """Look at the files of a log.

    Args:
        files: The file system.
        live: The live path.
        archives: Patterns of archives; without any they are found by their names.
        homes: Further names of the live path (what a link leads to), with archives of their own.

    Raises:
        OSError: The live path is there but cannot be looked at, or the right to look at an archive is missing.
    """
    # The live file first: what its truncation or disappearance has put into an archive is then surely seen.
    seen = _live_stat(files, live)
    names = _archive_names(files, (live, *homes), archives)
    entries: list[Entry] = []
    unfinished: list[tuple[str, int]] = []
    foreign = 0
    for name in sorted(names - {live, *homes}):
        if name.endswith(_OTHER_PACKERS):
            foreign += 1
        else:
            _sort_in(files, name, entries, unfinished)
    return Directory(seen, _by_age(live, entries), tuple(unfinished), foreign)


def listing(files: Files, listed: Sequence[tuple[str, bool]]) -> Directory:
    """Look at files that were named one by one, oldest first; those that are gone by now are left out."""
    entries: list[Entry] = []
    unfinished: list[tuple[str, int]] = []
    for name, packed in listed:
        try:
            entries.append(Entry(name, files.stat(name), packed))
        except FileNotFoundError:
            continue
        except PermissionError:
            raise  # it is there, and somebody has to open the way to it
        except OSError:
            unfinished.append((name, -1))
    return Directory(None, tuple(entries), tuple(unfinished))


def is_under(files: Files, name: str, roots: Iterable[str]) -> bool:
    """Whether a name, every link followed, leads to a place below one of the directories.

    Raises:
        OSError: The links go in circles.
    """
    real = files.resolve(name)
    return any(real.startswith(files.resolve(root).rstrip("/") + "/") for root in roots)


def _archive_names(files: Files, lives: Iterable[str], archives: Sequence[str]) -> set[str]:
    if archives:
        return {name for pattern in archives for name in files.glob(pattern)}
    found = set()
    for live in lives:
        found |= {name for name in files.glob(glob.escape(live) + "[-._]*") if _looks_rotated(live, name)}
        folder, base = str(PurePath(live).parent), PurePath(live).name
        # Some rotators pack under a hidden name and rename at the end.
        found |= set(files.glob(f"{glob.escape(folder)}/.~{glob.escape(base)}.*"))
    return found


def _looks_rotated(live: str, name: str) -> bool:
    bare = next((name[: -len(ending)] for ending in _OTHER_PACKERS if name.endswith(ending)), name)
    return is_rotated_name(live, bare)


def _is_unfinished(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".~") or _UNFINISHED.search(name) is not None


def _sort_in(files: Files, name: str, entries: list[Entry], unfinished: list[tuple[str, int]]) -> None:
    try:
        stat = files.stat(name)
    except FileNotFoundError:
        return  # renamed or removed since the directory was listed; the next look sees where it is
    except PermissionError:
        raise  # it is there, and somebody has to open the way to it
    except OSError:
        unfinished.append((name, -1))
        return
    if stat.regular and _is_unfinished(name):
        unfinished.append((name, stat.size))
    elif stat.regular:
        entries.append(Entry(name, stat, is_packed_name(name)))


def _live_stat(files: Files, live: str) -> FileStat | None:
    try:
        return files.stat(live)
    except FileNotFoundError:
        return None


def _by_age(live: str, entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Oldest first: by the time in the name, else by its number (the highest is the oldest), else by mtime."""
    suffixes = [_suffix(live, entry) for entry in entries]
    times = [_time_in(suffix) for suffix in suffixes]
    numbers = [_NUMBER.search(suffix) for suffix in suffixes]
    keys: list[tuple[object, ...]]
    if all(times):
        keys = [(time,) for time in times]
    elif all(numbers) and not any(times):
        keys = [(-int(number[1]),) for number in numbers if number]
    else:
        keys = [
            (entry.stat.mtime_ns, -int(number[1]) if number else 0)
            for entry, number in zip(entries, numbers, strict=True)
        ]
    # Of a file and its packed twin the plain one comes first, so that the other is recognised by it.
    order = sorted(range(len(entries)), key=lambda i: (*keys[i], entries[i].packed, entries[i].name))
    return tuple(entries[i] for i in order)


def _suffix(live: str, entry: Entry) -> str:
    name = entry.plain_name
    return name[len(live) :] if name.startswith(live) else PurePath(name).name


def _time_in(suffix: str) -> tuple[str, int] | None:
    """The time in a name as digits, and the number behind it that tells clashes apart."""
    match = _TIME.search(suffix)
    if match is not None:
        digits = "".join(part or "" for part in match.groups())
    else:
        match = _UNIX.search(suffix)
        if match is None:
            return None
        digits = match[1]
    clash = _NUMBER.search(suffix[match.end() :])
    return digits.ljust(23, "0"), int(clash[1]) + 1 if clash else 0
