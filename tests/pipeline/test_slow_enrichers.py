"""Look-ups that take their time: on a thread of their own in a service, in line where there is one thread."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from doubles import House, metric, settle
from enrichers.rows import table
from enrichers.whois_server import FakeWhois, routes
from pegel.enrichers import Enricher
from pegel.enrichers.asn import Asn
from pegel.enrichers.inquiry import Whois
from pegel.pipeline import Runner, trial
from pegel.pipeline.service import Service
from pegel.plan import SourcePlan
from pegel.seams import SystemClock
from pegel.table import Columns, Table
from pegel.units import Duration

NOON = 1_772_539_200
ROUTES = routes([("8.8.8.0/24", "64500", "Beispiel"), ("9.9.9.0/24", "64501", "Exempel")])


@dataclass
class Slow(Enricher):
    """Notes who tends it, and where it may keep something."""

    tended_by: set[str] = field(default_factory=set)
    directories: list[Path] = field(default_factory=list)
    tended: threading.Event = field(default_factory=threading.Event)

    def needs(self, columns: Columns) -> frozenset[str]:  # noqa: ARG002
        return frozenset()

    def adds(self, columns: Columns) -> Columns:  # noqa: ARG002
        return {"asn": "VARCHAR"}

    def enrich(self, table: Table) -> Table:
        return table.with_columns({"asn": "'1'"}, {"asn": "VARCHAR"})

    def settle_in(self, directory: Path) -> None:
        assert directory.is_dir()
        self.directories.append(directory)

    @property
    def slow(self) -> bool:
        return True

    def tend(self, patience: float) -> None:
        self.tended_by.add(threading.current_thread().name)
        if patience:
            self.tended.set()
            threading.Event().wait(min(patience, 0.01))


def house(tmp_path: Path, *enrichers: Enricher) -> House:
    def change(plan: SourcePlan) -> SourcePlan:
        columns = {**plan.columns, "asn": "VARCHAR"}
        return replace(plan, enrichers=enrichers, columns=columns, private=frozenset({"user", "key"}))

    labelled = replace(metric(n="count(*)"), labels=["asn"])
    return House(tmp_path, metrics=[labelled], change=change)


def opened(built: House) -> Runner:
    runner = Runner(built.plan(), clock=SystemClock())
    runner.open()
    return runner


def asn(server: FakeWhois, wait: float = 10.0, timeout: float = 5.0) -> Asn:
    options = Whois(server="127.0.0.1", port=server.port, wait=Duration(wait), timeout=Duration(timeout))
    return Asn(column="key", columns={"asn": "asn"}, whois=options)


def counts(built: House) -> dict[str, int]:
    return {labels[0][1]: values["n"] for (_, labels), values in built.sink.newest().items()}


def test_an_enricher_of_two_sources_is_tended_by_one_thread_that_ends(tmp_path: Path) -> None:
    """Two would ask one server at the same time."""
    slow, before = Slow(), threading.active_count()
    built = house(tmp_path, slow, slow)
    runner, stop = opened(built), threading.Event()
    assert runner.slow_enrichers == [slow]
    assert slow.directories == [tmp_path / "state"]
    service = threading.Thread(target=Service(runner, stop).run, name="service")
    service.start()
    assert slow.tended.wait(10)
    stop.set()
    service.join(20)
    runner.close()
    assert slow.tended_by == {"service", "tend-0"}
    assert threading.active_count() == before


def test_in_one_thread_it_is_tended_in_line(tmp_path: Path) -> None:
    """Simulations have no other."""
    slow = Slow()
    house(tmp_path, slow).run()
    assert slow.tended_by == {threading.current_thread().name}


def test_records_of_one_run_have_the_answer_that_came_in_time(tmp_path: Path) -> None:
    """A run from cron is over before a second batch could know."""
    with FakeWhois(ROUTES) as server:
        built = house(tmp_path, asn(server))
        built.source.write((NOON, "8.8.8.8", 1, "u"), (NOON, "9.9.9.9", 1, "u"), (NOON, "10.0.0.1", 1, "u"))
        runner = opened(built)
        assert Service(runner, threading.Event()).run_once(close_all=True, patience=5.0) == ""
        runner.close()
    assert counts(built) == {"64500": 1, "64501": 1, "unknown": 1}
    assert server.queries == [["8.8.8.0", "9.9.9.0"]]


def test_the_next_run_knows_without_asking(tmp_path: Path) -> None:
    with FakeWhois(ROUTES) as server:
        for second in range(2):
            built = house(tmp_path, asn(server))
            built.source.write((NOON + second, "8.8.8.8", 1, "u"), partition=f"log{second}")
            runner = opened(built)
            Service(runner, threading.Event()).run_once(close_all=True, patience=5.0)
            runner.close()
            assert counts(built).keys() == {"64500"}
    assert len(server.queries) == 1


def test_one_thread_knows_from_the_second_batch_on(tmp_path: Path) -> None:
    with FakeWhois(ROUTES) as server:
        built = house(tmp_path, asn(server, wait=60.0))
        runner = built.runner()
        for _ in range(2):
            built.source.write((NOON, "8.8.8.8", 1, "u"))
            settle(runner)
        runner.last_turn(close_all=True)
        settle(runner)
        runner.close()
    assert counts(built) == {"unknown": 1, "64500": 1}


def test_a_backlog_behind_a_silent_server_waits_once() -> None:
    """Null-routed: connections are accepted and nothing ever comes."""
    with FakeWhois(hang=True) as server:
        enricher, done = asn(server, wait=0.3), threading.Event()
        enricher.tend(0.0)

        def tend() -> None:
            while not done.is_set():
                enricher.tend(0.1)

        thread = threading.Thread(target=tend)
        thread.start()
        start = time.monotonic()
        for batch in range(100):
            with table({"key": [f"9.{batch}.{one}.9" for one in range(20)]}) as given:
                assert enricher.enrich(given).rows("asn") == [("unknown",)] * 20
        took = time.monotonic() - start
        done.set()
        thread.join(10)
    assert took < 15  # 100 batches that each waited would be 30 s
    assert len(server.queries) == 1


def test_a_server_that_is_down_changes_no_count(tmp_path: Path) -> None:
    with FakeWhois() as server:
        pass
    built = house(tmp_path, asn(server))
    built.source.write(*[(NOON, f"9.9.{one}.9", 1, "u") for one in range(100)])
    runner = opened(built)
    Service(runner, threading.Event()).run_once(close_all=True, patience=5.0)
    runner.close()
    assert counts(built) == {"unknown": 100}


def test_a_trial_tells_nobody_anything_and_waits_for_nobody(tmp_path: Path) -> None:
    """`pegel test` in a build must not depend on a server, nor tell it who was in the log."""
    with FakeWhois(ROUTES) as server:
        built = house(tmp_path, asn(server, wait=60.0))
        built.source.write((NOON, "8.8.8.8", 1, "u"))
        (found,) = trial.run(built.plan(), remembered=tmp_path / "state").points
        assert found.labels == (("asn", "unknown"),)
    assert server.queries == []
    assert not (tmp_path / "state").exists()


def test_a_trial_knows_what_the_runner_has_asked(tmp_path: Path) -> None:
    """Else a preview would show other providers than the runner beside it."""
    with FakeWhois(ROUTES) as server:
        built = house(tmp_path, asn(server))
        built.source.write((NOON, "8.8.8.8", 1, "u"))
        runner = opened(built)
        Service(runner, threading.Event()).run_once(close_all=True, patience=5.0)
        runner.close()
        before = {one.name: one.read_bytes() for one in (tmp_path / "state").glob("whois.db*")}
        for remembered, known in ((tmp_path / "state", "64500"), (None, "unknown")):
            fresh = house(tmp_path / "other", asn(server))
            fresh.source.write((NOON, "8.8.8.8", 1, "u"))
            (found,) = trial.run(fresh.plan(), remembered=remembered).points
            assert found.labels == (("asn", known),)
    assert len(server.queries) == 1
    assert before == {one.name: one.read_bytes() for one in (tmp_path / "state").glob("whois.db*")}
