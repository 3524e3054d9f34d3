"""The sample logs: reproducible, true in form, and with the fixed shares that the benchmark promises."""

from __future__ import annotations

import gzip
import re
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from pegel.samples import ookla
from pegel.samples.ookla_log import PROFILES, records
from pegel.samples.rotation import Rotation

SHIPPED = Path(ookla.__file__).parents[1] / "presets" / "samples" / "ookla"
NOON = 1_772_539_200.0
GUID = re.compile(rb"[?&]guid(?:=|%3D)([0-9a-f-]{36})(?:[& ]|$)")


def lines_of(profile: str, count: int, seed: int = 1) -> list[bytes]:
    return [line for _, line in islice(records(seed, NOON, PROFILES[profile]), count)]


def request_of(record: bytes) -> bytes:
    return record.split(b'"')[1].replace(b"\r", b"").replace(b"\n", b"")


def is_hello(record: bytes) -> bool:
    return request_of(record).startswith(b"HI ")


@pytest.fixture(scope="module")
def bench() -> list[bytes]:
    return lines_of("bench", 20_000)


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert lines_of("dirty", 2000) == lines_of("dirty", 2000)
    assert lines_of("dirty", 2000) != lines_of("dirty", 2000, seed=2)


def test_the_shipped_sample_is_what_its_documented_command_makes(tmp_path: Path) -> None:
    """A sample that nobody can make again cannot be changed, only replaced."""
    command = re.search(r"--records 2850.*?--rotate \S+", ookla.__doc__ or "", re.DOTALL)
    assert command is not None
    ookla.main(["--out", str(tmp_path), *command[0].replace("\\\n", " ").split()])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in SHIPPED.glob(f"{ookla.LOG_NAME}*")
    )
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (SHIPPED / path.name).read_bytes(), path.name


def test_the_shipped_sample_is_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 300_000


def test_of_every_ten_benchmark_records_exactly_one_is_a_hello(bench: list[bytes]) -> None:
    hellos = [is_hello(record) for record in bench]
    assert all(sum(hellos[start : start + 10]) == 1 for start in range(0, len(hellos), 10))


def test_four_percent_of_the_benchmark_hellos_stretch_over_lines(bench: list[bytes]) -> None:
    wrapped = [record.count(b"\n") > 1 for record in bench if is_hello(record)]
    assert all(sum(wrapped[start : start + 25]) == 1 for start in range(0, len(wrapped), 25))
    assert all(record.count(b"\n") == 1 for record in bench if not is_hello(record))


def test_a_benchmark_log_has_three_test_ids_for_every_ten_records(bench: list[bytes]) -> None:
    guids = {match[1] for record in bench if (match := GUID.search(request_of(record)))}
    guids |= {request_of(record)[3:39] for record in bench if is_hello(record)}
    assert len(guids) == 3 * len(bench) // 10


def test_benchmark_records_have_the_size_of_real_ones(bench: list[bytes]) -> None:
    assert 320 <= sum(map(len, bench)) / len(bench) <= 400


def test_a_dirty_log_has_every_kind_of_fault() -> None:
    log = b"".join(lines_of("dirty", 20_000))
    for fault in (b"\r\n", b"\0\0\0", b"\xff\xfe", b"\n# Log file", b" +0100]", b"%3D", b'"Tab 7"'):
        assert fault in log, fault
    assert re.search(rb"\nWS/1.0", log)
    assert re.search(rb'"HI [0-9a-f-]{36} WS/1.0"', log)


def test_times_of_writing_never_go_back() -> None:
    times = [moment for moment, _ in islice(records(5, NOON, PROFILES["dirty"]), 5000)]
    assert times == sorted(times)


def test_the_evening_is_busier_than_the_morning() -> None:
    def minutes(start: float) -> int:
        return sum(1 for _ in _until(start, start + 600))

    def _until(start: float, end: float) -> Iterator[float]:
        for moment, _ in records(1, start, PROFILES["clean"]):
            if moment >= end:
                return
            yield moment

    assert minutes(NOON + 7.5 * 3600) > 2 * minutes(NOON - 4.5 * 3600)


class StopWhenWaiting(threading.Event):
    """Set as soon as somebody waits for it: once the past is written."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return super().wait(timeout)


def test_a_live_log_begins_with_the_past(tmp_path: Path) -> None:
    """The demo has half an hour of numbers to show at once."""
    begun = time.time()
    ookla.follow(tmp_path, 1, 600.0, PROFILES["dirty"].at_rate(5), Rotation(limit=200_000), StopWhenWaiting())
    log = b"".join(gzip.decompress(path.read_bytes()) for path in sorted(tmp_path.glob("*.gz")))
    log += (tmp_path / ookla.LOG_NAME).read_bytes()
    assert len(log) > 200_000
    assert f"[{time.strftime('%d/%b/%Y:%H:%M', time.gmtime(begun - 590))}".encode() in log
