"""The sample objects: reproducible, true in form, and with the fixed shares that the benchmark promises."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from pegel.samples import cdn77
from pegel.samples.cdn77 import Delivery, Object, objects
from pegel.samples.cdn77_traffic import PROFILES

SHIPPED = Path(cdn77.__file__).parents[1] / "presets" / "samples" / "cdn77"
NOON = 1_772_539_200.0
NAME = re.compile(r"\d{8}/\d\d/rtl\.([0-9a-f-]{36})\+(\d)\+(\d{6})\.ndjson\.gz")


def made(profile: str, rows: int, seed: int = 1, rate: float | None = None) -> list[Object]:
    shape = PROFILES[profile]
    return list(objects(seed, NOON, shape.at_rate(rate) if rate else shape, Delivery(), rows))


def lines_of(found: list[Object]) -> list[bytes]:
    return [line for one in found for line in one.content.splitlines()]


def test_the_same_seed_gives_the_same_objects() -> None:
    assert made("dirty", 2000) == made("dirty", 2000)
    assert made("dirty", 2000) != made("dirty", 2000, seed=2)


def test_the_shipped_sample_is_what_its_documented_command_makes(tmp_path: Path) -> None:
    """A sample that nobody can make again cannot be changed, only replaced."""
    command = re.search(r"--rows 1700.*?--start \S+", cdn77.__doc__ or "", re.DOTALL)
    assert command is not None
    cdn77.main(["--out", str(tmp_path), *command[0].replace("\\\n", " ").split()])
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.gz"))
    assert names == sorted(str(path.relative_to(SHIPPED)) for path in SHIPPED.rglob("*.gz"))
    for name in names:
        assert gzip.decompress((tmp_path / name).read_bytes()) == gzip.decompress((SHIPPED / name).read_bytes()), name


def test_the_shipped_sample_is_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*.gz")) < 300_000


def test_every_row_is_delivered_once() -> None:
    assert len(lines_of(made("dirty", 5000, rate=20.0))) == 5000


def test_objects_are_named_by_hour_shard_and_sequence() -> None:
    sequences = defaultdict(list)
    for one in made("clean", 5000, rate=20.0):
        match = NAME.fullmatch(one.key)
        assert match is not None
        sequences[match[1], match[2]].append(int(match[3]))
    assert len(sequences) == 2
    for numbers in sequences.values():
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_neighbouring_objects_of_a_shard_overlap_in_event_time() -> None:
    """A runner that thinks an object ends before the next begins would call rows late."""
    shards = defaultdict(list)
    for one in made("clean", 6000, rate=50.0):
        times = [json.loads(line)["timestamp"] for line in one.content.splitlines()]
        shards[one.key.split("+")[1]].append((min(times), max(times)))
    for spans in shards.values():
        assert any(first[1] > second[0] for first, second in pairwise(spans))


def test_a_dirty_log_has_every_kind_of_fault() -> None:
    text = b"".join(one.content for one in made("dirty", 20_000))
    for fault in (
        b"2001:db8:",
        b"\n   \n",
        b"<html>",
        b"aKeyOfTomorrow",
        b":null",
        b'"yesterday"',
        b"\\\\",
        "速".encode(),
    ):
        assert fault in text, fault


def test_late_rows_are_in_much_later_objects() -> None:
    late = 0
    for one in made("dirty", 20_000, rate=20.0):
        for line in one.content.splitlines():
            stamp = re.match(rb'\{"timestamp":"2026-03-03T(\d\d):(\d\d):(\d\d)\.', line)
            if stamp and one.uploaded - (NOON - 12 * 3600 + int(stamp[1]) * 3600 + int(stamp[2]) * 60) > 500:
                late += 1
                assert b'"clientIP":""' in line
    assert late > 100


def test_benchmark_rows_have_the_size_and_all_the_keys_of_real_ones() -> None:
    lines = lines_of(made("bench", 5000))
    assert 1150 <= sum(map(len, lines)) / len(lines) <= 1300
    assert {len(json.loads(line)) for line in lines} == {39}
