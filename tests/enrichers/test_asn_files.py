"""Databases as people have them: good, packed, of another kind, and broken in every way that was seen."""

from __future__ import annotations

import gzip
import ipaddress
import logging
import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enrichers.mmdb import BUILT, MARKER, asn, database
from pegel.enrichers.addresses import packed
from pegel.enrichers.asn_files import read
from pegel.enrichers.networks import Database, Network

TABLE = (
    '192.0.2.0\t192.0.2.79\t64500\tDE\tEXAMPLE-AS Beispiel, "Netz" GmbH\n'
    "192.0.2.80\t192.0.2.127\t0\tNone\tNot routed\n"
    "198.51.100.0\t198.51.100.255\t64501\tNone\t\n"
    "2001:db8::\t2001:db8:0:ffff:ffff:ffff:ffff:ffff\t4200000001\tNL\tÜbung\n"
)
NETWORKS = [
    ("192.0.2.0/24", asn(64500, "Beispiel, GmbH")),
    ("192.0.2.128/25", asn(64501, "Übung")),
    ("12.81.96.0/19", asn(64502)),
    ("2001:db8::/32", asn(4200000001, "Six")),
]


def look_up(found: Database, *addresses: str) -> list[Network | None]:
    return found.find([packed(address) or b"" for address in addresses])


def written(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "asn.db"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        read(path)
    return str(caught.value)


# -- tables ---------------------------------------------------------------------------------------------


def test_a_table_says_number_name_and_country(tmp_path: Path) -> None:
    found = read(written(tmp_path, TABLE))
    assert look_up(found, "192.0.2.79", "198.51.100.7", "2001:db8::7") == [
        Network("64500", 'EXAMPLE-AS Beispiel, "Netz" GmbH', "DE"),
        Network("64501", None, None),
        Network("4200000001", "Übung", "NL"),
    ]


def test_what_is_not_routed_is_not_known(tmp_path: Path) -> None:
    """A gap and a row for nobody are the same; another database may still know."""
    assert look_up(read(written(tmp_path, TABLE)), "192.0.2.100", "192.0.2.200", "::1") == [None, None, None]


@pytest.mark.parametrize("text", [TABLE, TABLE.replace("\n", "\r\n"), TABLE.rstrip(), f"# a note\n\n{TABLE}"])
def test_line_ends_notes_and_blank_lines_do_not_matter(tmp_path: Path, text: str) -> None:
    assert look_up(read(written(tmp_path, text)), "2001:db8::7") == [Network("4200000001", "Übung", "NL")]


def test_a_packed_table_is_told_by_its_content(tmp_path: Path) -> None:
    """Whatever it is called."""
    assert look_up(read(written(tmp_path, gzip.compress(TABLE.encode(), mtime=0))), "192.0.2.1")[0] is not None


def test_few_wrong_lines_are_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path, "192.0.2.300\tx\n" + TABLE * 50)
    with caplog.at_level(logging.WARNING):
        assert look_up(read(path), "192.0.2.1")[0] is not None
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: 1 of 201 lines are not understood, the first is line 1, and left out."
    ]


@pytest.mark.parametrize(
    "line",
    [
        "192.0.2.0\t192.0.2.255\t64500\tDE",
        "192.0.2.0\t192.0.2.255",
        "192.0.2.255\t192.0.2.0\t64500\tDE\tbackwards",
        "192.0.2.0\t2001:db8::\t64500\tDE\tmixed",
        "192.0.2.00\t192.0.2.255\t64500\tDE\tzeros",
        "192.0.2.0/24\t192.0.2.255\t64500\tDE\tprefix",
        "192.0.2.0\t192.0.2.255\tAS64500\tDE\tletters",
        "192.0.2.0\t192.0.2.255\t4294967296\tDE\ttoo big",
        "192.0.2.0\t192.0.2.255\t-1\tDE\tnegative",
        "192.0.2.0,192.0.2.255,64500,DE,commas",
        "y" * 10_000,
    ],
)
def test_more_wrong_lines_are_another_kind_of_file(tmp_path: Path, line: str) -> None:
    sentence = refusal(written(tmp_path, f"{TABLE}{line}\n"))
    assert re.match(r"is no table of networks: \d of \d lines are not understood, the first is line 5; ", sentence)
    assert line[:12] not in sentence  # a wrong file may be one with secrets


