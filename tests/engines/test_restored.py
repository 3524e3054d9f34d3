"""Counters at a real Prometheus after a restore from a snapshot: nothing counts twice, and nothing is refused."""

from __future__ import annotations

from typing import Any

import pytest

from engines.test_remote_write import WINDOW, World, server, worlds
from pipeline.metered import MINUTE
from pipeline.test_restoring import Forgetful, Stream, lose, snapshot

__all__ = ["server", "worlds"]


@pytest.mark.parametrize("window", [WINDOW, 0.0])
def test_what_is_read_again_grows_by_what_was_counted(window: float, worlds: Any) -> None:
    """Without a restore's rule 15 would follow on 35, and 50 on 15: 50 more than there were."""
    world: World = worlds(out_of_order_window=window)
    world.runner.source = Forgetful()
    world.runner.minutes(5, a=3, b=1)
    snapshot(world.runner)
    world.runner.minutes(4, a=5)
    lose(world.runner)
    world.runner.away(3, a=2)
    world.runner.minutes(4, a=2, b=1)
    world.finish()
    assert world.value('m_n_total{@, key="a"}') == sum(world.runner.events["a"].values()) == 49
    assert increase(world, "a") == 49
    assert increase(world, "b") == 9


def test_counters_begin_with_nothing_where_something_is_gone(worlds: Any) -> None:
    """The server has 35; a step from 35 to 23 would count 23."""
    world: World = worlds()
    world.runner.source = Stream()
    world.runner.minutes(5, a=3, b=1)
    snapshot(world.runner)
    world.runner.minutes(4, a=5)
    sent = world.samples("a")[-1][1]
    lose(world.runner)
    world.runner.source.logs["log"] = world.runner.source.logs["log"][: -12 * len(b"1700000000 a 1 u\n")]
    world.runner.minutes(6, a=2)
    world.finish()
    assert increase(world, "a") == sent + 12
    assert world.value('resets(m_n_total{@, key="a"}[1h])') == 1
    assert increase(world, "b") == 5


def increase(world: World, key: str) -> float:
    """What the server itself makes of the samples: growth, where a fall is a counter that began with 0."""
    samples = world.samples(key)
    first, last = samples[0], samples[-1]
    span = round(last[0] - first[0])
    back = world.clock.now - world.clock.now % MINUTE - last[0]
    # extrapolation is undone: the range is as long as what the samples cover, and both its ends have one
    return round(world.value(f'increase(m_n_total{{@, key="{key}"}}[{span}s])', back=back), 6)
