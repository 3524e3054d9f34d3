from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from doubles import FakeClock
from pegel.state.bulletin import FILE_NAME, Bulletin, Said, Trouble, read

DOWN = {("sink", "influx"): ("connection refused", False)}
FINE = {("sink", "influx")}


def said(directory: Path) -> Said:
    found = read(directory)
    assert found is not None
    return found


def begun(directory: Path, clock: FakeClock, *, service: bool = False) -> Bulletin:
    bulletin = Bulletin(directory, clock)
    bulletin.begin("service" if service else "once")
    return bulletin


def test_a_process_says_when_it_began_what_troubles_it_and_how_it_ended(tmp_path: Path) -> None:
    clock = FakeClock()
    bulletin = begun(tmp_path, clock)
    first = said(tmp_path)
    assert (first.mode, first.began, first.ended, first.troubles) == ("once", clock.now, None, ())
    bulletin.tell(DOWN, ())
    assert said(tmp_path).troubles == (Trouble("sink", "influx", "connection refused", clock.now),)
    clock.now += 5
    bulletin.end("influx: connection refused")
    last = said(tmp_path)
    assert (last.ended, last.result) == (clock.now, "influx: connection refused")


def test_a_trouble_keeps_its_beginning_while_its_sentence_changes(tmp_path: Path) -> None:
    clock = FakeClock()
    bulletin = begun(tmp_path, clock)
    bulletin.tell(DOWN, ())
    began = clock.now
    clock.now += 600
    bulletin.tell({("sink", "influx"): ("timed out", False)}, ())
    assert said(tmp_path).troubles == (Trouble("sink", "influx", "timed out", began),)


def test_a_run_a_minute_of_cron_knows_since_when_a_sink_is_down(tmp_path: Path) -> None:
    """A run has not tried the sink when it first looks: the trouble is an hour old all the same."""
    clock = FakeClock()
    began = clock.now
    for _ in range(60):
        bulletin = begun(tmp_path, clock)
        bulletin.tell({}, ())
        bulletin.tell(DOWN, ())
        bulletin.end("down")
        clock.now += 60
    assert said(tmp_path).troubles[0].since == began
    assert said(tmp_path).former == clock.now - 120


def test_what_works_again_begins_anew_the_next_time(tmp_path: Path) -> None:
    clock = FakeClock()
    bulletin = begun(tmp_path, clock, service=True)
    bulletin.tell(DOWN, ())
    bulletin.tell({}, FINE)
    assert said(tmp_path).troubles == ()
    clock.now += 60
    bulletin.tell(DOWN, ())
    assert said(tmp_path).troubles[0].since == clock.now


def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    """It is asked every second: an idle runner must not write a file every second."""
    bulletin = begun(tmp_path, FakeClock())
    bulletin.tell(DOWN, ())
    (tmp_path / FILE_NAME).unlink()
    bulletin.tell(DOWN, ())
    assert not (tmp_path / FILE_NAME).exists()


def test_a_disk_that_refuses_is_said_once_and_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bulletin = Bulletin(tmp_path / "gone", FakeClock())
    with caplog.at_level(logging.WARNING):
        bulletin.begin("service")
        bulletin.tell(DOWN, ())
    assert len(caplog.records) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({"pid": 1})])
def test_a_file_that_is_not_ours_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert read(tmp_path) is None


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    begun(tmp_path, FakeClock())
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