@given(st.binary(max_size=400).filter(lambda data: b"\0" not in data[:1]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_no_content_is_more_than_a_sentence(tmp_path: Path, data: bytes) -> None:
    for content in (data, gzip.compress(data, mtime=0), data + MARKER + data):
        assert refusal(written(tmp_path, content))


# -- MaxMind DB -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [24, 28, 32])
def test_a_maxmind_db_says_number_and_name(tmp_path: Path, size: int) -> None:
    found = read(written(tmp_path, database(NETWORKS, record_size=size)))
    assert look_up(found, "192.0.2.7", "192.0.2.200", "12.81.96.1", "2001:db8::1", "192.0.3.1") == [
        Network("64500", "Beispiel, GmbH"),
        Network("64501", "Übung"),
        Network("64502", None),
        Network("4200000001", "Six"),
        None,
    ]


def test_a_packed_maxmind_db_is_told_by_its_content(tmp_path: Path) -> None:
    found = read(written(tmp_path, gzip.compress(database(NETWORKS), mtime=0)))
    assert look_up(found, "192.0.2.7") == [Network("64500", "Beispiel, GmbH")]
    assert found.built == BUILT


def test_records_as_other_makers_spell_them(tmp_path: Path) -> None:
    record = {"asn": "AS64500", "as_name": "Beispiel", "as_domain": "example.net", "country_code": "DE"}
    found = read(written(tmp_path, database([("192.0.2.0/24", record)], kind="ipinfo bundle_location_lite.mmdb")))
    assert look_up(found, "192.0.2.7") == [Network("64500", "Beispiel", "DE")]


def test_a_database_of_ipv4_knows_nothing_of_ipv6(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """That is no damage."""
    found = read(written(tmp_path, database(NETWORKS[:3], version=4)))
    assert look_up(found, "192.0.2.7", "2001:db8::1") == [Network("64500", "Beispiel, GmbH"), None]
    assert not caplog.records


def test_a_record_without_a_number_is_not_known(tmp_path: Path) -> None:
    odd = [
        ("192.0.2.0/24", asn(64500)),
        ("198.51.100.0/26", asn(0, "nobody")),
        ("198.51.100.64/26", {"autonomous_system_number": ["x"], "autonomous_system_organization": {"y": 1}}),
        ("198.51.100.128/26", {"autonomous_system_number": "many"}),
        ("198.51.100.192/26", "a text"),
    ]
    found = read(written(tmp_path, database(odd)))
    asked = [f"198.51.100.{number}" for number in (1, 65, 129, 193)]
    assert look_up(found, *asked, *asked) == [None] * 8


def test_a_database_of_cities_is_refused_by_its_name(tmp_path: Path) -> None:
    """It would make every provider unknown, and nobody would know why."""
    city = [("192.0.2.0/24", {"city": {"names": {"en": "Beispielstadt"}}, "country_code": "DE"})]
    path = written(tmp_path, database(city, kind="GeoLite2-City"))
    assert refusal(path) == 'is a "GeoLite2-City" database; this enricher needs an ASN database'


@given(st.integers(0, 2000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_a_database_that_was_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    """A download that stopped; the part that says what it is stands at the end."""
    whole = database(NETWORKS)
    assert refusal(written(tmp_path, whole[: len(whole) - 1 - cut % (len(whole) - 1)]))


def test_damage_inside_finds_nothing_and_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = database([*NETWORKS, ("203.0.113.0/24", asn(64510, "Broken inside"))])
    path = written(tmp_path, whole.replace(b"Broken inside", b"Broken\xff\xfe\xff\xff\xff\xff\xff"))
    found = read(path)
    with caplog.at_level(logging.ERROR):
        assert look_up(found, "203.0.113.9", "192.0.2.7", "203.0.113.9") == [
            None,
            Network("64500", "Beispiel, GmbH"),
            None,
        ]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} is damaged inside: some addresses are not found; download it again."
    ]


def test_any_changed_byte_is_a_sentence_or_an_answer(tmp_path: Path) -> None:
    """A disk that lies must not stop the runner."""
    whole, random = database(NETWORKS), Random(4)
    for _ in range(300):
        spoiled = bytearray(whole)
        spoiled[random.randrange(len(whole))] ^= 1 << random.randrange(8)
        try:
            found = read(written(tmp_path, bytes(spoiled)))
        except ValueError:
            continue
        look_up(found, "192.0.2.7", "192.0.2.200", "12.81.96.1", "2001:db8::1", "255.255.255.255", "::")


def test_a_database_that_is_written_over_stays_as_it_was(tmp_path: Path) -> None:
    """A mapped file that shrinks kills the process that reads it."""
    path = written(tmp_path, database([(f"192.0.2.{number}/32", asn(number + 1, "x" * 200)) for number in range(256)]))
    found = read(path)
    path.write_bytes(b"")
    assert look_up(found, "192.0.2.255") == [Network("256", "x" * 128)]


# -- what is neither ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty; download it again"),
        (b"\n<!DOCTYPE html><html>sign in</html>", "is a web page or an error message, and no database"),
        (b'{"error": "invalid license key"}', "is a web page or an error message, and no database"),
        (b"x" * 257 + b"ustar" + bytes(700), "is an archive; unpack it"),
        (gzip.compress(b"x" * 257 + b"ustar" + bytes(700), mtime=0), "is an archive; unpack it"),
        (b"PK\x03\x04" + bytes(100), "is an archive; unpack it"),
        (bytes(5000), "is cut off or damaged, or no MaxMind DB; download it again"),
        (gzip.compress(TABLE.encode(), mtime=0)[:-20], "is cut off; download it again"),
        (gzip.compress(TABLE.encode(), mtime=0)[:40] + b"spoiled" * 9, "is damaged; download it again"),
        (b"Invalid license key\n", "is no table of networks: 1 of 1 lines"),
        ("# only a note\n", "knows no network; download it again"),
    ],
)
def test_what_a_download_may_leave_is_told_apart(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert refusal(written(tmp_path, content)).startswith(sentence)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == "cannot be read: no such file or directory"


@pytest.mark.parametrize("content", [TABLE.encode() * 10_000, bytes(3 * 2**20)])
def test_what_unpacks_to_more_than_memory_is_refused(tmp_path: Path, content: bytes) -> None:
    """A megabyte can hold a gigabyte of zeros."""
    path = written(tmp_path, gzip.compress(content, mtime=0))
    with pytest.raises(ValueError, match="is larger than 1 MiB, unpacked"):
        read(path, most=2**20)


@given(st.lists(st.ip_addresses(v=4, network="192.0.2.0/24"), min_size=1), st.randoms(use_true_random=False))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_both_kinds_of_file_say_what_the_prefixes_say(
    tmp_path: Path, addresses: list[ipaddress.IPv4Address], random: Random
) -> None:
    """Against a straight search for the longest prefix."""
    bits = sorted(random.randrange(24, 33) for _ in range(6))
    prefixes = [ipaddress.ip_network((random.choice(addresses), size), strict=False) for size in bits]
    prefixes = list(dict.fromkeys(prefixes))
    rows = [f"{p[0]}\t{p[-1]}\t{number}\tDE\tN{number}" for number, p in enumerate(prefixes, 1)]
    table = read(written(tmp_path, "\n".join(rows)))
    tree = read(written(tmp_path, database([(str(p), asn(number, "x")) for number, p in enumerate(prefixes, 1)])))
    for address in addresses:
        around = [(p.prefixlen, str(number)) for number, p in enumerate(prefixes, 1) if address in p]
        expected = max(around)[1] if around else None
        for found in (table, tree):
            (got,) = look_up(found, str(address))
            assert (got.asn if got else None) == expected
