"""The question for the newest samples, and what is made of its answers; a real server is asked in tests/engines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import pytest

from pegel.errors import Retryable
from pegel.sinks.posting import Poster, Reply
from pegel.sinks.write_queries import newest, question, selector

WRITES = "/base/api/v1/write"


class Server(Poster):
    """Answers questions from a table: times by name, by how far back is looked."""

    def __init__(self, *answers: Mapping[str, float], status: int = 200, body: bytes | None = None) -> None:
        super().__init__("http://localhost:9090", 1.0)
        self.answers = list(answers)
        self.asked: list[str] = []
        self.reply = None if body is None and status == 200 else Reply(status, {}, body or b"")

    def get(self, target: str, headers: Mapping[str, str]) -> Reply:  # noqa: ARG002
        parts = urlsplit(target)
        if parts.path == "/base/api/v1/label/__name__/values":
            names = sorted({name for one in self.answers for name in one})
            return self.reply or Reply(200, {}, json.dumps({"data": names}).encode())
        assert parts.path == "/base/api/v1/query"
        [query] = parse_qs(parts.query)["query"]
        self.asked.append(query)
        times = {name: time for name, time in self.answers.pop(0).items() if f'"name", "{name}"' in query}
        rows = [{"metric": {"name": name}, "value": [1.5, str(time)]} for name, time in times.items()]
        return Reply(200, {}, json.dumps({"data": {"result": rows}}).encode())


def test_the_values_of_a_metric_are_known_by_the_beginning_of_their_names() -> None:
    server = Server({"hits_n_total": 60.0, "hits_worst": 120.5, "hits_by_key": 30.0, "seen_info": 7.0, "hitsx": 1.0})
    found = newest(server, WRITES, {}, ["hits", "hits_by_key", "seen"], {})
    assert found == {"hits": 120_500_000, "hits_by_key": 30_000_000, "seen": 7_000_000}
    assert len(server.asked) == 1


def test_what_has_no_new_sample_is_looked_for_further_back_and_nothing_else_is() -> None:
    """A look into a week is dear."""
    server = Server({"a": 60.0}, {"b_c_total": 50.0}, {"b_n_total": 3.0, "a": 1.0, "b_h_bucket": 4.0})
    assert newest(server, WRITES, {}, ["a", "b", "b_c", "d"], {}) == {
        "a": 60_000_000,
        "b_c": 50_000_000,
        "b": 3_000_000,
    }
    assert ['"b_c_total"' in one for one in server.asked] == [True, True, False]
    assert ['"a"' in one for one in server.asked] == [True, False, False]
    assert (
        server.asked[2]
        == 'label_replace(max_over_time(max(timestamp(b_n_total{}))[7d:1h]), "name", "b_n_total", "", "")'
    )


def test_only_series_of_this_runner_are_asked_for() -> None:
    """Another one may write the same metrics."""
    own = {"runner": 'a"b\\c', "backfill": "x"}
    pairs = 'runner="a\\"b\\\\c", backfill="x"'
    assert selector(["m-1", "n"], own) == '{__name__=~"(?:m_1|n)(?:_.*)?", ' + pairs + "}"
    assert question(["m_1"], own, "") == "label_replace(max(timestamp(m_1{" + pairs + '})), "name", "m_1", "", "")'


@pytest.mark.parametrize(("path", "status"), [("/api/v1/push", 200), (WRITES, 404), (WRITES, 405)])
def test_what_is_no_prometheus_is_not_asked(path: str, status: int) -> None:
    assert newest(Server(status=status), path, {}, ["a"], {}) is None


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, b"", r"may not ask \(403\)"),
        (500, b"boom", "answered with 500: boom"),
        (200, b"<html>", "something else than times"),
        (200, b"[]", "something else than times"),
    ],
)
def test_an_answer_that_is_none_is_said(status: int, body: bytes, said: str) -> None:
    with pytest.raises(Retryable, match=said):
        newest(Server(status=status, body=body), WRITES, {}, ["a"], {})


def test_times_that_are_none_are_said() -> None:
    class Odd(Server):
        def get(self, target: str, headers: Mapping[str, str]) -> Reply:  # noqa: ARG002
            names = b'["a"]' if "label" in target else b'{"result": [{"metric": {"name": "a"}, "value": []}]}'
            return Reply(200, {}, b'{"data": ' + names + b"}")

    with pytest.raises(Retryable, match="something else than times"):
        newest(Odd(), WRITES, {}, ["a"], {})
