from __future__ import annotations

import ipaddress
import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegel.enrichers import prefixes
from pegel.enrichers.networks import Network
from pegel.enrichers.prefixes import Found, Known, Memory, Prefixes, PrefixFile
from pegel.enrichers.whois import Prefix, prefix

NOW = 1_772_539_200.0
BEISPIEL = Network("64500", "Beispiel, GmbH", "DE")


def at(text: str) -> Prefix:
    found = prefix(text)
    assert found is not None
    return found


def networks(version: int) -> st.SearchStrategy[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    around, shortest = ("192.0.0.0/16", 8) if version == 4 else ("2001:db8::/32", 16)
    address = st.ip_addresses(v=4 if version == 4 else 6, network=around)
    longest = 32 if version == 4 else 128
    return st.builds(lambda a, n: ipaddress.ip_network((a, n), strict=False), address, st.integers(shortest, longest))


def cases(version: int) -> st.SearchStrategy[tuple[list[Any], list[Any]]]:
    return st.tuples(st.lists(networks(version), max_size=8), st.lists(networks(version), min_size=1))


@given(st.sampled_from([4, 6]).flatmap(cases))
def test_the_longest_prefix_around_an_address_is_found(
    case: tuple[list[ipaddress.IPv4Network], list[ipaddress.IPv4Network]],
) -> None:
    """Against a straight search through all of them."""
    known, asked = list(dict.fromkeys(case[0])), [network.network_address for network in case[1]]
    table = Prefixes()
    for number, network in enumerate(known):
        table.add(at(str(network)), Known(Network(str(number)), NOW + 60), NOW)
    for address in asked:
        around = [(n.prefixlen, str(number)) for number, n in enumerate(known) if address in n]
        found = table.find(address.packed, NOW)
        assert (found and (found.length, found.network and found.network.asn)) == (max(around) if around else None)


def test_what_is_over_gives_way_to_a_shorter_prefix() -> None:
    table = Prefixes()
    table.add(at("192.0.2.0/24"), Known(None, NOW + 10), NOW)
    table.add(at("192.0.0.0/16"), Known(BEISPIEL, NOW + 20), NOW)
    address = bytes([192, 0, 2, 7])
    assert table.find(address, NOW) == Found(24, None)
    assert table.find(address, NOW + 10) == Found(16, BEISPIEL)
    assert table.find(address, NOW + 20) is None


def test_a_table_stays_within_bounds() -> None:
    """Every network of the world may ask for a test; those go first that end first."""
    table = Prefixes(most=100)
    for number in range(1000):
        table.add(Prefix(bytes([1, number // 250, number % 250, 0]), 24), Known(None, NOW + number + 1), NOW)
        assert table._count == sum(map(len, table._every())) <= 100
    assert table.find(bytes([1, 3, 249, 7]), NOW) == Found(24, None)
    assert table.find(bytes([1, 0, 0, 7]), NOW) is None


# -- the file -------------------------------------------------------------------------------------------


def memory() -> Memory:
    known = {at("192.0.2.0/24"): Known(BEISPIEL, NOW + 60), at("2001:db8::/48"): Known(None, NOW + 60)}
    return Memory(known, failures=2, not_before=NOW + 30)


def test_what_was_known_is_known_after_a_restart(tmp_path: Path) -> None:
    PrefixFile(tmp_path / "whois.db", "a:43").save(memory(), NOW)
    assert PrefixFile(tmp_path / "whois.db", "a:43").load() == memory()


def test_servers_do_not_mix(tmp_path: Path) -> None:
    PrefixFile(tmp_path / "whois.db", "a:43").save(memory(), NOW)
    assert PrefixFile(tmp_path / "whois.db", "b:43").load() == Memory()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    PrefixFile(tmp_path / "whois.db", "a:43").save(memory(), NOW)
    assert (tmp_path / "whois.db").stat().st_mode & 0o777 == 0o600


def test_what_is_over_is_forgotten_and_the_file_stays_small(tmp_path: Path) -> None:
    file = PrefixFile(tmp_path / "whois.db", "a:43", most=50)
    for number in range(4):
        known = {Prefix(bytes([1, number, n, 0]), 24): Known(None, NOW + 100 * number + n) for n in range(40)}
        file.save(Memory(known), NOW + 100)
    kept = file.load().prefixes
    assert len(kept) == 50
    assert min(known.until for known in kept.values()) == NOW + 230


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_file_is_begun_anew_and_said_once(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is worth nothing that could not be asked again."""
    path = tmp_path / "whois.db"
    path.write_bytes(content)
    file = PrefixFile(path, "a:43")
    assert file.load() == Memory()
    file.save(memory(), NOW)
    assert file.load() == memory()
    assert [record.getMessage() for record in caplog.records] == [f"{path} was damaged and is begun anew."]


def test_a_file_that_is_damaged_while_running_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "whois.db"
    file = PrefixFile(path, "a:43")
    file.save(memory(), NOW)
    path.write_bytes(b"spoiled" * 1000)
    file.save(memory(), NOW)
    assert file.load() == memory()


def test_a_file_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "whois.db") as database:
        database.execute("create table prefixes (other)")
    database.close()
    file = PrefixFile(tmp_path / "whois.db", "a:43")
    assert file.load() == Memory()
    file.save(memory(), NOW)
    assert file.load() == memory()


def test_a_directory_that_cannot_be_written_is_said_once_and_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = PrefixFile(tmp_path / "none" / "whois.db", "a:43")
    with caplog.at_level(logging.WARNING):
        assert file.load() == Memory()
        file.save(memory(), NOW)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{tmp_path}/none/whois.db cannot be used: no such file or directory;")


def test_a_full_disk_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def full(path: Path) -> sqlite3.Connection:
        database = prefixes.connect(path)
        database.execute("pragma max_page_count = 1")
        return database

    file = PrefixFile(tmp_path / "whois.db", "a:43", full)
    file.save(memory(), NOW)
    assert "cannot be used" in caplog.text


def test_looking_leaves_a_file_as_it_is(tmp_path: Path) -> None:
    """It is the file of a runner that may be at work: neither made, nor mended."""
    path = tmp_path / "whois.db"
    assert PrefixFile(path, "s").look() == Memory()
    assert not path.exists()
    memory = Memory({at("192.0.2.0/24"): Known(BEISPIEL, NOW + 60)}, 1, NOW)
    PrefixFile(path, "s").save(memory, NOW)
    assert PrefixFile(path, "s").look() == memory
    assert PrefixFile(path, "other").look() == Memory()
    path.write_bytes(b"not a database at all, and long enough to be taken for one" * 20)
    assert PrefixFile(path, "s").look() == Memory()
    assert path.read_bytes().startswith(b"not a database")
