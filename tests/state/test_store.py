"""One file, one writer, one commit (reliability 8, S46-S48)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pegel.errors import StateError
from pegel.state import State, snapshots
from pegel.state.lock import refuse_network_file_system
from pegel.state.sampled import Course
from pegel.state.schema import MIGRATIONS


def test_s47_a_second_runner_is_refused(tmp_path: Path) -> None:
    first = State(tmp_path / "state")
    with pytest.raises(StateError, match="another runner"):
        State(tmp_path / "state")
    first.close()
    State(tmp_path / "state").close()


def test_a_runner_that_was_taken_over_can_no_longer_commit(tmp_path: Path) -> None:
    """The lock may be lost (a copied directory, a broken disk): the boot number decides."""
    state = State(tmp_path / "state")
    with sqlite3.connect(state.path) as other:
        other.execute("update meta set value = 99 where name = 'boot'")
    other.close()
    with pytest.raises(StateError, match="taken over"), state.transaction():
        pass
    state.close()


def test_a_state_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    State(tmp_path / "state").close()
    with sqlite3.connect(tmp_path / "state" / "state.db") as other:
        other.execute(f"pragma user_version = {len(MIGRATIONS) + 1}")
    other.close()
    with pytest.raises(StateError, match="newer"):
        State(tmp_path / "state")


def test_the_directory_is_private(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    state.close()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_network_file_systems_are_refused(tmp_path: Path, kind: str) -> None:
    """Locks and WAL are not safe there."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/root / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\n")
    with pytest.raises(StateError, match="local disk"):
        refuse_network_file_system(tmp_path, mounts)


def test_a_local_mount_below_a_network_mount_is_fine(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path.parent} nfs rw 0 0\n/dev/sdb {tmp_path} ext4 rw 0 0\n")
    refuse_network_file_system(tmp_path, mounts)


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    with pytest.raises(ZeroDivisionError), state.transaction():  # noqa: PT012 - the block is what fails
        state.count("records_total", 5, source="a")
        raise ZeroDivisionError
    assert state.counters() == {}
    with state.transaction():
        state.count("records_total", 5, source="a")
    assert list(state.counters().values()) == [5]
    state.close()


def test_s48_a_damaged_state_comes_back_from_its_snapshot(tmp_path: Path) -> None:
    """The broken file is kept aside; the sources are replayed from the snapshot's positions."""
    state = State(tmp_path / "state")
    with state.transaction():
        state.count("records_total", 5, source="a")
    snapshots.take(state.path)
    with state.transaction():
        state.count("records_total", 1, source="a")
    state.close()
    damage(tmp_path / "state" / "state.db")
    again = State(tmp_path / "state")
    assert again.restored is not None
    assert list(again.counters().values()) == [5]
    assert list((tmp_path / "state").glob("state.db.corrupt-*"))
    again.close()


def test_s48_a_damaged_state_without_a_snapshot_is_refused_unless_the_loss_is_accepted(
    tmp_path: Path,
) -> None:
    """Never silently from the end or from 0."""
    State(tmp_path / "state").close()
    damage(tmp_path / "state" / "state.db")
    with pytest.raises(StateError, match="accept-state-loss"):
        State(tmp_path / "state")
    state = State(tmp_path / "state", accept_loss=True)
    assert state.counters() == {}
    state.close()


def test_two_generations_of_snapshots_are_kept(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    for number in range(3):
        with state.transaction():
            state.count("records_total", 1, source="a")
        snapshots.take(state.path)
        assert len(list((tmp_path / "state").glob("state.db.snapshot-?"))) == min(number + 1, 2)
    state.close()


def test_a_disk_that_is_full_fails_the_commit_and_moves_nothing(tmp_path: Path) -> None:
    """S46: rolled back, and the error says that trying again may help."""
    state = State(tmp_path / "state")
    (pages,) = state.connection.execute("pragma page_count").fetchone()
    state.connection.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(StateError) as caught, state.transaction() as connection:
        connection.execute(
            "insert into dead (sink, reason, payload, count, created) values ('s', 'r', ?, 1, 0)",
            (b"x" * 10**6,),
        )
    assert not caught.value.fatal
    state.connection.execute("pragma max_page_count = 1000000")
    with state.transaction():
        state.count("records_total", 1, source="a")
    assert state.connection.execute("select count(*) from letters").fetchone() == (0,)
    state.close()


def damage(path: Path) -> None:
    """Overwrite every page of a database but its header."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    data = bytearray(path.read_bytes())
    for place in range(100, len(data), 512):
        data[place : place + 256] = b"\xff" * len(data[place : place + 256])
    path.write_bytes(data)


def test_s45_a_commit_is_on_the_disk_before_anything_that_follows_from_it(tmp_path: Path) -> None:
    """With `synchronous=NORMAL` a power cut may take back a commit whose points a sink has seen."""
    state = State(tmp_path / "state")
    assert state.connection.execute("pragma synchronous").fetchone() == (2,)
    assert state.connection.execute("pragma journal_mode").fetchone() == ("wal",)
    state.close()


def test_a_copied_state_gets_a_name_of_its_own_and_goes_on_from_its_totals(tmp_path: Path) -> None:
    """Its series are new ones at the sinks: what was sent under the old name is not theirs."""
    state = State(tmp_path / "state")
    former = state.identity
    labels = (("key", "a"),)
    with state.transaction():
        state.sampled.save("far", "m", [Course(labels, 1, 5, 5, True, {"n": 3}, {"n": 4})])
        state.renew_identity()
    state.close()
    state = State(tmp_path / "state")
    assert state.identity != former
    (course,) = state.sampled.some("far", "m", [labels]).values()
    assert (course.sent, course.due, course.time, course.live) == ({"n": 4}, None, None, False)
    state.close()
