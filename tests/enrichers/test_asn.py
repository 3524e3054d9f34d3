from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from enrichers.mmdb import asn, database
from enrichers.rows import enriched, table
from enrichers.whois_server import FakeWhois, Reply, routes
from pegel.enrichers.asn import Asn
from pegel.enrichers.inquiry import Whois
from pegel.sql import ExpressionError
from pegel.units import Duration

TABLE = '192.0.2.0\t192.0.2.255\t64500\tDE\tBeispiel, "Netz"\n198.51.100.0\t198.51.100.255\t64501\tNone\t\n'
SAMPLE = Path(__file__).parents[2] / "runner" / "pegel" / "presets" / "samples" / "ookla" / "asn.tsv"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "asn.tsv"
    path.write_text(TABLE)
    return path


def test_an_address_gets_number_and_name(file: Path) -> None:
    added = enriched(Asn(column="ip", files=file), {"ip": ["192.0.2.7", "198.51.100.7", "192.0.2.7"]})
    assert added == {"asn": ["64500", "64501", "64500"], "asname": ['Beispiel, "Netz"', None, 'Beispiel, "Netz"']}


def test_all_that_is_no_known_address_is_unknown_and_has_no_name(file: Path) -> None:
    """A table of names must not have a row for it."""
    odd = ["10.0.0.1", "203.0.113.1", "192.0.2.007", "fe80::1%eth0", "x", "", None, "' or 1=1 --", "192.0.2.7\0"]
    added = enriched(Asn(column="ip", files=[file], unknown="?"), {"ip": odd})
    assert added == {"asn": ["?"] * len(odd), "asname": [None] * len(odd)}


def test_an_ipv4_address_in_the_form_of_ipv6_is_found(file: Path) -> None:
    assert enriched(Asn(column="ip", files=[file]), {"ip": ["::ffff:192.0.2.7"]})["asn"] == ["64500"]


def test_columns_are_what_they_are_told_to_be(file: Path) -> None:
    columns: Any = {"provider": "name", "number": "asn", "land": "country"}
    added = enriched(Asn(column="ip", files=[file], columns=columns), {"ip": ["192.0.2.7", "198.51.100.7"]})
    assert added == {"provider": ['Beispiel, "Netz"', None], "number": ["64500", "64501"], "land": ["DE", None]}


def test_the_column_of_the_address_may_be_replaced(file: Path) -> None:
    """So that it is in no table any more."""
    assert enriched(Asn(column="ip", files=[file], columns={"ip": "asn"}), {"ip": ["192.0.2.7"]}) == {"ip": ["64500"]}


def test_the_first_file_that_knows_answers(file: Path, tmp_path: Path) -> None:
    """A table of one's own before the big one: it corrects and completes it."""
    big = tmp_path / "big.mmdb"
    big.write_bytes(database([("192.0.2.0/24", asn(1, "Other")), ("203.0.113.0/24", asn(2, "Big"))]))
    added = enriched(Asn(column="ip", files=[file, big]), {"ip": ["192.0.2.7", "203.0.113.7"]})
    assert added == {"asn": ["64500", "2"], "asname": ['Beispiel, "Netz"', "Big"]}


def test_without_a_database_everything_is_unknown() -> None:
    """A preset has this enricher before its user has a database."""
    added = enriched(Asn(column="ip"), {"ip": ["192.0.2.7", None]})
    assert added == {"asn": ["unknown", "unknown"], "asname": [None, None]}


def test_a_batch_without_any_address_is_unknown(file: Path) -> None:
    assert enriched(Asn(column="ip", files=[file]), {"ip": [None, None]})["asn"] == ["unknown", "unknown"]


def test_two_of_them_in_a_row_do_not_disturb_each_other(file: Path) -> None:
    first, second = (
        Asn(column="a", files=[file], columns={"x": "asn"}),
        Asn(column="b", files=[file], columns={"y": "asn"}),
    )
    with table({"a": ["192.0.2.7", None], "b": ["198.51.100.7", "192.0.2.1"]}) as given:
        found = second.enrich(first.enrich(given))
        assert found.rows("x", "y") == [("64500", "64501"), ("unknown", "64500")]


def test_the_rows_stay_in_order_and_what_was_held_is_let_go(file: Path) -> None:
    """Ties between equal times are decided by the order of arrival; a batch of many chunks must not hold them all."""
    addresses = [None if number % 10 else f"192.0.{number % 7}.{number % 250}" for number in range(5000)]
    with table({"ip": addresses}) as given:
        enricher, batch = Asn(column="ip", files=[file]), given.batch
        kept = batch.keep_all(enricher.enrich(given) for _ in range(3))
        assert kept.rows("_row") == [(number,) for _ in range(3) for number in range(5000)]
        tables = batch.query("select table_name from duckdb_tables() where temporary")
        assert sorted(name for (name,) in tables) == ["given", kept.sql.rpartition(" ")[2]]


def test_a_replaced_file_counts_and_a_bad_one_does_not(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    enricher = Asn(column="ip", files=[file])
    assert enriched(enricher, {"ip": ["192.0.2.7"]})["asn"] == ["64500"]
    for text in ("<html>sign in</html>", TABLE.replace("64500", "64509")):
        beside = file.with_suffix(".new")
        beside.write_text(text)
        beside.replace(file)
        for known in enricher._files:
            known._look_at = float("-inf")
        with caplog.at_level(logging.ERROR):
            found = enriched(enricher, {"ip": ["192.0.2.7"]})["asn"]
        assert found == (["64500"] if "<" in text else ["64509"])
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().startswith(f"{file} is a web page")


def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path) -> None:
    """`pegel check` shows it at the option `files`, which it finds by the name in quotes."""
    enricher = Asn(column="ip", files=[tmp_path / "none.mmdb"])
    (lacks,) = enricher.lacks()
    assert lacks.startswith(f'"{tmp_path}/none.mmdb" cannot be read: no such file')


