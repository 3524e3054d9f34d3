"""Pages of the sink `prometheus`, read by promtool: what it says against them is said by whoever takes them over."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pegel.pipeline import trial
from pegel.samples import cdn77
from pegel.sinks import Histogram, Point, exposition
from presets.cdn77_places import FILE, content
from presets.cdn77_run import by_upload, plan

ODD = 'a"b\\c\nd{e="f"},=ü\u202e\x00' + "x" * 2000
"""Everything that a label may hold."""

SAMPLE = Path(cdn77.__file__).parents[1] / "presets" / "samples" / "cdn77"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All metrics of the preset, those too that are off until they are named."""
    directory = tmp_path_factory.mktemp("cdn77")
    (directory / FILE).write_bytes(content())
    loaded = plan(directory, directory / FILE, more='metrics = ["*"]')
    read = trial.run(trial.reading(loaded, "cdn77", [str(file) for file in by_upload(SAMPLE)]), snapshot=True)
    return exposition.encode(read.points).decode()


def said(promtool: Path, page: str) -> list[str]:
    """What promtool says against a page."""
    command = [str(promtool), "check", "metrics"]
    done = subprocess.run(command, input=page.encode(), capture_output=True, check=False)
    return (done.stderr + done.stdout).decode().splitlines()


def test_the_page_of_the_preset_is_what_prometheus_wants(promtool: Path, page: str) -> None:
    assert "_bucket{" in page
    assert page.count("# TYPE") > 15
    fixed = "cdn77_time_to_first_byte_ms metric names should not contain abbreviated units"  # the exporter's name
    assert said(promtool, page) == [fixed]


def test_a_page_holds_whatever_a_stranger_wrote(promtool: Path) -> None:
    labels = (("label", ODD), ("ü-1", ODD), ("__name__", ODD), ("empty", ""))
    kinds = {"n": "counter", "g": "gauge", "sizes": "histogram", "i": "info"}
    values = {"n": 1, "g": -1.5e300, "sizes": Histogram((0.1, 1.0), (1, 2, 2), 0.5), "i": ODD}
    odd = Point("m-1", labels, 0, 60_000_000, values, kinds, 1, ODD)  # type: ignore[arg-type]
    assert said(promtool, exposition.encode([odd]).decode()) == []
