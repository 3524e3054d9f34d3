"""When a whois server is asked, what counts meanwhile, and who waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from doubles import FakeClock
from pegel.enrichers import inquiry
from pegel.enrichers.addresses import packed, written
from pegel.enrichers.inquiry import Inquiry, Whois
from pegel.enrichers.networks import Network
from pegel.enrichers.whois import Answer, Origin, Prefix, prefix
from pegel.units import Duration

ONE, TWO = Network("64500", "One"), Network("64501", "Two")


@dataclass
class Server:
    """Answers from a table of routes, or with trouble."""

    routes: dict[str, Network] = field(default_factory=dict)
    trouble: str = ""
    deaf_to: frozenset[str] = frozenset()
    queries: list[list[str]] = field(default_factory=list)
    before: Callable[[], Any] = lambda: None

    def ask(self, _server: tuple[str, int], addresses: Sequence[bytes], _timeout: float) -> Answer:
        self.queries.append([written(address) for address in addresses])
        self.before()
        answer = Answer(complete=not self.trouble, trouble=self.trouble)
        if not self.trouble:
            answer.origins = {one: self._origin(one) for one in addresses if written(one) not in self.deaf_to}
        return answer

    def _origin(self, address: bytes) -> Origin:
        known = [(found, network) for text, network in self.routes.items() if (found := prefix(text))]
        around = [(found, network) for found, network in known if found.covers(address)]
        if not around:
            return Origin(Prefix(address, 24 if len(address) == 4 else 48), None)
        return Origin(*max(around, key=lambda one: one[0].length))


class Desk:
    """An inquiry on a clock of its own; whoever makes it tends it, too."""

    def __init__(self, server: Server, clock: FakeClock | None = None, **options: Any) -> None:
        self.clock = clock or FakeClock()
        self.server = server
        self.inquiry = Inquiry(Whois(**options), self.clock.wall, server.ask)

    def find(self, *texts: str) -> list[str | None]:
        found = self.inquiry.find([packed(text) or b"" for text in texts])
        return [one.asn if one else None for one in found]

    def tend(self, later: float = inquiry._PAUSE) -> None:
        self.clock.now += later
        self.inquiry.tend(0.0)


# -- what is asked and what it means --------------------------------------------------------------------


def test_what_is_not_known_is_asked_by_its_network_and_known_then() -> None:
    desk = Desk(Server({"8.8.8.0/24": ONE, "2a00:1::/32": TWO}))
    assert desk.find("8.8.8.8", "2a00:1:2:3::4", "8.8.8.9") == [None, None, None]
    desk.tend()
    assert desk.server.queries == [["8.8.8.0", "2a00:1:2::"]]
    assert desk.find("8.8.8.8", "2a00:1:2:3::4", "8.8.8.200") == ["64500", "64501", "64500"]
    desk.tend()
    assert len(desk.server.queries) == 1


@pytest.mark.parametrize("text", ["10.0.0.1", "192.0.2.7", "127.0.0.1", "224.0.0.1", "fe80::1", "2002:808:808::1"])
def test_nobody_is_asked_about_what_is_not_public(text: str) -> None:
    desk = Desk(Server())
    assert desk.find(text) == [None]
    desk.tend()
    assert desk.server.queries == []


def test_a_shorter_prefix_answers_at_once_and_the_own_network_is_asked_all_the_same() -> None:
    """A part of a network may be announced by somebody else: what is known first may be wrong, for one query."""
    desk = Desk(Server({"8.0.0.0/9": ONE, "8.8.8.0/24": TWO}))
    desk.find("8.9.0.1")
    desk.tend()
    assert desk.find("8.8.8.8", "8.9.0.7") == ["64500", "64500"]
    desk.tend()
    assert desk.server.queries == [["8.9.0.0"], ["8.8.8.0"]]
    assert desk.find("8.8.8.8", "8.9.0.7") == ["64501", "64500"]


def test_the_rest_of_a_network_of_which_only_a_part_is_announced_is_unknown() -> None:
    """Only the first address of a /24 is asked about; the other half may be anybody's."""
    desk = Desk(Server({"8.8.8.0/25": ONE}))
    desk.find("8.8.8.8")
    desk.tend()
    assert desk.find("8.8.8.8", "8.8.8.200") == ["64500", None]
    desk.tend()
    assert len(desk.server.queries) == 1


def test_an_answer_counts_for_its_time() -> None:
    desk = Desk(Server({"8.8.8.0/24": ONE}), ttl=Duration(600.0), negative_ttl=Duration(60.0))
    desk.find("8.8.8.8", "9.9.9.9")
    desk.tend()
    for later, asked in ((50, 1), (20, 2), (500, 3)):
        desk.clock.now += later
        desk.find("8.8.8.8", "9.9.9.9")
        desk.tend()
        assert len(desk.server.queries) == asked
    assert [sorted(query) for query in desk.server.queries[1:]] == [["9.9.9.0"], ["9.9.9.0"]]
    desk.clock.now += 60
    assert desk.find("8.8.8.8") == [None]


