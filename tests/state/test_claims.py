from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pegel.errors import StateError
from pegel.state import State, claims, connect
from pegel.state.schema import migrate


@pytest.fixture
def live(tmp_path: Path) -> Path:
    State(tmp_path / "live").close()
    return tmp_path / "live"


def shown(live: Path, metric: str, first: int) -> None:
    state = State(live)
    with state.transaction():
        state.remember(claims.first_key(metric), first)
    state.close()


def test_a_claim_ends_where_the_runner_began(live: Path) -> None:
    shown(live, "m", 600)
    assert claims.claim(live, {"m": 999, "never": 300}) == {"m": 600, "never": 300}


def test_a_claim_stays_as_it_is(live: Path) -> None:
    """The runner has heeded it since; a second back-fill must not see another border."""
    claims.claim(live, {"m": 300})
    shown(live, "m", 600)
    assert claims.claim(live, {"m": 999}) == {"m": 300}


def test_a_runner_at_work_can_be_claimed_from(live: Path) -> None:
    state = State(live)
    claims.claim(live, {"m": 300})
    spans = claims.from_text(state.meta(claims.foreign_key("m")))
    state.close()
    assert (claims.is_in(spans, 299), claims.is_in(spans, 300)) == (True, False)


def test_a_state_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot write to"):
        claims.claim(tmp_path / "nowhere", {"m": 300})


def test_what_a_back_fill_has_counted_is_known_when_it_has_finished(live: Path) -> None:
    shown(live, "m", 600)
    assert claims.counted(live) is None
    state = State(live)
    with state.transaction() as connection:
        connection.execute("insert into metrics (name, definition, watermark) values ('m', '{}', 1800)")
        state.remember(claims.FINISHED, 1)
    state.close()
    assert claims.counted(live) == {"m": (600, 1800)}


def test_nothing_may_be_claimed_of_a_state_that_does_not_know_its_first_window(tmp_path: Path) -> None:
    """An older program has shown windows and did not write down which; a claim would overwrite them."""
    (tmp_path / "old").mkdir(mode=0o700)
    with closing(connect(str(tmp_path / "old" / "state.db"))) as old:
        migrate(old, 3)
        old.execute("insert into metrics (name, definition, watermark) values ('m', '{}', 1800)")
    State(tmp_path / "old").close()
    (end,) = claims.claim(tmp_path / "old", {"m": 999}).values()
    assert end <= -(2**61)


def test_no_span_claims_nothing() -> None:
    assert claims.from_text(None) == ()
    assert not claims.is_in((), 5)
    assert claims.from_text(claims.to_text([(1, 2), (5, claims.EVER)])) == ((1, 2), (5, claims.EVER))
