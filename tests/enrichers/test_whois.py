"""The conversation with a whois server, over real sockets; answers look like those of the real one."""

from __future__ import annotations

import ipaddress
import socket
import threading

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from enrichers.whois_server import HEADER, FakeWhois, routes
from pegel.enrichers import whois
from pegel.enrichers.addresses import base, is_public, packed
from pegel.enrichers.networks import Network
from pegel.enrichers.whois import Answer, Origin, Prefix, ask, prefix, reach, understand

FIXTURE = """\
Bulk mode; whois.cymru.com [2026-03-03 12:00:00 +0000]
64500   | 192.0.2.77       | 192.0.2.0/24        | DE | ripencc  | 2001-05-07 | EXAMPLE-AS - Beispiel Netz, GmbH, DE
64501   | 198.51.100.9     | 198.51.100.0/25     | US | arin     | 2010-01-01 | EXAMPLE-SUB, US
64502   | 198.51.100.200   | 198.51.100.0/24     | US | arin     | 2010-01-01 | EXAMPLE-COVER, US
NA      | 203.0.113.5      | NA                  |    |          |            | NA
64503   | 2001:db8:42::7   | 2001:db8:42::/48    | NL | ripencc  | 2015-09-01 | EXAMPLE-V6, NL
64504 64505 | 192.0.2.200  | 192.0.2.128/25      | FR | ripencc  | 2012-02-02 | EXAMPLE-MOAS, FR
Error: no ASN or IP match on line 9.
"""


def at(text: str) -> bytes:
    found = packed(text)
    assert found is not None
    return found


def origin(text: str, asn: str, name: str | None, country: str) -> Origin:
    found = prefix(text)
    assert found is not None
    return Origin(found, Network(asn, name, country))


def row(address: str = "192.0.2.0", number: str = "64500", prefix: str = "192.0.2.0/24", name: str = "X") -> str:
    return f"{number} | {address} | {prefix} | DE | ripencc | 2001-05-07 | {name}\n"


def said(*lines: str) -> Answer:
    return understand("".join([HEADER, *lines]).encode(), {at("192.0.2.0"), at("2001:db8:42::")})


def test_an_answer_in_bulk_is_understood() -> None:
    asked = ["192.0.2.77", "198.51.100.9", "198.51.100.200", "203.0.113.5", "2001:db8:42::7", "192.0.2.200", "10.0.0.0"]
    answer = understand(FIXTURE.encode(), {at(text) for text in asked})
    assert answer.origins == {
        at("192.0.2.77"): origin("192.0.2.0/24", "64500", "EXAMPLE-AS - Beispiel Netz, GmbH, DE", "DE"),
        at("198.51.100.9"): origin("198.51.100.0/25", "64501", "EXAMPLE-SUB, US", "US"),
        at("198.51.100.200"): origin("198.51.100.0/24", "64502", "EXAMPLE-COVER, US", "US"),
        at("203.0.113.5"): Origin(Prefix(at("203.0.113.5"), 24), None),
        at("2001:db8:42::7"): origin("2001:db8:42::/48", "64503", "EXAMPLE-V6, NL", "NL"),
        at("192.0.2.200"): origin("192.0.2.128/25", "64504", "EXAMPLE-MOAS, FR", "FR"),
    }
    assert answer.unusable == 0


def test_a_name_may_have_everything_but_a_line_end() -> None:
    answer = said(row(name='A | B "C", D - Ünï\x07 速度'))
    assert answer.origins[at("192.0.2.0")].network == Network("64500", 'A | B "C", D - Ünï 速度', "DE")


def test_bytes_that_are_no_text_and_names_without_end_are_bounded() -> None:
    data = row(name="N").encode().replace(b"| N\n", b"| \xff\xfe" + b"y" * 100_000 + b"\n")
    (found,) = understand(data, {at("192.0.2.0")}).origins.values()
    assert found.network is not None
    assert len(found.network.name or "") == 128


def test_of_several_rows_the_longest_prefix_counts_whatever_their_order() -> None:
    rows = [
        row(prefix="192.0.0.0/16", number="1"),
        row(prefix="192.0.2.0/24", number="9"),
        row(number="7"),
        row(number="NA"),
    ]
    for lines in (rows, rows[::-1]):
        assert said(*lines).origins[at("192.0.2.0")] == origin("192.0.2.0/24", "7", "X", "DE")