def test_what_the_server_did_not_answer_is_left_for_a_while() -> None:
    """It says `Error` without saying about what; asking again at once would be asking for ever."""
    desk = Desk(Server({"8.8.8.0/24": ONE}, deaf_to=frozenset(["9.9.9.0"])))
    desk.find("8.8.8.8", "9.9.9.9")
    desk.tend()
    assert desk.find("8.8.8.8", "9.9.9.9") == ["64500", None]
    desk.tend()
    assert len(desk.server.queries) == 1
    desk.clock.now += inquiry._UNANSWERED
    desk.find("9.9.9.9")
    desk.tend()
    assert desk.server.queries[1] == ["9.9.9.0"]


# -- how often ------------------------------------------------------------------------------------------


def test_questions_are_gathered_between_two_queries() -> None:
    """Who asks for each address by itself is shut out."""
    desk = Desk(Server())
    desk.find("8.8.8.8")
    desk.tend()
    for number in range(5):
        desk.find(f"9.9.{number}.9")
        desk.tend(0.1)
    assert len(desk.server.queries) == 1
    desk.tend()
    assert desk.server.queries[1] == [f"9.9.{number}.0" for number in range(5)]


def test_a_query_has_so_many_addresses_and_so_many_wait_at_most() -> None:
    """What is left out comes back by itself when it is seen again."""
    desk = Desk(Server())
    desk.find(*(f"{number >> 8}.{number & 255}.9.9" for number in range(11 << 8, 97 << 8)))
    for _ in range(6):
        desk.tend()
    assert [len(query) for query in desk.server.queries] == [5000] * 4


def test_a_server_that_fails_is_asked_ever_more_rarely(caplog: pytest.LogCaptureFixture) -> None:
    """And one line says so, and one that it is back; nothing that was wanted is lost."""
    desk = Desk(Server({"8.8.8.0/24": ONE}, trouble="connection refused"))
    desk.find("8.8.8.8")
    start = desk.clock.now
    times = []
    with caplog.at_level(logging.WARNING):
        for _ in range(6 * 3600):
            asked = len(desk.server.queries)
            desk.tend(1.0)
            times += [desk.clock.now - start] * (len(desk.server.queries) - asked)
        assert times[:5] == [1, 31, 91, 211, 451]
        assert times[-1] - times[-2] == 3600
        desk.server.trouble = ""
        desk.tend(3600.0)
    assert desk.find("8.8.8.8") == ["64500"]
    assert [record.getMessage() for record in caplog.records] == [
        "whois server whois.cymru.com:43: connection refused; until it answers, new addresses are unknown.",
        "whois server whois.cymru.com:43 answers again.",
    ]


def test_half_an_answer_counts_and_the_rest_is_asked_again() -> None:
    server = Server({"8.8.8.0/24": ONE, "9.9.9.0/24": TWO})

    class Half(Server):
        def ask(self, _server: tuple[str, int], addresses: Sequence[bytes], _timeout: float) -> Answer:
            answer = server.ask(_server, addresses[:1], _timeout)
            answer.trouble = "no answer within 30s"
            return answer

    desk = Desk(Half())
    desk.find("8.8.8.8", "9.9.9.9")
    desk.tend()
    assert desk.find("8.8.8.8", "9.9.9.9") == ["64500", None]
    desk.tend(inquiry._AFTER_FAILURE)
    assert server.queries == [["8.8.8.0"], ["9.9.9.0"]]
    assert desk.find("9.9.9.9") == ["64501"]


def test_a_clock_that_was_set_back_makes_no_long_silence() -> None:
    desk = Desk(Server())
    desk.find("8.8.8.8")
    desk.tend()
    desk.clock.now -= 10 * 86400
    desk.find("9.9.9.9")
    desk.tend(0.0)
    assert len(desk.server.queries) == 2


# -- from one start to the next ---------------------------------------------------------------------------


def test_answers_survive_a_restart(tmp_path: Path) -> None:
    first = Desk(Server({"8.0.0.0/9": ONE}))
    first.inquiry.settle_in(tmp_path)
    first.find("8.8.8.8", "9.9.9.9")
    first.tend()
    second = Desk(Server(), first.clock)
    second.inquiry.settle_in(tmp_path)
    assert second.find("8.8.8.9", "9.9.9.9", "8.8.9.9") == ["64500", None, "64500"]
    second.tend()
    assert second.server.queries == [["8.8.9.0"]]


