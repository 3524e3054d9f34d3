"""The preset against the oracle: every point and every reject, whatever way the rows come."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from pegel.config import load
from pegel.enrichers.device import Device
from pegel.metrics.definition import Metric
from pegel.samples.cdn77_traffic import PROFILES, Traffic
from presets import cdn77_oracle as oracle
from presets.cdn77_places import FILE, content
from presets.cdn77_run import by_upload, plan, read
from presets.ookla_run import Key, keyed

NOON = 1_772_539_200.0


def expected(lines: list[bytes]) -> tuple[dict[Key, object], dict[str, int]]:
    counted = oracle.count(lines, oracle.read_places())
    return keyed(oracle.ndjson(oracle.points(counted))), dict(counted.rejects)


def differences(got: dict[Key, object], wanted: dict[Key, object]) -> list[tuple[Key, object, object]]:
    """What differs, first things first: (point, product, oracle)."""
    return [(key, got.get(key), wanted.get(key)) for key in sorted(got | wanted) if got.get(key) != wanted.get(key)]


def test_the_golden_points_are_those_of_the_oracle() -> None:
    golden = gzip.decompress(oracle.GOLDEN.read_bytes()).decode()
    counted = oracle.count(oracle.read_objects(oracle.SAMPLE), oracle.read_places())
    assert golden == oracle.ndjson(oracle.points(counted))


def test_the_database_of_the_sample_is_what_its_generator_writes() -> None:
    assert FILE.read_bytes() == content()


def test_the_shipped_sample_gives_the_golden_points(tmp_path: Path) -> None:
    """All twelve metrics: delivery, statuses, viewers and what is active, by device, country and region."""
    points, rejects = read(plan(tmp_path, FILE), [joined(tmp_path, by_upload(oracle.SAMPLE))])
    golden = keyed(gzip.decompress(oracle.GOLDEN.read_bytes()).decode())
    assert differences(points, golden)[:5] == []
    assert rejects == expected(oracle.read_objects(oracle.SAMPLE))[1]
    assert len({metric for _, metric, _ in points}) == 12


def joined(directory: Path, objects: list[Path]) -> Path:
    """Objects as one: shards that lie beside each other in time would come too late one after another."""
    file = directory / "all.ndjson.gz"
    file.write_bytes(b"".join(one.read_bytes() for one in objects))
    return file


def lines_of(seed: int, count: int) -> list[bytes]:
    shape = PROFILES["dirty"].at_rate(0.4)
    rows = Traffic(Random(seed), shape).rows(NOON)
    return [row.line for row in islice(rows, count)]


def packed(directory: Path, lines: list[bytes]) -> Path:
    directory.mkdir(exist_ok=True)
    file = directory / "rtl.0+0+1.ndjson.gz"
    file.write_bytes(gzip.compress(b"".join(lines), 1))
    return file


@pytest.mark.parametrize("seed", [11, 12])
def test_dirty_rows_give_every_point_and_every_reject_of_the_oracle(tmp_path: Path, seed: int) -> None:
    lines = lines_of(seed, 4000)
    wanted, wanted_rejects = expected([line.removesuffix(b"\n") for line in lines])
    points, rejects = read(plan(tmp_path, FILE), [packed(tmp_path / "o", lines)])
    assert differences(points, wanted)[:5] == []
    assert rejects == wanted_rejects


def test_without_a_database_there_is_nothing_by_region(tmp_path: Path) -> None:
    points, _ = read(plan(tmp_path), by_upload(oracle.SAMPLE)[:2])
    assert not [metric for _, metric, _ in points if "region" in metric]


def metrics_of(tmp_path: Path, more: str = "", environ: dict[str, str] | None = None) -> dict[str, Metric]:
    loaded = plan(tmp_path, more=more, environ=environ)
    return {one.name: one for metric in loaded.metrics for one in metric.shown()}


def test_the_names_are_those_that_dashboards_ask_for(tmp_path: Path) -> None:
    """Fixed by the exporter that this replaces."""
    assert sorted(metrics_of(tmp_path)) == [
        "cdn77_active_viewers",
        "cdn77_active_viewers_by_country",
        "cdn77_active_viewers_by_device",
        "cdn77_active_viewers_by_region",
        "cdn77_requests_total",
        "cdn77_responses_total",
        "cdn77_time_to_first_byte_ms",
        "cdn77_transfer_bytes_total",
        "cdn77_viewers_by_country_total",
        "cdn77_viewers_by_device_total",
        "cdn77_viewers_by_region_total",
        "cdn77_viewers_total",
    ]


def test_the_viewer_window_is_one_setting_and_its_name_a_label(tmp_path: Path) -> None:
    active = metrics_of(tmp_path)["cdn77_active_viewers"]
    assert (active.over, active.constant_labels) == (7200.0, {"window": "2h"})
    active = metrics_of(tmp_path, environ={"VIEWER_WINDOW": "30m"})["cdn77_active_viewers"]
    assert (active.over, active.constant_labels) == (1800.0, {"window": "30m"})


def test_more_can_be_switched_on_by_name(tmp_path: Path) -> None:
    more = metrics_of(tmp_path, more='metrics = ["cdn77_delivery", "cdn77_cache*", "*_seconds"]')
    assert sorted(more) == [
        "cdn77_cache_age_seconds",
        "cdn77_cache_hit_bytes_ratio",
        "cdn77_cache_hit_ratio",
        "cdn77_request_time_seconds",
        "cdn77_requests_total",
        "cdn77_tcp_rtt_seconds",
        "cdn77_time_to_first_byte_ms",
        "cdn77_time_to_first_byte_seconds",
        "cdn77_transfer_bytes_total",
    ]


def test_an_operator_may_edit_the_table_of_devices(tmp_path: Path) -> None:
    more = 'enrichers.device = { first = { my_player = ["MyPlayer"] }, devices = { baron_mobile = [] } }'
    (device,) = [one for one in plan(tmp_path, more=more).sources[0].enrichers if isinstance(one, Device)]
    assert list(device.first) == ["my_player"]
    assert list(device.devices) == ["baron_mobile", "apple_tv", "roku", "firestick", "android_tv", "web"]


def test_addresses_are_private(tmp_path: Path) -> None:
    """An address as a label would be in every sink."""
    text = '\n[[metrics]]\nname = "bad"\nevery = "1m"\nlabels = ["client_ip"]\nvalues.n = "count(*)"\n'
    config = tmp_path / "config.toml"
    plan(tmp_path)
    config.write_text(config.read_text() + text)
    with pytest.raises(Exception, match="private"):
        load(config, {"S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret"})