@pytest.mark.parametrize(
    "line",
    [
        row(prefix="198.51.100.0/24"),
        row(prefix="2001:db8:42::/48"),
        row(prefix="0.0.0.0/0"),
        row(prefix="192.0.0.0/7"),
        row(prefix="192.0.2.0/33"),
        row(prefix="192.0.2.0"),
        row(prefix="NA"),
        row(prefix="192.0.2.0/-1"),
        row(number="0"),
        row(number="4294967296"),
        row(number="AS64500"),
        row(number=""),
        row(number="1" * 5000),
        row(address="192.0.2.1"),
        row(address="8.8.8.8", prefix="8.8.8.0/24"),
        row(address="2001:db8:42::", prefix="2001:db8::/15"),
    ],
)
def test_a_lie_is_left_out_and_counted(line: str) -> None:
    """A server that says all of the internet is one provider's would be believed for a day."""
    answer = said(line)
    assert answer.origins == {}
    assert answer.unusable == 1


@pytest.mark.parametrize(
    "line", ["Error: no ASN or IP match on line 1.\n", "\n", "AS | IP | BGP Prefix | CC | R | A | N\n", "x\n"]
)
def test_a_line_of_another_kind_is_nothing(line: str) -> None:
    assert said(line) == Answer()


def test_half_a_last_line_does_not_count() -> None:
    """`6450` is a number, too."""
    assert said(row(number="64500").rstrip("\n")).origins == {}


@given(st.binary(), st.text(alphabet="0123456789.:/|NA \n", max_size=300))
def test_no_answer_is_an_error(noise: bytes, text: str) -> None:
    understand(noise + text.encode(), {at("192.0.2.0")})


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_prefix_covers_what_the_library_says(address: ipaddress.IPv4Address, length: int) -> None:
    assume(getattr(address, "ipv4_mapped", None) is None)
    network = ipaddress.ip_network((address, length % (address.max_prefixlen + 1)), strict=False)
    found = prefix(str(network))
    assert (found is not None) == (network.prefixlen >= (8 if network.version == 4 else 16))
    if found is not None:
        assert found.covers(address.packed)
        assert str(found) == str(network)


# -- what may be asked ----------------------------------------------------------------------------------


