"""Deletions: each object once, whatever is told again, and no memory of those that are long gone."""

from __future__ import annotations

from collections import Counter

from doubles import FakeClock
from pegel.sources import Position
from pegel.sources.bucket.layout import Layout
from pegel.sources.bucket.ledger import Ledger
from pegel.sources.bucket.pump import Pump
from pegel.sources.bucket.removing import Remover
from sources.fake_bucket import FakeBucket


def test_what_is_told_again_is_deleted_once_and_forgotten_in_the_end() -> None:
    """A runner tells of an object until a commit says that it is gone; in a year there are millions."""
    bucket, counts, pump = FakeBucket(), Counter[str](), Pump()
    remover = Remover(pump, bucket, Ledger("logs", Layout(""), (), counts), FakeClock(), counts)
    told: list[Position] = []
    for number in range(11_000):
        bucket.put(f"k{number}", b"")
        told.append(Position(f"logs/k{number}", number, 0, {"etag": bucket.objects[f"k{number}"].etag}, done=True))
    for _ in range(2):
        remover.add(told[:1_000])
        _work(remover, pump)
    assert (counts["deleted_objects"], bucket.asked["delete"]) == (1_000, 1_000)
    remover.add(told)
    _work(remover, pump)
    assert bucket.asked["delete"] == 11_000
    assert len(remover._known) == 10_000
    pump.close()


def _work(remover: Remover, pump: Pump) -> None:
    while remover.left or remover.busy:
        remover.tick()
        pump.run(0.0)
