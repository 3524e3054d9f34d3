"""The file source: several logs, links and rights, the real file system, where to begin, and what quiet costs."""

from __future__ import annotations

import errno
import gzip
import os
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from pegel.errors import SourceError
from pegel.formats import End
from pegel.seams import FileStat, OpenFile, SystemFiles
from pegel.sources import World
from pegel.sources.file import File
from simulation.world import SimClock, SimFiles, pack
from sources.driving import LOG, Runner


def simulated(**options: object) -> tuple[SimFiles, Runner]:
    clock = SimClock()
    files = SimFiles(clock)
    return files, Runner(files, clock, dict(options))


def real(tmp_path: Path, **options: object) -> Runner:
    clock = SimClock(wall=time.time())
    return Runner(SystemFiles(), clock, {"path": str(tmp_path / "app.log"), **options})


# --- several logs


def test_each_path_of_a_pattern_is_a_log_of_its_own() -> None:
    files, runner = simulated(path="/var/log/*.log")
    for name in ("a", "b"):
        files.append(f"/var/log/{name}.log.1", b"<%s1>\n" % name.encode())
        files.append(f"/var/log/{name}.log", b"<%s2>\n" % name.encode())
    runner.open()
    runner.settle(10)
    assert runner.records == Counter([b"<a1>", b"<a2>", b"<b1>", b"<b2>"])
    assert {one.cursor["path"] for one in runner.committed.values()} == {"/var/log/a.log", "/var/log/b.log"}
    files.append("/var/log/c.log", b"<c1>\n")
    runner.settle(10)
    assert runner.records[b"<c1>"] == 1


def test_archives_that_the_pattern_names_are_no_logs() -> None:
    files, runner = simulated(path="/var/log/app.log*")
    files.append(f"{LOG}.1", b"<1>\n")
    files.append(LOG, b"<2>\n")
    runner.open()
    runner.settle(10)
    assert runner.records == Counter([b"<1>", b"<2>"])
    assert {one.cursor["path"] for one in runner.committed.values()} == {LOG}


def test_two_names_of_one_file_are_one_log() -> None:
    files, runner = simulated(path="/var/log/*.log")
    files.append("/var/log/real.log", b"<1>\n")
    files.link("/var/log/real.log", "/var/log/second.log")
    files.symlink("/var/log/real.log", "/var/log/current.log")
    runner.open()
    runner.settle(10)
    assert runner.records == Counter([b"<1>"])


def test_a_busy_log_does_not_starve_the_others() -> None:
    files, runner = simulated(path="/var/log/*.log", piece_size=50)
    files.append("/var/log/a.log", b"<%s>\n" * 100 % ((b"a" * 40,) * 100))
    files.append("/var/log/b.log", b"<b>\n")
    runner.open()
    for _ in range(4):
        runner.read()
    runner.commit()
    assert runner.records[b"<b>"] == 1


def test_a_failing_log_does_not_stop_the_others() -> None:
    """And it is told once they are read: else a single run would wait for it, and windows beyond `max_hold`."""
    files, runner = simulated(path="/var/log/*.log")
    files.append("/var/log/a.log", b"<a1>\n")
    files.append("/var/log/b.log", b"<b1>\n")
    runner.open()
    runner.settle(5)
    files.break_reads("/var/log/a.log", errno.EIO)
    files.append("/var/log/a.log", b"<a2>\n")
    files.append("/var/log/b.log", b"<b2>\n")
    runner.settle(5)
    assert runner.records == Counter([b"<a1>", b"<b1>", b"<b2>"])
    assert runner.failures
    assert runner.source is not None
    assert runner.source.status().state == "failing"
    assert "/var/log/a.log" in runner.source.status().reason
    files.heal()
    runner.settle(5)
    assert runner.records[b"<a2>"] == 1


# --- where a name may lead


def test_a_link_out_of_the_directory_of_a_pattern_is_not_followed() -> None:
    """Who may write into a log directory must not make us read another file."""
    files, runner = simulated(path="/var/log/app/*.log")
    files.append("/etc/secret", b"<secret>\n")
    files.symlink("/etc/secret", "/var/log/app/x.log")
    files.append("/var/log/app/y.log", b"<y>\n")
    runner.open()
    runner.settle(10)
    assert runner.records == Counter([b"<y>"])


def test_roots_allow_links_between_them() -> None:
    files, runner = simulated(path="/var/log/app/*.log", roots=["/var/log", "/data"])
    files.append("/data/real", b"<1>\n")
    files.symlink("/data/real", "/var/log/app/x.log")
    runner.open()
    runner.settle(10)
    assert runner.records == Counter([b"<1>"])


