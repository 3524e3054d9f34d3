from __future__ import annotations

from pathlib import Path

from pegel.table import Engine


def test_what_is_spilled_cannot_be_read(tmp_path: Path) -> None:
    """A crash leaves such files behind, and records have addresses and device ids in them."""
    engine = Engine(str(tmp_path), memory_limit=24 * 2**20)
    with engine.batch() as batch:
        batch.query(
            "create temp table records as select 'canary-' || md5(i::varchar) || '-' || i as id from range(900000) t(i)"
        )
        spilled = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        ((count,),) = batch.query("select count(distinct id) from records where starts_with(id, 'canary-')")
    engine.close()
    assert len(spilled) > 2**20
    assert b"canary-" not in spilled
    assert count == 900_000
