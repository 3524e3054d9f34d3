from __future__ import annotations

import gzip
import logging
import os
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from enrichers.mmdb import asn, city, database
from enrichers.rows import enriched, table
from pegel.enrichers.geoip import Geoip
from pegel.enrichers.geoip_file import NOWHERE, Place, read
from pegel.sql import ExpressionError

NETWORKS = [
    ("192.0.2.0/24", city("DE", "Hamburg", "Hamburg", (53.55, 10.0), de="Hamburg (Land)")),
    ("198.51.100.0/24", city("US", "California", "Los Angeles", (34.05, -118.25))),
    ("198.51.100.128/25", city("US")),
    ("2001:db8::/32", city("JP", "Tokyo", de="Tokio")),
    ("203.0.113.0/24", city()),
]
ALL = {"country": "country", "region": "region", "city": "city", "lat": "latitude", "lon": "longitude"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "city.mmdb"
    path.write_bytes(database(NETWORKS, kind="GeoLite2-City"))
    return path


def geoip(file: Path | str, **options: Any) -> Geoip:
    return Geoip(**{"column": "ip", "file": file, "columns": {"region": "region"}, **options})


def test_an_address_is_in_a_country_region_and_city(file: Path) -> None:
    added = enriched(geoip(file, columns=ALL), {"ip": ["192.0.2.7", "198.51.100.7", "192.0.2.7"]})
    assert added == {
        "country": ["DE", "US", "DE"],
        "region": ["Hamburg", "California", "Hamburg"],
        "city": ["Hamburg", "Los Angeles", "Hamburg"],
        "lat": [53.55, 34.05, 53.55],
        "lon": [10.0, -118.25, 10.0],
    }


def test_addresses_of_both_kinds_are_known(file: Path) -> None:
    assert enriched(geoip(file), {"ip": ["2001:db8::9", "::ffff:192.0.2.7"]}) == {"region": ["Tokyo", "Hamburg"]}


def test_what_is_not_known_is_said_so_and_is_no_error(file: Path) -> None:
    """A record without a region, one without anything, an address of nobody, and no address at all."""
    odd = ["198.51.100.200", "203.0.113.1", "10.0.0.1", "192.0.2.007", "x", "", None, "' or 1=1 --", "192.0.2.7\0"]
    added = enriched(geoip(file, columns=ALL), {"ip": odd})
    assert added["country"] == ["US", *["XX"] * 8]
    assert added["region"] == ["Unknown"] * 9
    assert added["city"] == ["Unknown"] * 9
    assert added["lat"] == [None] * 9


def test_what_stands_for_the_unknown_can_be_chosen(file: Path) -> None:
    columns = {"a": "country", "b": "region"}
    added = enriched(geoip(file, columns=columns, unknown={"country": "??"}), {"ip": ["10.0.0.1", None]})
    assert added == {"a": ["??", "??"], "b": ["Unknown", "Unknown"]}


def test_without_a_file_no_column_has_a_value() -> None:
    """A metric by region can leave out what nobody looked up, and has nothing to say then."""
    assert enriched(geoip("", columns=ALL), {"ip": ["192.0.2.7", None]}) == {name: [None, None] for name in ALL}
    assert geoip("").lacks() == []
    assert geoip("").probe() == ()


def test_a_batch_without_any_address_is_unknown(file: Path) -> None:
    assert enriched(geoip(file), {"ip": [None, None]}) == {"region": ["Unknown", "Unknown"]}


def test_names_come_in_the_language_that_is_wanted_or_in_english(file: Path) -> None:
    added = enriched(geoip(file, language="de"), {"ip": ["2001:db8::9", "198.51.100.7"]})
    assert added == {"region": ["Tokio", "California"]}


def test_a_column_of_the_record_may_be_replaced(file: Path) -> None:
    added = enriched(geoip(file, columns={"ip": "country"}), {"ip": ["192.0.2.7", "10.0.0.1"]})
    assert added == {"ip": ["DE", "XX"]}


def test_a_replaced_file_counts_and_a_bad_one_keeps_the_old(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A download that fails tonight must not turn every region into an unknown one."""
    enricher = geoip(file)
    found = enricher._file
    assert found is not None
    clock = iter(range(0, 1000, 10))
    found._clock = lambda: float(next(clock))
    assert enriched(enricher, {"ip": ["192.0.2.7"]}) == {"region": ["Hamburg"]}
    replace(file, database([("192.0.2.0/24", city("DE", "Bremen"))], kind="GeoLite2-City"))
    assert enriched(enricher, {"ip": ["192.0.2.7"]}) == {"region": ["Bremen"]}
    with caplog.at_level(logging.ERROR):
        replace(file, b"<html>quota exceeded</html>")
        for _ in range(3):
            assert enriched(enricher, {"ip": ["192.0.2.7"]}) == {"region": ["Bremen"]}
    kept = "what was read before stays in use"
    sentence = f"{file} is a web page or an error message, and no database; download it again; {kept}."
    assert [record.getMessage() for record in caplog.records] == [sentence]


def replace(file: Path, content: bytes) -> None:
    beside = file.with_suffix(".new")
    beside.write_bytes(content)
    beside.replace(file)


def test_each_distinct_address_is_looked_up_once(file: Path) -> None:
    """A viewer asks for a segment every few seconds."""
    enricher = geoip(file)
    assert enricher._file is not None
    places = enricher._file.get()
    assert places is not None
    asked: list[str] = []
    find = places._find

    def counted(address: str) -> Place:
        asked.append(address)
        return find(address)

    places.find = counted  # type: ignore[assignment]
    enriched(enricher, {"ip": ["192.0.2.7", "x", None] * 500})
    assert sorted(asked) == ["192.0.2.7", "x"]


# -- files ----------------------------------------------------------------------------------------------


def test_a_packed_file_is_told_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "city.mmdb"
    path.write_bytes(gzip.compress(database(NETWORKS, kind="GeoLite2-City")))
    assert read(path).find("192.0.2.7").region == "Hamburg"


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"country_code": "DE", "state1": "Hessen", "city": "Kassel", "latitude": 51.3, "longitude": 9.5},
         Place("DE", "Hessen", "Kassel", "51.3", "9.5")),
        ({"country": "DE", "region": "Hessen", "city": "Kassel", "lat": "51.3", "lng": "9.5"},
         Place("DE", "Hessen", "Kassel", "51.3", "9.5")),
        ({"country": "Germany", "country_code": "DE"}, Place("DE")),
    ],
)  # fmt: skip
def test_other_makers_spell_it_flat(tmp_path: Path, record: Any, place: Place) -> None:
    path = tmp_path / "db"
    path.write_bytes(database([("192.0.2.0/24", record)]))
    assert read(path).find("192.0.2.1") == place


@pytest.mark.parametrize(
    "record",
    [
        {"country": {"iso_code": "de"}, "subdivisions": "x", "city": ["x"], "location": {"latitude": 91.0}},
        {"country": {"iso_code": ["DE"]}, "subdivisions": [], "city": {"names": "x"}, "location": {"latitude": "x"}},
        {"country": {"names": {}}, "subdivisions": [7], "city": {"names": {"en": ""}}, "location": {}},
    ],
)
def test_odd_records_are_nowhere(tmp_path: Path, record: Any) -> None:
    path = tmp_path / "db"
    path.write_bytes(database([("192.0.2.0/24", record), ("198.51.100.0/24", city("DE"))]))
    assert read(path).find("192.0.2.1") == NOWHERE


def test_names_of_strangers_are_cleaned_and_short(tmp_path: Path) -> None:
    """A label with a line break in it ends up in logs, in pages and in the text format of Prometheus."""
    path = tmp_path / "db"
    path.write_bytes(database([("192.0.2.0/24", city("DE", "Sch\nles\x1b[31m  wig" + "x" * 200))]))
    region = read(path).find("192.0.2.1").region
    assert region.startswith("Sch les [31m wigx")
    assert len(region) == 128


def test_a_database_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(database([("192.0.2.0/24", asn(64500, "X"))]))
    (sentence,) = geoip(path).lacks()
    needed = "this enricher needs a City database (or one of countries)"
    assert sentence == f'"{path}" is a "GeoLite2-ASN" database; {needed}'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"192.0.2.0\t192.0.2.255\tDE\n", "is no MaxMind DB"),
        (gzip.compress(database(NETWORKS))[:-40], "is cut off"),
        (database(NETWORKS)[:-90], "is cut off or damaged"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "db"
    path.write_bytes(content)
    (sentence,) = geoip(path).lacks()
    assert sentence.startswith(f'"{path}" {words}')
    assert geoip(path).probe() == [sentence]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert geoip(tmp_path / "none").lacks() == [f'"{tmp_path}/none" cannot be read: no such file or directory']


def test_an_old_database_is_worth_a_word(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(database(NETWORKS, built=int(time.time()) - 100 * 86400))
    os.utime(path)
    assert geoip(path).probe() == [f'"{path}" is 100 days old, and addresses move; download a new one']
    path.write_bytes(database(NETWORKS, built=int(time.time())))
    assert geoip(path).probe() == []


def test_damage_within_finds_nothing_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And never an address: what is in the log must not lead to a person."""
    path = tmp_path / "db"
    random = Random(5)
    good = bytearray(
        database([("1.0.0.0/24", city("AU")), *NETWORKS, ("100.0.0.0/8", city("FR", "Broken inside"))], version=6)
    )
    place = good.index(b"Broken")
    good[place : place + 6] = b"\xff" * 6
    path.write_bytes(good)
    addresses = [f"100.{random.randrange(256)}.7.7" for _ in range(20)]
    with caplog.at_level(logging.DEBUG):
        added = enriched(geoip(path), {"ip": [*addresses, "192.0.2.7"]})
    assert added["region"] == [*["Unknown"] * 20, "Hamburg"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} is damaged inside: some addresses are not found; download it again."
    ]


# -- options --------------------------------------------------------------------------------------------


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="columns: write at least one"):
        geoip("", columns={})
    with pytest.raises(ValueError, match=r"columns: .* no name for a column"):
        geoip("", columns={"the region": "region"})
    with pytest.raises(ValueError, match='unknown: "latitude" is none of'):
        geoip("", unknown={"latitude": "0"})


def test_a_column_that_is_missing_or_no_text_is_refused() -> None:
    with pytest.raises(ExpressionError, match='unknown column "ip"'):
        geoip("").adds({"client": "VARCHAR"})
    with pytest.raises(ExpressionError, match="an address is text"):
        geoip("").adds({"ip": "BIGINT"})


def test_the_types_of_columns_are_known(file: Path) -> None:
    assert geoip(file, columns=ALL).adds({"ip": "VARCHAR"}) == {
        **dict.fromkeys(("country", "region", "city"), "VARCHAR"),
        **dict.fromkeys(("lat", "lon"), "DOUBLE"),
    }


def test_two_of_them_in_a_row_do_not_disturb_each_other(file: Path) -> None:
    first, second = geoip(file, column="a", columns={"x": "country"}), geoip(file, column="b", columns={"y": "region"})
    with table({"a": ["192.0.2.7", None], "b": ["198.51.100.7", "192.0.2.1"]}) as given:
        found = second.enrich(first.enrich(given))
        assert sorted(found.rows("_row", "x", "y")) == [(0, "DE", "California"), (1, "XX", "Hamburg")]