def test_an_archive_that_is_a_link_to_elsewhere_is_not_read() -> None:
    files, runner = simulated()
    files.append("/etc/secret", b"<secret>\n")
    files.symlink("/etc/secret", f"{LOG}.1")
    files.append(LOG, b"<1>\n")
    runner.open()
    runner.settle(10)
    assert not runner.records  # it is waited for like any archive that cannot be read
    runner.settle(310)
    assert runner.records == Counter([b"<1>"])
    assert runner.counts["quarantined_archives"] == 1


# --- where to begin


def test_from_the_end_only_what_is_new_is_read() -> None:
    files, runner = simulated()
    files.create(f"{LOG}.2.gz", pack(b"<old1>\n"))
    files.create(f"{LOG}.1", b"<old2>\n")
    files.append(LOG, b"<old3>\n<half")
    runner.start = "end"
    runner.open()
    runner.settle(10)
    assert not runner.records
    assert runner.committed
    runner.kill()
    files.append(LOG, b" line>\n<new1>\n")
    for _ in files.gzip(f"{LOG}.1", f"{LOG}.1.gz"):
        pass
    files.rename(LOG, f"{LOG}.0")
    files.append(LOG, b"<new2>\n")
    runner.open()
    runner.settle(30)
    assert runner.records == Counter([b"<half line>", b"<new1>", b"<new2>"])


def test_from_the_end_with_nothing_there_a_later_log_is_read_whole() -> None:
    files, runner = simulated()
    runner.start = "end"
    runner.open()
    runner.settle(5)
    runner.kill()
    files.append(LOG, b"<1>\n")
    runner.open()
    runner.settle(5)
    assert runner.records == Counter([b"<1>"])


# --- the contract


def test_what_is_not_consumed_is_offered_again_and_flushed_once() -> None:
    files, runner = simulated(flush_timeout=5.0)
    files.append(LOG, b"a\nb\n")
    runner.open()
    source = runner.source
    assert source is not None
    piece = source.poll()
    assert piece is not None
    assert (piece.partition, piece.offset, piece.data, piece.end) == (LOG, 0, b"a\nb\n", End.MORE)
    assert [one.offset for one in source.consume(piece, 2, "m")] == [2]
    assert source.poll() is None
    assert not source.exhausted()
    runner.clock.advance(5.1)
    piece = source.poll()
    assert piece is not None
    assert (piece.data, piece.end, piece.mark, piece.offset) == (b"b\n", End.FLUSH, "m", 2)
    assert source.consume(piece, 0, "m") == []
    assert source.poll() is None
    assert source.exhausted()
    files.append(LOG, b"c\n")
    piece = source.poll()
    assert piece is not None
    assert (piece.data, piece.end) == (b"b\nc\n", End.MORE)


def test_the_mark_of_the_framer_survives_a_rotation_and_a_restart() -> None:
    files, runner = simulated()
    files.append(LOG, b"a\nb\n")
    runner.open()
    source = runner.source
    assert source is not None
    piece = source.poll()
    assert piece is not None
    runner.flight.append(([], source.consume(piece, 2, "open")))
    runner.commit()
    runner.kill()
    files.rename(LOG, f"{LOG}.1")
    files.append(LOG, b"c\n")
    runner.open()
    assert runner.source is not None
    piece = runner.source.poll()
    assert piece is not None
    assert (piece.data, piece.mark, piece.offset) == (b"b\n", "open", 2)


def test_a_packed_live_path_is_read_to_its_final_end() -> None:
    files, runner = simulated(path="/srv/back/*.gz")
    files.create("/srv/back/day.gz", pack(b"<1>\n<2>"))
    runner.open()
    runner.settle(5)
    assert runner.records == Counter([b"<1>", b"<2>"])
    assert runner.source is not None
    assert runner.source.exhausted()
    assert all(one.done for one in runner.committed.values())


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="piece_size"):
        File(path=LOG, piece_size=0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="path"):
        File(path="")


def test_descriptors_are_given_back() -> None:
    files, runner = simulated()
    files.append(LOG, b"<first>\n")
    for number in range(5):
        files.rename(LOG, f"{LOG}.{5 - number}")
        files.append(LOG, b"<%d>\n" % number)
    runner.open()
    runner.settle(30)
    assert files.open_handles == 1
    runner.stop()
    assert files.open_handles == 0


# --- what is held or put aside