def test_the_column_must_be_a_text_that_is_there(file: Path) -> None:
    with pytest.raises(ExpressionError, match='unknown column "ip"'):
        Asn(column="ip", files=[file]).needs({"client": "VARCHAR"})
    with pytest.raises(ExpressionError, match='"ip" is BIGINT; an address is text'):
        Asn(column="ip", files=[file]).needs({"ip": "BIGINT"})


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="columns: write at least one"):
        Asn(column="ip", columns={})
    with pytest.raises(ValueError, match=r"columns: .* no name for a column"):
        Asn(column="ip", columns={"as number": "asn"})


def test_the_sample_database_knows_most_of_what_the_sample_log_says() -> None:
    """Gaps are part of it, and an AS without a name."""
    asked = ["192.0.2.1", "192.0.2.200", "198.51.100.115", "203.0.113.255", "2001:db8:b000:1::1", "2001:db8:ffff::1"]
    added = enriched(Asn(column="ip", files=SAMPLE), {"ip": asked})
    assert added["asn"] == ["64496", "unknown", "64503", "64511", "65538", "unknown"]
    assert added["asname"][:3] == ["KUESTENNETZ - Küstennetz Beispiel GmbH", None, None]


# -- what is slow, and what is checked by hand ----------------------------------------------------------


def asking(server: FakeWhois, *files: Path) -> Asn:
    options = Whois(server="127.0.0.1", port=server.port, wait=Duration(0.0), timeout=Duration(5.0))
    return Asn(column="ip", files=files, whois=options)


def test_a_server_is_asked_about_what_no_file_knows(file: Path) -> None:
    with FakeWhois(routes([("8.8.8.0/24", "64510", "Asked | for, DE")])) as server:
        enricher = asking(server, file)
        addresses = {"ip": ["192.0.2.7", "8.8.8.8", "10.0.0.1", "203.0.113.1", "2001:db8::1", None]}
        assert enriched(enricher, addresses)["asn"] == ["64500", *["unknown"] * 5]
        enricher.tend(0.0)
        assert enriched(enricher, addresses) == {
            "asn": ["64500", "64510", *["unknown"] * 4],
            "asname": ['Beispiel, "Netz"', "Asked | for, DE", *[None] * 4],
        }
    assert server.queries == [["8.8.8.0"]]


def test_it_is_slow_only_with_a_server(file: Path) -> None:
    """A thread that has nothing to do costs a megabyte."""
    assert not Asn(column="ip", files=[file]).slow
    assert Asn(column="ip", files=[file], whois=Whois()).slow


def test_a_probe_finds_nothing_where_nothing_is_wrong(file: Path) -> None:
    with FakeWhois() as server:
        assert asking(server, file).probe() == []


def test_a_probe_says_what_is_wrong_and_what_to_do(file: Path, tmp_path: Path) -> None:
    with FakeWhois() as server:
        enricher = asking(server, file, tmp_path / "none")
        port = server.port
    old = time.time() - 61.5 * 86400
    os.utime(file, (old, old))
    assert enricher.probe() == [
        f'"{file}" is 61 days old, and networks move; download a new one',
        f'"{tmp_path}/none" cannot be read: no such file or directory',
        f"whois server 127.0.0.1:{port} cannot be reached: connection refused; open the port, or leave out `whois`",
    ]


def test_the_age_of_a_maxmind_db_is_its_own(tmp_path: Path) -> None:
    """A copy has a new date and old content."""
    path = tmp_path / "asn.mmdb"
    path.write_bytes(database([("192.0.2.0/24", asn(1))], built=int(time.time()) - 100 * 86400))
    assert Asn(column="ip", files=[path]).probe() == [
        f'"{path}" is 100 days old, and networks move; download a new one'
    ]


CANARIES = ("93.184.216.34", "::ffff:93.184.217.35", "2606:2800:220:1:248:1893:25c8:1946", "93.184.218.036")


@pytest.mark.parametrize("reply", [routes([("93.184.216.0/24", "64510", "X")]), lambda _: b"garbage\n" * 9])
def test_no_address_is_told_to_anybody(
    tmp_path: Path, reply: Reply, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not to a log, not to a file, and to the server only its network."""
    bad = tmp_path / "bad.mmdb"
    networks = [("1.0.0.0/24", asn(2, "Good")), ("93.184.0.0/16", asn(1, "Broken inside"))]
    bad.write_bytes(database(networks, version=4).replace(b"Broken", b"\xff" * 6))
    state = tmp_path / "state"
    state.mkdir()
    with caplog.at_level(logging.DEBUG), FakeWhois(reply) as server:
        enricher = asking(server, bad)
        enricher.settle_in(state)
        for _ in range(2):
            enriched(enricher, {"ip": [*CANARIES, "192.168.1.77"]})
            enricher.tend(0.0)
        enricher.probe()
    told = [caplog.text, *capfd.readouterr(), *(path.read_bytes().decode("latin-1") for path in state.iterdir())]
    asked = b"".join(server.raw).decode()
    for canary in (*CANARIES, "93.184.216.34", "93.184.217.35", "25c8", "192.168.1"):
        assert canary not in asked
        assert not [text for text in told if canary in text]
    assert server.queries[0] == ["93.184.216.0", "93.184.217.0", "2606:2800:220::"]
    assert "is damaged inside" in caplog.text
    for packed_canary in (bytes([93, 184, 216, 34]), bytes.fromhex("0248189325c81946")):
        assert not [text for text in told if packed_canary.decode("latin-1") in text]