def test_a_run_every_minute_does_not_hammer_a_server_that_is_down(tmp_path: Path) -> None:
    """Each run is a new process: what it learnt must reach the next."""
    server, clock = Server(trouble="no answer within 30s"), FakeClock()
    for _ in range(60):
        desk = Desk(server, clock)
        desk.inquiry.settle_in(tmp_path)
        desk.find("8.8.8.8")
        desk.tend(60.0)
    assert len(server.queries) < 10


def test_no_address_reaches_the_file(tmp_path: Path) -> None:
    desk = Desk(Server({"93.184.0.0/16": ONE}))
    desk.inquiry.settle_in(tmp_path)
    desk.find("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946")
    desk.tend()
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    assert b"93.184.216.0/24" in content
    six = bytes.fromhex("0248189325c81946")
    for canary in (b"93.184.216.34", bytes([93, 184, 216, 34]), b"248:1893", b"25c8", six):
        assert canary not in content


# -- who waits ------------------------------------------------------------------------------------------


def beside(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_batch_waits_for_an_answer_that_comes_in_time() -> None:
    """A visitor who comes once has a provider, too."""
    desk = Desk(Server({"8.8.8.0/24": ONE}), wait=Duration(10.0))
    desk.tend()
    found: list[str | None] = []
    worker = beside(lambda: found.extend(desk.find("8.8.8.8")))
    while not desk.server.queries:
        desk.inquiry.tend(5.0)
    worker.join(10)
    assert found == ["64500"]


def test_after_one_wait_that_was_too_short_nobody_waits_until_the_server_answers() -> None:
    """A backlog of thousands of batches must not become slow."""
    desk = Desk(Server({"7.7.7.0/24": TWO}), wait=Duration(0.05))
    desk.tend()
    beside(lambda: desk.find("8.8.8.8")).join(10)
    desk.inquiry._options.wait = Duration(60.0)
    second = beside(lambda: desk.find("9.9.9.9"))
    second.join(10)
    assert not second.is_alive()
    desk.tend()
    desk.clock.now += inquiry._PAUSE
    found: list[str | None] = []
    third = beside(lambda: found.extend(desk.find("7.7.7.7")))
    while len(desk.server.queries) < 2:
        desk.inquiry.tend(5.0)
    third.join(10)
    assert found == ["64501"]


def test_while_the_server_fails_nobody_waits() -> None:
    desk = Desk(Server(trouble="connection refused"), wait=Duration(60.0))
    desk.find("8.8.8.8")
    desk.tend()
    worker = beside(lambda: desk.find("9.9.9.9"))
    worker.join(5)
    assert not worker.is_alive()


def test_a_failure_ends_the_wait() -> None:
    desk = Desk(Server(trouble="connection refused"), wait=Duration(60.0))
    desk.tend()
    worker = beside(lambda: desk.find("8.8.8.8"))
    while not desk.server.queries:
        desk.inquiry.tend(5.0)
    worker.join(5)
    assert not worker.is_alive()


def test_in_one_thread_nobody_waits_for_himself() -> None:
    desk = Desk(Server({"8.8.8.0/24": ONE}), wait=Duration(60.0))
    desk.tend()
    assert desk.find("8.8.8.8") == [None]
    desk.tend()
    assert desk.find("8.8.8.8") == ["64500"]


def test_where_nobody_asks_nobody_waits() -> None:
    desk = Desk(Server(), wait=Duration(60.0))
    assert desk.find("8.8.8.8") == [None]


def test_many_threads_find_while_one_asks() -> None:
    desk = Desk(Server({f"8.8.{number}.0/24": Network(str(number + 1)) for number in range(100)}), wait=Duration(10.0))
    desk.tend()
    done = threading.Event()
    wrong: list[object] = []

    def work(first: int) -> None:
        for number in range(first, 100, 4):
            found = desk.find(f"8.8.{number}.7")
            if found not in ([str(number + 1)], [None]):
                wrong.append(found)

    def care() -> None:
        while not done.is_set():
            desk.tend()

    workers = [beside(lambda first=first: work(first)) for first in range(4)]  # type: ignore[misc]
    carer = beside(care)
    for worker in workers:
        worker.join(30)
    done.set()
    carer.join(10)
    assert wrong == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"server": ""}, 'server: "" is no name'),
        ({"server": "whois.example.net -h"}, "server: .* is no name"),
        ({"port": 0}, "port: 0 is no port"),
        ({"wait": Duration(90.0)}, "wait: records may wait"),
        ({"timeout": Duration(0.0)}, "timeout: write more"),
        ({"ttl": Duration(1.0)}, "ttl: an answer counts"),
    ],
)
def test_options_are_checked(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Whois(**options)