def test_equal_content_of_few_bytes_is_held_counted_and_then_skipped() -> None:
    files, runner = simulated(archive_wait=60.0)
    files.append(f"{LOG}.2", b"<tick>\n")
    files.append(LOG, b"<a>\n")
    runner.open()
    runner.settle(10)
    runner.stop()
    files.rename(LOG, f"{LOG}.1")
    files.create(f"{LOG}.0", b"<tick>\n")
    files.append(LOG, b"<b>\n")
    runner.open()
    runner.settle(20)
    assert runner.counts["identity_ambiguous"] == 1
    assert runner.source is not None
    assert runner.source.status().state == "waiting"
    assert not runner.source.exhausted()
    runner.settle(80)
    assert runner.records == Counter([b"<tick>", b"<a>", b"<b>"])


@pytest.mark.parametrize(("rotation", "ticks"), [("rename", 2), ("copytruncate", 1)])
def test_the_operator_can_say_what_equal_content_means(rotation: str, ticks: int) -> None:
    files, runner = simulated(rotation=rotation)
    files.append(f"{LOG}.2", b"<tick>\n")
    files.append(LOG, b"<a>\n")
    runner.open()
    runner.settle(10)
    runner.stop()
    files.rename(LOG, f"{LOG}.1")
    files.create(f"{LOG}.0", b"<tick>\n")
    files.append(LOG, b"<b>\n")
    runner.open()
    runner.settle(20)
    assert runner.records == Counter({b"<tick>": ticks, b"<a>": 1, b"<b>": 1})
    assert "identity_ambiguous" not in runner.counts


def test_a_late_archive_is_resumed_where_the_kill_left_it() -> None:
    files, runner = simulated(piece_size=40)
    files.append(f"{LOG}.1", b"<1>\n")
    files.append(LOG, b"<2>\n")
    runner.open()
    runner.settle(10)
    lines = [b"<late %d>" % number for number in range(30)]
    files.create(f"{LOG}.9.gz", pack(b"\n".join(lines)))
    until = runner.clock.monotonic() + 20
    while runner.clock.monotonic() < until and len(runner.flight) < 4:
        if not runner.read():
            runner.clock.advance(1.0)
    runner.commit(3)
    assert 0 < sum(runner.records.values()) - 2 < 30
    runner.kill()
    runner.open()
    runner.settle(30)
    assert runner.records == Counter([b"<1>", b"<2>", *lines])


def test_finished_streams_are_forgotten_a_day_after_their_file() -> None:
    files, runner = simulated()
    for number in (3, 2, 1):
        files.append(LOG, b"<%d>\n" % number)
        files.rename(LOG, f"{LOG}.{number}")
    files.append(LOG, b"<0>\n")
    runner.open()
    runner.settle(30)
    assert len(runner.committed) == 4
    files.unlink(f"{LOG}.3")
    runner.settle(10)
    runner.clock.advance(90_000)
    runner.settle(10)
    files.append(LOG, b"<more>\n")
    runner.settle(10)
    assert len(runner.committed) == 3


# --- the real file system


def test_rotation_on_the_real_file_system(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"<1>\n")
    runner = real(tmp_path)
    runner.open()
    runner.settle(3)
    with log.open("ab") as writer:
        log.rename(tmp_path / "app.log.1")
        writer.write(b"<2>\n")
    log.write_bytes(b"<3>\n")
    runner.settle(10)
    runner.kill()
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress((tmp_path / "app.log.1").read_bytes()))
    (tmp_path / "app.log.1").unlink()
    log.rename(tmp_path / "app.log.0")
    (tmp_path / "app.log.0.gz").write_bytes(gzip.compress((tmp_path / "app.log.0").read_bytes() + b"<4>\n"))
    (tmp_path / "app.log.0").unlink()
    log.write_bytes(b"<5>\n")
    runner.open()
    runner.settle(20)
    assert runner.records == Counter([b"<1>", b"<2>", b"<3>", b"<4>", b"<5>"])


def test_a_really_reused_inode_is_a_new_stream(tmp_path: Path) -> None:
    """Most file systems give the number of a deleted file to the next one; where not, the test proves less."""
    log = tmp_path / "app.log"
    log.write_bytes(b"<1>\n")
    runner = real(tmp_path)
    runner.open()
    runner.settle(3)
    runner.stop()
    log.unlink()
    log.write_bytes(b"<22>\n<33>\n")
    runner.open()
    runner.settle(20)
    assert runner.records == Counter([b"<1>", b"<22>", b"<33>"])


