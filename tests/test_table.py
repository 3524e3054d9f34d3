from __future__ import annotations

from pegel.table import Batch, Engine


def held(batch: Batch) -> list[str]:
    rows = batch.query("select table_name from duckdb_tables() where temporary")
    return [name for (name,) in rows if name.startswith("held")]


def test_what_is_held_is_computed_once_and_gone_after_the_next_keep() -> None:
    """A batch has many chunks, and only one of them is held at a time."""
    with Engine().batch() as batch:
        given = batch.table("select range as a, random() as b from range(1000)", {"a": "BIGINT", "b": "DOUBLE"})
        once = batch.hold(given)
        assert once.rows() == once.rows()
        assert once.at_most == 1000
        kept = batch.keep(once)
        assert held(batch) == []
        assert len(kept.rows()) == 1000


def test_only_what_is_wanted_stays_and_what_is_the_runners_own() -> None:
    with Engine().batch() as batch:
        given = batch.table("select 1 as _row, 2 as a, 3 as b", {"_row": "BIGINT", "a": "BIGINT", "b": "BIGINT"})
        narrow = given.only({"b", "other"})
        assert (list(narrow.columns), narrow.rows()) == (["_row", "b"], [(1, 3)])
        assert given.only(["a", "b"]) is given
