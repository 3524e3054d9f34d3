"""The numbered scenarios of a tailed log, each with the runner running, stopped and killed.

Every record is counted exactly once unless the scenario says what else is right. The numbers are those of the
reliability specification.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable

import pytest

from simulation.world import pack
from sources.driving import LOG
from sources.stories import CONDITIONS, Condition, Story

Scene = Callable[[Story], None]

SCENARIOS: dict[str, tuple[Scene, dict[str, object]]] = {}


def scenario(name: str, **options: object) -> Callable[[Scene], Scene]:
    """Enter a story under its number."""

    def enter(story: Scene) -> Scene:
        SCENARIOS[name] = (story, options)
        return story

    return enter


@scenario("S01 rename and create")
def s01_rename_and_create(story: Story) -> None:
    """What is written to the old file between the rename and its reopening belongs to it."""
    story.write(3)
    story.meet()
    writer = story.files.writer(LOG)
    story.rotate()
    writer.write(story.records(2))
    story.look()
    writer.write(story.records(1))
    writer.close()
    story.write(3)
    story.finish()


@scenario("S02 rename while down, then more")
def s02_rename_while_down_then_more(story: Story) -> None:
    story.write(3)
    story.meet()
    story.write(2)
    story.rotate()
    story.write(2)
    story.finish()
    story.write(2)
    story.finish()


@scenario("S03 several rotations")
def s03_several_rotations(story: Story) -> None:
    story.write(2)
    story.meet()
    for number in range(5, 0, -1):
        story.write(2)
        story.rotate(f".{number}")
        if number % 2:
            story.gzip(f".{number}")
    story.write(1)
    story.finish()


@scenario("S03 several rotations with times in the names")
def s03_several_rotations_with_times_in_the_names(story: Story) -> None:
    story.write(2)
    story.meet()
    for number in range(5):
        story.write(2)
        story.rotate(f".2026030312000{number}123")
        story.gzip(f".2026030312000{number}123")
    story.write(1)
    story.finish()


@scenario("S04 reused inode, smaller file")
def s04_reused_inode_smaller_file(story: Story) -> None:
    story.write(5)
    story.meet()
    before = story.files.stat(LOG).ino
    story.rotate()
    story.gzip(".1")
    story.write(1)
    if story.condition != "running":  # a running reader keeps the old file open, so its number is not free
        assert story.files.stat(LOG).ino == before
    story.finish()


@scenario("S05 reused inode, larger file")
def s05_reused_inode_larger_file(story: Story) -> None:
    story.write(2)
    story.meet()
    story.rotate()
    story.gzip(".1")
    story.write(9)
    story.finish()


@scenario("S06 copytruncate, smaller")
def s06_copytruncate_smaller(story: Story) -> None:
    story.write(5)
    story.meet()
    story.write(2)
    story.copytruncate()
    story.write(1)
    story.finish()


@scenario("S07 copytruncate, the same size")
def s07_copytruncate_the_same_size(story: Story) -> None:
    """A record of equal length: only its bytes tell that the file was cut."""
    story.files.append(LOG, story.records(1))
    story.meet()
    size = story.files.stat(LOG).size
    story.copytruncate()
    record = b"<%s>" % (b"y" * (size - 3))
    story.expected[record] += 1
    story.files.append(LOG, record + b"\n")
    assert story.files.stat(LOG).size == size
    story.finish()


@scenario("S08 copytruncate, larger")
def s08_copytruncate_larger(story: Story) -> None:
    story.write(2)
    story.meet()
    story.write(1)
    story.copytruncate()
    story.write(9)
    story.finish()


@scenario("S09 the copy exists, the original is not truncated yet")
def s09_the_copy_exists_the_original_is_not_truncated_yet(story: Story) -> None:
    story.write(4)
    story.meet()
    story.files.copy(LOG, f"{LOG}.1")
    story.look(20)
    if story.runner.source is None:
        story.runner.open()
    story.runner.settle(20)
    story.files.truncate(LOG)
    story.write(2)
    story.finish()


@scenario("S09 the copy exists before anything was read")
def s09_the_copy_exists_before_anything_was_read(story: Story) -> None:
    story.write(4)
    story.files.copy(LOG, f"{LOG}.1")
    story.meet()
    story.files.truncate(LOG)
    story.write(2)
    if story.condition == "killed":  # written behind the copy and not committed: destroyed by the truncation
        del story.expected[next(record for record in story.expected if record.startswith(b"<5:"))]
    story.finish()


@scenario("S09 the copy exists and the log goes on")
def s09_the_copy_exists_and_the_log_goes_on(story: Story) -> None:
    story.write(4)
    story.meet()
    story.files.copy(LOG, f"{LOG}.1")
    story.look(20)
    story.write(2)
    story.finish()


@scenario("S10 lines between copy and truncation")
def s10_lines_between_copy_and_truncation(story: Story) -> None:
    """Destroyed by the rotator; said so where it can be seen."""
    story.write(30)
    story.meet()
    story.files.copy(LOG, f"{LOG}.1")
    story.files.append(LOG, b"<destroyed>\n")
    if story.runner.source is not None:
        story.runner.read()
        assert story.runner.counts.get("truncations", 0) == 0
    story.files.truncate(LOG)
    story.write(2)
    if story.condition == "running":
        story.expected[b"<destroyed>"] += 1  # a quick reader may have been faster than the rotator
    story.finish()


@scenario("S11 archives are shifted")
def s11_archives_are_shifted(story: Story) -> None:
    story.write(3)
    story.rotate(".1")
    story.write(3)
    story.meet()
    for number in (1, 2, 3):
        story.files.rename(f"{LOG}.{number}", f"{LOG}.{number + 1}")
        story.look()
    story.files.rename(f"{LOG}.4", f"{LOG}.5")
    story.rotate(".4")
    story.write(1)
    story.finish()


@scenario("S12 files that share their first lines")
def s12_files_that_share_their_first_lines(story: Story) -> None:
    banner = b"<time,status,bytes>\n" * 80
    story.expected[b"<time,status,bytes>"] += 240
    story.files.create(f"{LOG}.2", banner + story.records(2))
    story.files.create(f"{LOG}.1", banner + story.records(3))
    story.files.create(LOG, banner)
    story.meet()
    story.write(2)
    story.rotate(".0")
    story.expected[b"<time,status,bytes>"] += 80
    story.files.create(LOG, banner + story.records(1))
    story.finish()


@scenario("S12 the shared lines are all that was read")
def s12_the_shared_lines_are_all_that_was_read(story: Story) -> None:
    story.expected[b"<banner>"] += 2
    story.files.create(LOG, b"<banner>\n")
    story.meet()
    story.rotate(".1")
    story.gzip(".1")
    story.files.create(LOG, b"<banner>\n" + story.records(3))
    story.finish()


@scenario("S12 the shared line is all that was read, and the oldest archive is its rest")
def s12_the_oldest_is_its_rest(story: Story) -> None:
    story.expected[b"<banner>"] += 3
    story.files.create(LOG, b"<banner>\n")
    story.meet()
    for suffix in (".2", ".1"):
        story.files.append(LOG, story.records(2))
        story.rotate(suffix)
        story.gzip(suffix)
        story.files.create(LOG, b"<banner>\n")
    story.files.append(LOG, story.records(2))
    assert "late_archives" not in story.finish()


@scenario("S12 the shared line is all that was read, and a finished stream begins with it too")
def s12_a_finished_stream_begins_with_it(story: Story) -> None:
    story.expected[b"<banner>"] += 3
    story.files.create(f"{LOG}.1", b"<banner>\n" + story.records(2))
    story.files.create(LOG, b"<banner>\n")
    story.meet()
    story.files.rename(f"{LOG}.1", f"{LOG}.2")
    story.gzip(".2")
    story.files.append(LOG, story.records(2))
    story.rotate()
    story.gzip(".1")
    story.files.create(LOG, b"<banner>\n" + story.records(1))
    story.finish()


@scenario("S12 files that differ only in the middle")
def s12_files_that_differ_only_in_the_middle(story: Story) -> None:
    """The first and the last kilobyte before our place are equal; only the checksum of everything tells.

    A running reader compares only those, as it would have to read the whole file at every poll.
    """
    edge = b"<%s>\n" % (b"e" * 1500)
    story.expected += Counter({edge.strip(): 4, b"<old>": 1, b"<new>": 1})
    story.files.create(LOG, edge + b"<old>\n" + edge)
    story.meet_nothing()
    if story.runner.source is not None:
        story.runner.stop()
    story.files.truncate(LOG)
    story.files.append(LOG, edge + b"<new>\n" + edge)
    story.write(1)
    story.finish()


@scenario("S13 a tiny file is read at once")
def s13_a_tiny_file_is_read_at_once(story: Story) -> None:
    story.files.create(LOG, story.record(0) + b"\n")
    story.meet()
    assert story.runner.records
    story.rotate()
    story.files.create(LOG, story.record(0) + b"\n")
    story.finish()


@scenario("S14 the live path is a link")
def s14_the_live_path_is_a_link(story: Story) -> None:
    real = "/data/logs/real.log"
    story.files.symlink(real, LOG)
    story.write(2, path=real)
    story.meet()
    story.write(1, path=real)
    story.files.rename(real, f"{real}.1")
    story.write(2, path=real)
    story.finish()


@scenario("S14 a link to a file that is replaced by another")
def s14_a_link_to_a_file_that_is_replaced_by_another(story: Story) -> None:
    story.files.symlink("/data/logs/log-1", LOG)
    story.write(2, path="/data/logs/log-1")
    story.meet()
    story.files.unlink(LOG)
    story.files.symlink("/data/logs/log-2", LOG)
    story.write(2, path="/data/logs/log-2")
    story.finish()


@scenario("S15 another device number")
def s15_another_device_number(story: Story) -> None:
    story.write(3)
    story.rotate(".1")
    story.write(3)
    story.meet()
    if story.runner.source is None:
        story.files.remount(99)
    story.write(2)
    story.finish()


@scenario("S16 truncated by hand and written anew")
def s16_truncated_by_hand_and_written_anew(story: Story) -> None:
    """What was not read before is destroyed with the file; two readers of one file would count twice."""
    story.write(3)
    story.meet()
    if story.condition == "killed":
        story.expected = story.runner.records.copy()
    story.files.truncate(LOG)
    story.write(5)
    counts = story.finish()
    assert counts.get("truncations", 0) == (story.condition == "running")


@scenario("S17 replaced by an editor, with the same content and more")
def s17_replaced_by_an_editor_with_the_same_content_and_more(story: Story) -> None:
    story.write(4)
    story.meet()
    story.files.create(f"{LOG}.swp", story.files.read(LOG) + story.records(2))
    story.files.rename(f"{LOG}.swp", LOG)
    story.finish()


@scenario("S17 replaced by other content")
def s17_replaced_by_other_content(story: Story) -> None:
    story.write(4)
    story.meet()
    if story.condition == "killed":
        story.expected = story.runner.records.copy()
    story.files.create("/var/log/new", story.records(2))
    story.files.rename("/var/log/new", LOG)
    story.finish()


@scenario("S19 packed before it was fully read")
def s19_packed_before_it_was_fully_read(story: Story) -> None:
    story.write(3)
    story.meet()
    story.write(4)
    story.rotate()
    story.gzip(".1")
    story.write(1)
    story.finish()


@scenario("S20 packed after it was fully read")
def s20_packed_after_it_was_fully_read(story: Story) -> None:
    story.write(3)
    story.meet()
    story.rotate()
    story.write(1)
    story.look(20)
    story.gzip(".1")
    counts = story.finish()
    assert counts.get("recognised_archives", 0) == (story.condition == "running")


@scenario("S20 the archive of what was read has several members")
def s20_the_archive_of_what_was_read_has_several_members(story: Story) -> None:
    story.write(2)
    story.rotate()
    story.write(1)
    story.meet()
    content = story.files.read(f"{LOG}.1")
    story.files.unlink(f"{LOG}.1")
    story.files.create(f"{LOG}.1.gz", pack(content[:30], content[30:]))
    story.finish()


@scenario("S21 plain and packed twin")
def s21_plain_and_packed_twin(story: Story) -> None:
    story.write(3)
    story.meet()
    story.write(2)
    story.rotate()
    story.files.create(f"{LOG}.1.gz", pack(story.files.read(f"{LOG}.1")))
    story.write(1)
    story.look(20)
    story.files.unlink(f"{LOG}.1")
    story.finish()


@scenario("S22 the archive is still written")
def s22_the_archive_is_still_written(story: Story) -> None:
    story.write(3)
    story.meet()
    story.write(3, size=200)
    story.rotate()
    story.write(1)
    for _ in story.files.gzip(f"{LOG}.1", f"{LOG}.1.gz", slice_size=50):
        story.look(1)
    story.finish()


@scenario("S22 an archive that was never seen plain is still written")
def s22_an_archive_that_was_never_seen_plain_is_still_written(story: Story) -> None:
    story.write(1)
    story.meet()
    packed = pack(story.records(40))
    story.rotate(".2")
    story.files.create(f"{LOG}.1.gz", packed[:60])
    story.write(2)
    story.look(20)
    if story.runner.source is None:
        story.runner.open()
    story.runner.settle(30)
    counted = sum(story.runner.records.values())
    assert counted == (2 if story.condition == "killed" else 1)
    story.files.append(f"{LOG}.1.gz", packed[60:])
    story.finish()


@scenario("S23 half a line, an archive in the making, and a live file that goes on")
def s23_half_a_line_an_archive_in_the_making_and_a_live_file_that_goes_on(story: Story) -> None:
    story.write(2)
    story.meet()
    record = story.record()
    story.files.append(LOG, record[:7])
    story.rotate(".2")
    work = story.files.gzip(f"{LOG}.2", f"{LOG}.2.gz", slice_size=10)
    for _ in range(3):
        next(work)
    story.files.unlink(f"{LOG}.2")
    story.files.create(LOG, record[7:] + b"\n" + story.records(2))
    if story.runner.source is None:
        story.runner.open()
    story.runner.settle(60)
    if story.condition != "running":
        assert story.runner.source is not None
        assert story.runner.source.status().state == "waiting"
        assert not story.runner.source.exhausted()
    for _ in work:
        pass
    story.finish()


@scenario("S23 an archive with a hidden name")
def s23_an_archive_with_a_hidden_name(story: Story) -> None:
    """POCO from 1.14 on renames the live file to a hidden name and packs it there."""
    story.write(2)
    story.meet()
    story.write(2)
    hidden = "/var/log/.~app.log.20260303120000123"
    story.files.rename(LOG, hidden)
    story.write(2)
    story.look(20)
    if story.runner.source is None:
        story.runner.open()
    story.runner.settle(20)
    story.files.create(f"{hidden}.gz", pack(story.files.read(hidden)))
    story.files.unlink(hidden)
    story.look(2)
    story.files.rename(f"{hidden}.gz", f"{LOG}.20260303120000123.gz")
    story.finish()


@scenario("S24 the writer holds the file while it is packed")
def s24_the_writer_holds_the_file_while_it_is_packed(story: Story) -> None:
    """Lines that gzip missed come from the open file; without one (S24, down) they are gone with it."""
    story.write(3)
    story.meet()
    writer = story.files.writer(LOG)
    story.rotate()
    story.look()
    work = story.files.gzip(f"{LOG}.1", f"{LOG}.1.gz", slice_size=1000)
    next(work)
    if story.condition == "running":
        writer.write(story.records(2))
    story.write(1)
    for _ in work:
        story.look(1)
    if story.condition == "running":
        writer.write(story.records(1))
    writer.close()
    story.finish()


@scenario("S25 an archive that stays truncated")
def s25_an_archive_that_stays_truncated(story: Story) -> None:
    story.write(2)
    story.meet()
    story.write(1)
    story.rotate(".2")
    story.files.create(f"{LOG}.1.gz", pack(b"<never>\n" * 50)[:-9])
    story.write(2)
    counts = story.finish(400)
    assert counts["quarantined_archives"] == 1
    story.runner.kill()
    story.write(1)
    assert story.finish(30).get("quarantined_archives", 0) == 0  # remembered, not waited for again


@scenario("S25 an archive with a wrong checksum")
def s25_an_archive_with_a_wrong_checksum(story: Story) -> None:
    story.write(2)
    story.meet()
    story.rotate(".2")
    broken = bytearray(pack(b"<never>\n" * 50))
    broken[-5] ^= 1
    story.files.create(f"{LOG}.1.gz", bytes(broken))
    story.write(2)
    assert story.finish(400)["quarantined_archives"] == 1


@scenario("S26 several members")
def s26_several_members(story: Story) -> None:
    story.write(2)
    story.meet()
    story.rotate(".2")
    story.files.create(f"{LOG}.1.gz", pack(story.records(3), story.records(2), b"", story.records(1)))
    story.write(1)
    story.finish()


@scenario("S27 a gzip bomb")
def s27_a_gzip_bomb(story: Story) -> None:
    story.write(2)
    story.meet()
    story.rotate(".2")
    story.files.create(f"{LOG}.1.gz", pack(b"x" * 20_000_000))
    story.write(2)
    assert story.finish(400)["quarantined_archives"] == 1


@scenario("S28 killed in the middle of an archive", piece_size=200)
def s28_killed_in_the_middle_of_an_archive(story: Story) -> None:
    story.write(2)
    story.meet()
    story.rotate(".2")
    story.files.create(f"{LOG}.1.gz", pack(story.records(60)))
    story.write(1)
    if story.runner.source is None:
        story.runner.open()
    for _ in range(4):
        while not story.runner.try_to_read():
            story.clock.advance(1.0)
        story.runner.try_to_read()
        story.runner.commit(1)
        story.runner.kill()
        story.runner.open()
    story.finish()


@scenario("S29 a rotated fragment without a newline")
def s29_a_rotated_fragment_without_a_newline(story: Story) -> None:
    """A few bytes that begin like another file are not that file."""
    story.files.create(f"{LOG}.2", story.records(1)[:-1])
    story.files.create(f"{LOG}.1", b"\n" + story.records(2))
    story.write(1)
    story.meet()
    record = story.record()
    story.files.append(LOG, record[:2])
    story.rotate(".0")
    story.files.create(LOG, record[2:] + b"\n")
    story.look()
    story.rotate(".00")
    story.files.create(LOG, b"<9")
    story.expected[b"<9>"] += 1
    story.look()
    story.files.append(LOG, b">\n" + story.records(1))
    story.finish()


@scenario("S30 a longer file with the same beginning", rotation="rename")
def s30_a_longer_file_with_the_same_beginning(story: Story) -> None:
    """A finished stream is met again only at its exact length."""
    shared = story.records(2)
    story.files.create(f"{LOG}.2", shared)
    story.write(1)
    story.meet()
    story.files.rename(f"{LOG}.2", f"{LOG}.3")
    story.rotate(".2")
    story.files.create(f"{LOG}.1", shared + story.records(3))
    for record in shared.split():
        story.expected[record] += 1
    story.write(1)
    story.finish()


@scenario("S30 a longer file with the same beginning in a reused inode")
def s30_in_a_reused_inode(story: Story) -> None:
    """While nobody looked, one file went and another came, with the same number and the same first line."""
    shared = story.records(1)
    story.files.create(f"{LOG}.1", shared)
    story.write(1)
    story.meet()
    if story.condition == "running":
        story.runner.stop()
    before = story.files.stat(f"{LOG}.1").ino
    story.files.unlink(f"{LOG}.1")
    story.files.create(f"{LOG}.1", shared + story.records(1))
    assert story.files.stat(f"{LOG}.1").ino == before
    story.expected[shared.strip()] += 1
    story.finish()


@scenario("S31 an older archive is the beginning of a newer one", rotation="rename")
def s31_an_older_archive_is_the_beginning_of_a_newer_one(story: Story) -> None:
    story.write(1)
    story.meet()
    shared = story.records(1)
    story.rotate(".3")
    story.files.create(f"{LOG}.2", shared)
    story.files.create(f"{LOG}.1", shared + story.records(2))
    story.expected[shared.strip()] += 1
    story.write(1)
    story.finish()


@scenario("S32 old archives appear late")
def s32_old_archives_appear_late(story: Story) -> None:
    """Known content is skipped; what was never seen is read by itself, behind what is younger."""
    story.write(2)
    known = story.files.read(LOG)
    story.rotate(".1")
    story.write(2)
    story.meet()
    story.files.create(f"{LOG}.8.gz", pack(known))
    story.files.create(f"{LOG}.9.gz", pack(story.records(3)[:-1]))
    story.look(20)
    counts = story.finish()
    assert counts["late_archives"] == 1


@scenario("S32 archives that are too old", archive_max_age=86_400.0)
def s32_archives_that_are_too_old(story: Story) -> None:
    story.files.create(f"{LOG}.9", b"<old>\n")
    story.clock.advance(90_000)
    story.write(2)
    story.meet()
    story.finish()


@scenario("S33 an archive is deleted before it was read")
def s33_an_archive_is_deleted_before_it_was_read(story: Story) -> None:
    """A running reader has the file open; else the loss is counted."""
    story.write(3)
    story.meet()
    story.rotate()
    if story.condition == "killed":
        story.expected = story.runner.records.copy()
    story.files.unlink(f"{LOG}.1")
    story.look(1)
    story.files.create("/var/log/other", b"")
    story.write(2)
    counts = story.finish()
    assert counts.get("lost_streams", 0) + counts.get("truncations", 0) == (story.condition != "running")


@scenario("S36 the last line of a finished file has no newline")
def s36_the_last_line_of_a_finished_file_has_no_newline(story: Story) -> None:
    story.write(2)
    story.meet()
    story.files.append(LOG, story.record())
    story.rotate()
    story.look()
    story.write(2)
    story.finish()


@scenario("S37 a line is split over the rotation")
def s37_a_line_is_split_over_the_rotation(story: Story) -> None:
    story.write(2)
    story.meet()
    record = story.record()
    story.files.append(LOG, record[:9])
    story.look()
    story.rotate()
    story.gzip(".1")
    story.look()
    story.files.create(LOG, record[9:] + b"\n" + story.records(2))
    story.finish()


@scenario("S37 a line is split over three files")
def s37_a_line_is_split_over_three_files(story: Story) -> None:
    story.write(2)
    story.meet()
    record = story.record(100)
    for number, piece in ((3, record[:9]), (2, record[9:20]), (1, record[20:30])):
        story.files.append(LOG, piece)
        story.look()
        story.rotate(f".{number}")
        story.gzip(f".{number}")
    story.files.create(LOG, record[30:] + b"\n")
    story.finish()


@scenario("S41 a hole after copytruncate")
def s41_a_hole_after_copytruncate(story: Story) -> None:
    """A writer without O_APPEND goes on at its old place; the hole may have gigabytes and has no line."""
    story.write(1)
    story.meet()
    writer = story.files.writer(LOG, append=False)
    writer._position = story.files.stat(LOG).size + 3 * 2**30
    story.copytruncate()
    writer.write(story.records(2))
    story.look()
    writer.write(story.records(1))
    story.finish()
    story.rotate(".0")
    story.write(1)
    story.finish()


@scenario("S41 the file with the hole is packed")
def s41_the_file_with_the_hole_is_packed(story: Story) -> None:
    story.write(1)
    story.meet()
    writer = story.files.writer(LOG, append=False)
    writer._position = story.files.stat(LOG).size + 20 * 2**20
    story.copytruncate(".2")
    writer.write(story.records(2))
    story.look(20)
    story.rotate(".1")
    story.gzip(".1")
    story.write(1)
    story.finish()


@scenario("S43 empty files and blank lines")
def s43_empty_files_and_blank_lines(story: Story) -> None:
    story.files.create(f"{LOG}.3", b"")
    story.files.create(f"{LOG}.2", b"\n\n\n")
    story.files.create(f"{LOG}.1.gz", pack(b""))
    story.files.create(LOG)
    story.meet()
    story.rotate(".0")
    story.files.create(LOG)
    story.look(20)
    story.write(1)
    story.finish()


@scenario("S49 the path is spelt in another way")
def s49_the_path_is_spelt_in_another_way(story: Story) -> None:
    """The cursor belongs to the content; editing the configuration loses nothing."""
    story.write(3)
    story.meet()
    story.runner.options["path"] = "/var/log/*.log"
    if story.condition == "running":
        story.runner.stop()
    story.write(1)
    story.finish()


@scenario("S49 the log moves to another directory")
def s49_the_log_moves_to_another_directory(story: Story) -> None:
    story.write(3)
    story.meet()
    if story.condition == "running":
        story.runner.stop()
    story.files.rename(LOG, "/srv/app.log")
    story.runner.options["path"] = "/srv/app.log"
    story.write(2, path="/srv/app.log")
    story.finish()


@scenario("S50 the live file may not be read for a while")
def s50_the_live_file_may_not_be_read_for_a_while(story: Story) -> None:
    story.write(2)
    story.meet()
    story.files.deny(LOG)
    if story.runner.source is None:
        story.runner.open()
    story.clock.advance(2.0)
    story.runner.try_to_read()
    assert story.runner.source is not None
    assert story.runner.source.status().state == "failing"
    assert story.runner.failures
    story.runner.settle(600)
    story.files.heal()
    story.write(2)
    story.finish()


@scenario("S50 the device fails for a while")
def s50_the_device_fails_for_a_while(story: Story) -> None:
    story.write(2)
    story.meet()
    story.write(1)
    story.files.break_reads(LOG, errno.EIO)
    story.look(20)
    if story.runner.source is None:
        story.runner.open()
    story.runner.settle(20)
    assert story.runner.failures
    story.files.heal()
    story.finish()


@scenario("S50 an archive may not be read for a while")
def s50_an_archive_may_not_be_read_for_a_while(story: Story) -> None:
    story.write(2)
    story.meet()
    story.write(1)
    story.rotate()
    story.files.deny(f"{LOG}.1")
    story.write(2)
    story.look(20)
    if story.runner.source is None:
        story.runner.open()
    story.runner.settle(100)
    story.files.heal()
    story.finish()


@scenario("S50 archives belong to another user")
def s50_archives_belong_to_another_user(story: Story) -> None:
    """Nothing is read past them and nothing is put aside, however long it takes somebody to notice."""
    story.write(2)
    story.meet()
    story.write(1)
    story.rotate(".3")
    story.archive(".2.gz", story.records(3))
    story.archive(".1", story.records(3))
    for suffix in (".3", ".2.gz", ".1"):
        story.files.forbid(LOG + suffix)
    story.write(2)
    story.clock.advance(86_400.0)
    if story.runner.source is None:
        story.runner.open()
    story.runner.settle(900)
    assert story.runner.failures
    assert story.runner.counts.get("quarantined_archives", 0) == 0
    assert story.runner.source is not None
    assert not story.runner.source.exhausted()
    story.runner.kill()
    story.finish_after_healing()


@scenario("S50 an archive that came late belongs to another user")
def s50_an_archive_that_came_late_belongs_to_another_user(story: Story) -> None:
    """The live file goes on, and the archive is read once it may be."""
    story.write(2)
    story.meet()
    story.archive(".7.gz", story.records(3))
    story.files.forbid(f"{LOG}.7.gz")
    story.write(2)
    story.look(600)
    story.write(2)
    if story.runner.source is None:
        story.runner.open()
    story.runner.settle(600)
    assert story.runner.failures
    assert story.expected.total() - story.runner.records.total() == 3
    story.finish_after_healing()


@scenario("S50 the path is missing at first")
def s50_the_path_is_missing_at_first(story: Story) -> None:
    story.meet_nothing()
    story.write(2)
    story.finish()


@scenario("S51 two rotations between two looks")
def s51_two_rotations_between_two_looks(story: Story) -> None:
    story.write(2)
    story.meet()
    story.write(3)
    story.rotate(".2")
    story.gzip(".2")
    story.write(3)
    story.rotate(".1")
    story.write(1)
    story.finish()


@scenario("S51 two copytruncates between two looks")
def s51_two_copytruncates_between_two_looks(story: Story) -> None:
    story.write(2)
    story.meet()
    story.write(3)
    story.copytruncate(".2")
    story.write(3)
    story.copytruncate(".1")
    story.write(1)
    story.finish()


@scenario("S52 the clock jumps")
def s52_the_clock_jumps(story: Story) -> None:
    story.write(2)
    story.meet()
    for jump in (3600, -7200, 31_536_000, -31_536_000):
        story.clock.step(jump)
        story.write(1)
        story.look()
    story.rotate()
    story.clock.step(-3600)
    story.write(1)
    story.look()
    story.clock.step(7200)
    story.finish()


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_each_record_is_counted_once(name: str, condition: Condition) -> None:
    scene, options = SCENARIOS[name]
    scene(Story(condition, options))