def test_a_real_hole_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    with log.open("wb") as file:
        file.seek(5 * 2**30)
        file.write(b"<1>\n")
    runner = real(tmp_path)
    runner.open()
    began = time.monotonic()
    runner.settle(3)
    assert runner.records == Counter([b"<1>"])
    assert time.monotonic() - began < 2


def test_pipes_and_directories_in_a_pattern_are_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "directory.log").mkdir()
    os.mkfifo(tmp_path / "app.log.1")
    (tmp_path / "app.log").write_bytes(b"<1>\n")
    runner = real(tmp_path, path=str(tmp_path / "*.log"))
    runner.open()
    runner.settle(5)
    assert runner.records == Counter([b"<1>"])


def test_a_dangling_link_is_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "app.log").symlink_to(tmp_path / "real.log")
    (tmp_path / "x.log").symlink_to(tmp_path / "nowhere")
    runner = real(tmp_path, path=str(tmp_path / "*.log"))
    runner.open()
    runner.settle(3)
    (tmp_path / "real.log").write_bytes(b"<1>\n")
    runner.settle(3)
    assert runner.records == Counter([b"<1>"])


def test_a_big_archive_is_read_in_bounded_steps(tmp_path: Path) -> None:
    lines = b"".join(b"<%d:%d>\n" % (number, number * 7919) for number in range(2_500_000))
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(lines, 1))
    (tmp_path / "app.log").write_bytes(b"<live>\n")
    source = File(path=str(tmp_path / "app.log"))
    source.open(World(SimClock(time.time()), SystemFiles(), threading.Event()), [])
    size, slowest = 0, 0.0
    while not source.exhausted():
        began = time.monotonic()
        piece = source.poll()
        slowest = max(slowest, time.monotonic() - began)
        if piece is not None:
            assert len(piece.data) <= 8 * 2**20
            size += len(piece.data)
            source.consume(piece, len(piece.data), "")
    assert size == len(lines) + 7
    assert slowest < 0.5
    source.close()


# --- what quiet costs