@given(st.ip_addresses())
def test_only_the_first_24_or_48_bits_are_told(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mine = packed(str(address)) or b""
    told = base(mine)
    kept = 3 if len(mine) == 4 else 6
    assert told == mine[:kept] + bytes(len(mine) - kept)


@given(st.ip_addresses())
def test_nothing_private_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """The list is our own, since the one of the library differs from version to version."""
    asked = ipaddress.ip_address(base(packed(str(address)) or b""))
    if not asked.is_global or asked.is_multicast or asked.is_reserved:
        assert not is_public(asked.packed)


@pytest.mark.parametrize(
    "text",
    ["1.1.1.0", "8.8.8.0", "100.63.255.0", "172.32.0.0", "192.0.3.0", "223.255.255.0", "2a00::", "2003:c0::", "2600::"],
)
def test_what_providers_have_is_public(text: str) -> None:
    assert is_public(at(text))


@pytest.mark.parametrize(
    "text",
    [
        "2002:c000:204::",
        "64:ff9b::",
        "fe80::",
        "fc00::",
        "ff02::",
        "2001:db8::",
        "3fff::",
        "::",
        "100.64.0.0",
        "224.0.0.0",
        "240.0.0.0",
    ],
)
def test_addresses_that_hold_another_or_are_nobodys_are_not(text: str) -> None:
    """The /48 of a 6to4 address is all of somebody's IPv4 address."""
    assert not is_public(at(text))


# -- over a socket --------------------------------------------------------------------------------------

ASKED = [at("192.0.2.0"), at("2001:db8:42::")]
ROUTES = routes([("192.0.2.0/24", "64500", "Beispiel"), ("2001:db8::/32", "64503", "Six")])


def talk(server: FakeWhois, timeout: float = 5.0, asked: list[bytes] = ASKED) -> Answer:
    return ask(("127.0.0.1", server.port), asked, timeout)


def narrow(server: tuple[str, int], timeout: float) -> socket.socket:
    """A connection that takes little at a time."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(timeout)
    connection.connect(server)
    return connection


def test_a_query_is_one_connection_in_bulk_mode() -> None:
    with FakeWhois(ROUTES) as server:
        answer = talk(server)
    assert server.raw == [b"begin\nverbose\n192.0.2.0\n2001:db8:42::\nend\n"]
    assert answer.complete
    assert [found.network and found.network.asn for found in answer.origins.values()] == ["64500", "64503"]


def test_a_server_that_answers_while_it_is_asked_is_heard() -> None:
    """Two that only send wait for each other for ever."""
    asked = [bytes([1, number // 250, number % 250, 0]) for number in range(5000)]
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                if line[:1].isdigit():
                    text = line.decode().strip()
                    connection.sendall(row(address=text, prefix=f"{text}/24", name="n" * 300).encode())
                elif line == b"end\n":
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    answer = ask(listener.getsockname(), asked, 10.0, narrow)
    thread.join(10)
    listener.close()
    assert len(answer.origins) == 5000
    assert answer.complete


def test_a_silent_server_is_left_after_the_timeout() -> None:
    """Who asked too much is accepted and never answered."""
    with FakeWhois(hang=True) as server:
        answer = talk(server, timeout=0.2)
    assert (answer.complete, answer.trouble, answer.origins) == (False, "no answer within 0.2s", {})


def test_what_came_before_a_server_fell_silent_counts() -> None:
    with FakeWhois(lambda asked: ROUTES(asked[:1]), hang=True) as server:
        answer = talk(server, timeout=0.2)
    assert list(answer.origins) == ASKED[:1]
    assert answer.trouble == "no answer within 0.2s"


def test_a_server_that_never_ends_is_left() -> None:
    with FakeWhois(lambda asked: ROUTES(asked) + b"x" * 10**6, hang=True) as server:
        answer = talk(server)
    assert answer.trouble == "it says more than was asked"
    assert list(answer.origins) == ASKED


def test_a_server_that_refuses_says_so() -> None:
    with FakeWhois() as server:
        port = server.port
    answer = ask(("127.0.0.1", port), ASKED, 5.0)
    assert (answer.complete, answer.trouble) == (False, "connection refused")
    assert reach(("127.0.0.1", port)) == "connection refused"


@pytest.mark.parametrize(
    "reply", [b"", HEADER.encode(), b"Error: no ASN or IP match on line 1.\n", b"<html>", bytes(1000)]
)
def test_a_server_that_answers_something_else_is_trouble(reply: bytes) -> None:
    with FakeWhois(lambda _: reply) as server:
        assert talk(server).trouble == "it does not answer the question"


@pytest.mark.parametrize("politely", [True, False])
def test_a_server_that_hangs_up_early_has_not_answered_all(politely: bool) -> None:
    """What it did not hear must not be taken for what nobody announces."""
    listener, done = socket.create_server(("127.0.0.1", 0)), threading.Event()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(row(address="1.0.0.0", prefix="1.0.0.0/24").encode())
            if politely:
                connection.shutdown(socket.SHUT_WR)
                done.wait(10)

    thread = threading.Thread(target=serve)
    thread.start()
    asked = [bytes([1, number // 250, number % 250, 0]) for number in range(50_000)]
    answer = ask(listener.getsockname(), asked, 5.0, narrow)
    done.set()
    thread.join(5)
    listener.close()
    assert not answer.complete
    assert answer.trouble
    if politely:
        assert answer.trouble == "it hung up before it had heard the question"
        assert list(answer.origins) == asked[:1]


def test_a_name_that_cannot_be_is_trouble_and_no_exception() -> None:
    assert ask(("a..b", 43), ASKED, 1.0).trouble
    assert reach(("a..b", 43))


def test_a_server_that_listens_can_be_reached() -> None:
    with FakeWhois() as server:
        assert reach(("127.0.0.1", server.port)) == ""


def test_a_query_fits_what_the_server_takes() -> None:
    assert whois.MOST <= 10_000
