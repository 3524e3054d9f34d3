"""Workers and coordinator as real processes on a real bucket, killed while they work: no number changes."""

from __future__ import annotations

import json
import random
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engines.crew import Crew, until
from engines.s3 import RealBucket
from pegel.sinks.ndjson import show_time

NOON = 1_772_539_200
CERTIFICATES = Path(__file__).parent / "certificates"
STRANGER = Path(__file__).parents[1] / "sinks" / "certificates" / "client.pem"


@pytest.fixture
def crew(tmp_path: Path, objects: RealBucket) -> Iterator[Crew]:
    made = Crew(tmp_path, objects)
    yield made
    made.stop()


def fill(objects: RealBucket, count: int, rows: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Put objects that overlap in time; returns what is in them, counted here: by minute and key."""
    chance = random.Random(count)
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    values: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number in range(count):
        lines = []
        for _ in range(rows):
            time, key = NOON + number * 5 + chance.randrange(9), chance.choice("abc")
            value, user = chance.randrange(1000), f"u{chance.randrange(200)}"
            lines.append(json.dumps({"time": time, "key": key, "value": value, "user": user}))
            place = (show_time((time - time % 60) * 10**6), key)
            values[place].append(value)
            users[place].add(user)
        objects.put(f"20260303/12/{'ab'[number % 2]}+{number:04d}.ndjson", "\n".join(lines).encode())
    return {
        place: {"n": len(found), "total": sum(found), "users": len(users[place]), "top": max(found)}
        for place, found in values.items()
    }


def test_killing_workers_and_the_coordinator_changes_no_number(crew: Crew) -> None:
    """A worker dies with shares in its hands, the coordinator with shares under way; both come back as others."""
    count = 120
    expected = fill(crew.bucket, count, 1500)
    crew.scheduler()
    victim, other = crew.worker(), crew.worker()
    coordinator = crew.run()
    until(lambda: crew.counted() > 2)
    victim.send_signal(signal.SIGKILL)
    reached = crew.counted()
    until(lambda: crew.counted() > min(reached + 10, count - 10))
    coordinator.send_signal(signal.SIGKILL)
    coordinator.wait(20)
    assert crew.counted() < count, "all was counted before anybody died"
    crew.worker()
    other.send_signal(signal.SIGKILL)
    assert crew.run("--once", "--close").wait(120) == 0
    assert crew.counted() == count
    assert crew.points() == expected


def test_without_a_scheduler_objects_wait_and_one_that_comes_is_found(crew: Crew) -> None:
    """Who starts first does not matter; what is missing is said."""
    expected = fill(crew.bucket, 4, 20)
    coordinator, worker = crew.run(), crew.worker()
    until(lambda: "nobody listens there; start one" in crew.heard(worker))
    until(lambda: "cannot be read and is tried again: the scheduler" in crew.heard(coordinator))
    assert crew.counted() == 0
    crew.scheduler()
    until(lambda: crew.counted() == 4)
    until(lambda: crew.points() == expected)
    for process in (coordinator, worker):
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_worker_with_another_configuration_does_nothing(crew: Crew) -> None:
    fill(crew.bucket, 2, 5)
    other = crew.place / "other.toml"
    other.write_text(crew.config.read_text().replace("max(value)", "min(value)"))
    other.chmod(0o600)
    crew.scheduler()
    crew.worker(config=other)
    coordinator = crew.run()
    until(lambda: "different are: metric requests; give all machines the same" in crew.heard(coordinator))
    assert crew.counted() == 0


def test_with_tls_both_sides_show_certificates(tmp_path: Path, objects: RealBucket) -> None:
    """A scheduler runs what it is sent: who has no certificate of the authority gets no connection."""
    expected = fill(objects, 3, 20)
    mine, authority = CERTIFICATES / "machine.pem", CERTIFICATES / "authority.pem"
    files = f'ca_file = "{authority}"\ncert_file = "{mine}"\nkey_file = "{mine}"'
    crew = Crew(tmp_path, objects, scheme="tls", tls=files)
    stranger = tmp_path / "stranger.toml"
    stranger.write_text(crew.config.read_text().replace(str(mine), str(STRANGER)))
    stranger.chmod(0o600)
    try:
        crew.scheduler(
            *(f"--tls-{name}={file}" for name, file in (("ca-file", authority), ("cert", mine), ("key", mine)))
        )
        refused = crew.worker(config=stranger)
        until(lambda: "the certificates of both sides must be signed by an authority" in crew.heard(refused))
        refused.send_signal(signal.SIGKILL)
        crew.worker()
        assert crew.run("--once", "--close").wait(120) == 0
        assert crew.points() == expected
    finally:
        crew.stop()