class Counting(SystemFiles):
    """The real file system, counting calls."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def open(self, path: str) -> OpenFile:
        self.calls["open"] += 1
        return super().open(path)

    def stat(self, path: str) -> FileStat:
        self.calls["stat"] += 1
        return super().stat(path)

    def glob(self, pattern: str) -> list[str]:
        self.calls["glob"] += 1
        return list(super().glob(pattern))


def test_a_quiet_log_is_only_looked_at(tmp_path: Path) -> None:
    """No archive is opened again, and nothing is read."""
    for number in range(1, 6):
        (tmp_path / f"app.log.{number}").write_bytes(b"<%d>\n" % number)
    (tmp_path / "app.log").write_bytes(b"<0>\n")
    files = Counting()
    runner = Runner(files, SimClock(time.time()), {"path": str(tmp_path / "app.log")})
    runner.open()
    runner.settle(60)
    assert sum(runner.records.values()) == 6
    files.calls.clear()
    runner.settle(10)
    assert files.calls == Counter({"glob": 20, "stat": 60})


def test_known_archives_are_not_read_again_after_a_restart(tmp_path: Path) -> None:
    for number in range(1, 6):
        (tmp_path / f"app.log.{number}").write_bytes(b"<%d>\n" % number)
    (tmp_path / "app.log").write_bytes(b"<0>\n")
    files = Counting()
    runner = Runner(files, SimClock(time.time()), {"path": str(tmp_path / "app.log")})
    runner.open()
    runner.settle(60)
    runner.stop()
    files.calls.clear()
    runner.open()
    runner.settle(10)
    assert files.calls["open"] <= 2


def test_a_source_that_cannot_look_says_so() -> None:
    files, runner = simulated()
    files.append(LOG, b"<1>\n")
    files.deny(LOG)
    runner.open()
    assert runner.source is not None
    with pytest.raises(SourceError, match=r"/var/log/app\.log cannot be looked at: Permission denied"):
        runner.source.poll()


# --- files of another user


def refused(name: str) -> str:
    return f"{name} cannot be read: Permission denied; let the user of the runner read it"


def test_an_archive_that_may_not_be_read_is_named_with_the_remedy_for_as_long_as_it_takes() -> None:
    """It would be lost for good if it were put aside, and its windows would close without it if it were passed over."""
    files, runner = simulated()
    for name, record in ((f"{LOG}.2", b"<1>\n"), (f"{LOG}.1", b"<2>\n"), (LOG, b"<3>\n")):
        files.append(name, record)
    files.forbid(f"{LOG}.1")
    runner.clock.advance(86_400.0)
    runner.open()
    runner.settle(10)
    assert list(runner.records) == [b"<1>"]
    assert runner.source is not None
    for _ in range(600):
        runner.clock.advance(1.0)
        with pytest.raises(SourceError, match=refused(f"{LOG}.1")):
            runner.source.poll()
        assert runner.source.status().state == "failing"
    files.heal()
    runner.settle(10)
    assert list(runner.records) == [b"<1>", b"<2>", b"<3>"]
    assert runner.source.status().counts.get("quarantined_archives", 0) == 0


def test_what_may_not_be_read_and_is_removed_fails_no_longer() -> None:
    files, runner = simulated()
    files.append(f"{LOG}.1", b"<1>\n")
    files.append(LOG, b"<2>\n")
    files.forbid(f"{LOG}.1")
    runner.open()
    runner.settle(10)
    assert runner.failures
    files.unlink(f"{LOG}.1")
    runner.settle(10)
    assert list(runner.records) == [b"<2>"]
    assert runner.source is not None
    assert runner.source.exhausted()


def test_what_is_too_old_to_be_read_need_not_be_readable() -> None:
    files, runner = simulated(archive_max_age=3600.0)
    files.append(f"{LOG}.1", b"<1>\n")
    files.forbid(f"{LOG}.1")
    runner.clock.advance(7200.0)
    files.append(LOG, b"<2>\n")
    runner.open()
    runner.settle(10)
    assert list(runner.records) == [b"<2>"]
    assert not runner.failures


def test_a_log_that_may_not_be_read_says_so_once_the_others_are_read() -> None:
    """Else a single run would wait for it for ever."""
    files, runner = simulated(path="/var/log/*.log")
    files.append("/var/log/a.log", b"<a>\n")
    files.append("/var/log/b.log", b"<b>\n")
    files.forbid("/var/log/a.log")
    runner.open()
    runner.settle(10)
    assert list(runner.records) == [b"<b>"]
    assert runner.source is not None
    with pytest.raises(SourceError, match=refused("/var/log/a.log")):
        runner.source.poll()
    files.heal()
    runner.settle(10)
    assert list(runner.records) == [b"<b>", b"<a>"]


def test_a_first_start_at_the_end_waits_for_the_right_to_know_the_archives() -> None:
    """Without it they could not be told from new ones when they are packed, and would be read after all."""
    files, runner = simulated()
    runner.start = "end"
    files.append(f"{LOG}.1", b"<1>\n")
    files.append(LOG, b"<2>\n")
    files.forbid(f"{LOG}.1")
    runner.open()
    runner.settle(600)
    assert runner.failures
    files.heal()
    runner.settle(10)
    files.append(LOG, b"<3>\n")
    runner.settle(10)
    assert list(runner.records) == [b"<3>"]
    assert len(runner.committed) <= 3


def test_a_device_that_fails_is_waited_for_however_old_the_archive_is() -> None:
    files, runner = simulated()
    files.append(f"{LOG}.1", b"<1>\n")
    files.append(LOG, b"<2>\n")
    runner.clock.advance(86_400.0)
    files.break_reads(f"{LOG}.1")
    runner.open()
    runner.settle(200)
    files.heal()
    runner.settle(10)
    assert list(runner.records) == [b"<1>", b"<2>"]


def test_a_file_is_put_aside_once_though_nothing_can_be_read_after_it() -> None:
    """What is remembered of it is stored with its count, also where no record comes to carry it."""
    files, runner = simulated()
    files.create(f"{LOG}.1.gz", pack(b"<never>\n" * 50)[:-9])
    runner.clock.advance(86_400.0)
    runner.open()
    runner.settle(20)
    assert runner.counts["quarantined_archives"] == 1
    runner.kill()
    runner.open()
    runner.settle(20)
    assert runner.counts.get("quarantined_archives", 0) == 0


def test_a_file_is_put_aside_once_though_it_has_two_names(tmp_path: Path) -> None:
    """A live path that leads through a link gives every archive a second name."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    runner = real(tmp_path / "link", rotate_wait=0.0)
    (tmp_path / "real" / "app.log").write_bytes(b"<1>\n")
    broken = tmp_path / "real" / "app.log.1.gz"
    broken.write_bytes(pack(b"<never>\n" * 50)[:-9])
    os.utime(broken, (1e9, 1e9))
    runner.open()
    runner.settle(20)
    assert runner.records == Counter([b"<1>"])
    assert runner.counts["quarantined_archives"] == 1
