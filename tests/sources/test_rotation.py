"""Names of rotated files."""

from __future__ import annotations

import errno
import random

import pytest

from pegel.sources.rotation import is_rotated_name, look
from simulation.world import SimClock, SimFiles
from sources.driving import LOG


def archives(*names: str, at: dict[str, float] | None = None, patterns: tuple[str, ...] = ()) -> list[str]:
    """The archives that a look finds, oldest first, without the part that all share."""
    clock = SimClock()
    files = SimFiles(clock)
    files.create(LOG)
    for name in random.Random(1).sample(names, len(names)):
        clock.step((at or {}).get(name, 0.0))
        files.create(name if name.startswith("/") else LOG + name)
        clock.step(-(at or {}).get(name, 0.0))
    found = look(files, LOG, patterns)
    return [entry.name.removeprefix(LOG) for entry in found.archives]


@pytest.mark.parametrize(
    "oldest_first",
    [
        (".12.gz", ".11.gz", ".3.gz", ".2", ".1"),
        ("-20260101.gz", "-20260228", "-20260301"),
        (".20260303120501234.gz", ".20260303120501234.0.gz", ".20260303120501234.1", ".20260303120501235"),
        (".2026-03-01", ".2026-03-02_01", ".2026-03-02_13.gz"),
        ("-2026030209", "-2026030210", "-20260302105959"),
        ("-1700000000", "-1700003600.gz"),
        ("-20260301T235959Z.gz", "-20260302T000000Z.gz"),
    ],
)
def test_archives_are_ordered_by_time_or_number_in_their_names(oldest_first: tuple[str, ...]) -> None:
    assert archives(*oldest_first) == list(oldest_first)


def test_names_of_several_kinds_are_ordered_by_their_last_write() -> None:
    """A number says nothing about a time."""
    ages = {".1": -50.0, ".old": -90.0, "-20260301": -70.0}
    assert archives(*ages, at=ages) == [".old", "-20260301", ".1"]


def test_a_plain_file_comes_before_its_packed_twin() -> None:
    assert archives(".1.gz", ".1") == [".1", ".1.gz"]


def test_a_file_of_another_log_is_no_archive() -> None:
    """`shop.log.error` or `shop.log-server.log` are logs, and reading them as ours would mix two stories."""
    others = (".error", ".lock", "-server.log", ".1.bak.txt", ".json", "er.1", ".1.d")
    assert archives(".1", *others) == [".1"]


def test_given_patterns_find_archives_anywhere() -> None:
    found = archives(".1", "/srv/old/app-3.txt", "/srv/old/app-2.txt", patterns=("/srv/old/app-*",))
    assert found == ["/srv/old/app-3.txt", "/srv/old/app-2.txt"]


def test_unfinished_and_foreign_files_are_told_apart() -> None:
    clock = SimClock()
    files = SimFiles(clock)
    for name in (".1.gz~", ".2.tmp", ".3.xz", ".4.zst"):
        files.create(LOG + name, b"12")
    files.create("/var/log/.~app.log.20260303120501234.gz", b"123")
    found = look(files, LOG, ())
    assert found.live is None
    assert found.archives == ()
    assert found.unfinished == (
        ("/var/log/.~app.log.20260303120501234.gz", 3),
        (LOG + ".1.gz~", 2),
        (LOG + ".2.tmp", 2),
    )
    assert found.foreign == 2


def test_an_archive_that_cannot_be_looked_at_is_unfinished() -> None:
    files = SimFiles(SimClock())
    files.create(LOG + ".1")
    files.deny(LOG + ".1", errno.EIO)
    assert look(files, LOG, ()).unfinished == ((LOG + ".1", -1),)


def test_a_closed_directory_of_archives_is_an_error() -> None:
    """Were it taken for unfinished, the live file would be read before what is in there."""
    files = SimFiles(SimClock())
    files.create(LOG + ".1")
    files.deny(LOG + ".1")
    with pytest.raises(PermissionError, match=LOG + ".1"):
        look(files, LOG, ())


def test_names_with_wildcards_in_them_are_taken_as_they_are() -> None:
    files = SimFiles(SimClock())
    for name in ("/var/log/a[1].log", "/var/log/a[1].log.1", "/var/log/a1.log.1"):
        files.create(name)
    assert [entry.name for entry in look(files, "/var/log/a[1].log", ()).archives] == ["/var/log/a[1].log.1"]


def test_rotated_names() -> None:
    for name in (".1", ".1.gz", "-20260303.gz", ".20260303120501234.0", ".old", ".2.gz~", ".2026-03-03"):
        assert is_rotated_name(LOG, LOG + name), name
    for name in ("", ".log", ".error.1", "2", ".gz", ".1.txt", "-server"):
        assert not is_rotated_name(LOG, LOG + name), name
