"""No address and no device id of the log leaves the process or reaches its disk: only counts and keyed hashes do."""

from __future__ import annotations

import base64
import json
import logging
import re
import sqlite3
import threading
import zlib
from itertools import islice
from pathlib import Path

import pytest

from pegel.pipeline import Runner
from pegel.pipeline.service import Service
from pegel.samples.ookla_log import PROFILES, records
from pegel.state import snapshots
from presets import ookla_oracle as oracle
from presets.canaries import everything_in
from presets.ookla_run import Run

NOON = 1_772_539_200.0


def log_of(count: int) -> bytes:
    return b"".join(record for _, record in islice(records(51, NOON, PROFILES["dirty"].at_rate(20.0)), count))


def canaries(log: bytes) -> set[bytes]:
    """Everything in a log that stands for a person or a device, in clear and as it stands in tokens."""
    found = set(re.findall(rb"^[0-9a-f]{40}", log, re.MULTILINE))
    found |= set(re.findall(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}", log))
    for payload in re.findall(rb"eyJhbGci[A-Za-z0-9_-]+\.([A-Za-z0-9_-]{40,})", log):
        found.add(payload[:40])
        try:
            claims = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        except ValueError:
            continue
        data = claims.get("data", {}) if isinstance(claims, dict) else {}
        found |= {str(data[name]).encode() for name in ("deviceId", "ip") if len(str(data.get(name, ""))) > 6}
    return found


def leaks(directory: Path, secrets: set[bytes]) -> list[tuple[str, bytes]]:
    pattern = re.compile(b"|".join(map(re.escape, sorted(secrets))))
    return [(name, found[0]) for name, data in everything_in(directory) if (found := pattern.search(data))]


def test_no_address_id_or_token_reaches_the_disk_or_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """State with its write-ahead log and snapshots, spill, outbox, sinks and messages, while it runs and after."""
    log = log_of(4000)
    secrets = canaries(log)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / oracle.LIVE).write_bytes(log + log[-200:])
    run = Run(tmp_path / "run", tmp_path / "log")
    with caplog.at_level(logging.DEBUG):
        runner = Runner(run.plan())
        runner.open()
        Service(runner, threading.Event()).run_once(close_all=True, patience=10.0)
        snapshots.take(runner.state.path)
        assert leaks(tmp_path / "run", secrets) == []
        runner.close()
    assert leaks(tmp_path / "run", secrets) == []
    assert not [secret for secret in secrets if secret.decode() in caplog.text]
    assert run.points()


def test_the_search_would_find_a_leak(tmp_path: Path) -> None:
    """A search that finds nothing anywhere proves nothing."""
    log = log_of(500)
    secrets = canaries(log)
    assert any(secret.startswith(b"2001:db8:") for secret in secrets)
    assert any(re.fullmatch(rb"198\.51\.100\.\d+", secret) for secret in secrets)
    secret = min(secrets)
    with sqlite3.connect(tmp_path / "state.db") as database:
        database.execute("create table cursor (text blob)")
        database.execute("insert into cursor values (?)", [zlib.compress(b"offset 12 " + secret)])
    database.close()
    assert [found for _, found in leaks(tmp_path, secrets)] == [secret]
