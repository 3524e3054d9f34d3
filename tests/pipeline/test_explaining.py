"""An explanation says of each record what the runner does with it, and no other thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pegel.config import load
from pegel.enrichers.networks import Network
from pegel.enrichers.prefixes import Known, Memory, PrefixFile
from pegel.enrichers.whois import Prefix
from pegel.formats import End
from pegel.metrics.compiled import compile_metric
from pegel.pipeline.explaining import Explained, Explanation, explain
from pegel.pipeline.registry import columns_of
from pegel.pipeline.stage import SourceStage, chunk
from pegel.plan import Plan
from pegel.sources import Piece
from pegel.table import Engine

NOW = 1_772_600_000 * 10**6
SAMPLE = Path(__file__).parents[2] / "runner/pegel/presets/samples/ookla/ooklaserver-access.log"

CONFIG = """
[[sources]]
name = "shop"
type = "file"
path = "shop.log"
format.template = '{time} {client} {page} {status:int}'
time = { column = "time", format = "unix" }
labels = { server = "a" }
private = ["client", "user"]

[[enrichers]]
type = "sql"
columns = { page = "lower(page)", user = "client || '!'" }

[[enrichers]]
type = "filter"
where = "page <> '/health'"

[[metrics]]
name = "hits"
every = "1m"
labels = ["server", "page"]
values.total = "count(*)"
values.users = "count(distinct user)"
values.slowest = "max(case when status = 200 then null else status end)"

[[metrics]]
name = "errors"
every = "5m"
over = "1h"
where = "status >= 500"
values.n = "count(*)"

[[metrics]]
name = "odd"
every = "1m"
where = "try_cast(page as bigint) > 0"
values.n = "count(*)"
"""

Ask = Callable[[str], Explanation]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    (tmp_path / "config.toml").write_text(CONFIG)
    plan = load(tmp_path / "config.toml")
    return lambda text: explain(plan, plan.sources[0], text.encode(), NOW)


def only(found: Explanation) -> Explained:
    (record,) = found.records
    return record


def test_every_step_shows_what_it_adds_and_changes(ask: Ask) -> None:
    record = only(ask("1772539201 c1 /CART 503\n"))
    told = {step.name: {one.name: (one.value, one.former) for one in step.columns} for step in record.steps}
    assert told == {
        "format": {
            "time": ("1772539201", None),
            "client": ("c1", None),
            "page": ("/CART", None),
            "status": (503, None),
        },
        "labels": {"server": ("a", None)},
        "enricher 1 (sql)": {"page": ("/cart", "/CART"), "user": ("c1!", None)},
        "enricher 2 (filter)": {},
    }
    assert record.time == 1772539201 * 10**6


def test_private_columns_are_marked(ask: Ask) -> None:
    columns = [one for step in only(ask("1772539201 c1 /cart 503\n")).steps for one in step.columns]
    assert {one.name for one in columns if one.private} == {"client", "user"}


def test_a_metric_says_window_labels_and_what_the_record_makes(ask: Ask) -> None:
    hits, errors, _ = only(ask("1772539201 c1 /cart 503\n")).metrics
    minute = 1772539200 * 10**6
    assert (hits.counted, hits.start, hits.end, hits.over) == (True, minute, minute + 60 * 10**6, None)
    assert hits.labels == {"server": "a", "page": "/cart"}
    assert hits.values == {"total": 1, "users": 1, "slowest": 503}
    assert (errors.counted, errors.end - errors.start, errors.over) == (True, 300 * 10**6, 3600 * 10**6)


def test_a_value_that_does_not_exist_for_a_record_is_told(ask: Ask) -> None:
    """`max` of nothing is no number, and no zero."""
    assert only(ask("1772539201 c1 /cart 200\n")).metrics[0].values["slowest"] is None


def test_a_metric_that_does_not_count_says_why(ask: Ask) -> None:
    _, errors, odd = only(ask("1772539201 c1 /cart 200\n")).metrics
    assert (errors.counted, errors.why) == (False, "status >= 500 is false")
    assert odd.why == "try_cast(page as bigint) > 0 is NULL, which is not true"


def test_a_dropped_record_ends_at_its_filter(ask: Ask) -> None:
    record = only(ask("1772539201 c1 /health 200\n"))
    assert [(step.name, step.dropped) for step in record.steps][-1] == ("enricher 2 (filter)", True)
    assert (record.reject, list(record.metrics)) == ("", [])


def test_a_refused_record_says_how_far_it_fits(ask: Ask) -> None:
    record = only(ask("1772539201 c1 /cart fast\n"))
    assert (record.reject, record.why) == (
        "malformed",
        "the template fits up to byte 14; what follows is not {page} {status:int}",
    )


@pytest.mark.parametrize(("time", "reason"), [("yesterday", "bad_time"), ("9999999999", "future")])
def test_a_time_that_cannot_be_used_refuses_the_record(ask: Ask, time: str, reason: str) -> None:
    record = only(ask(f"{time} c1 /cart 200\n"))
    assert record.reject == reason
    assert [one.name for one in record.steps[0].columns] == ["time", "client", "page", "status"]
    assert list(record.metrics) == []


def test_only_the_first_records_are_explained(ask: Ask) -> None:
    found = ask("1772539201 c1 /cart 200\n" * 30)
    assert (len(found.records), found.more) == (20, 10)


def test_an_input_without_records_is_no_error(ask: Ask) -> None:
    assert ask("") == Explanation("shop", [], 0, [])


def ookla(tmp_path: Path) -> Plan:
    (tmp_path / "config.toml").write_text('[[sources]]\nname = "ookla"\npreset = "ookla"\n')
    return load(tmp_path / "config.toml", {"HOSTNAME": "here"})


def test_what_became_no_record_is_told_with_its_place(tmp_path: Path) -> None:
    plan = ookla(tmp_path)
    start = "4983b7f051b9a2d4a26f599aebe997d8724ba1c5 - - [04/Mar/2026:00:11:16 GMT] "
    text = f'{start}"HI abc" 200 0 "" "x"\nnobody knows\n'.encode()
    found = explain(plan, plan.sources[0], text, NOW)
    assert found.records == []
    (first, *_) = found.refused
    assert (first.reason, first.offset) == ("malformed", 0)
    assert first.why == 'request begins with "HI " and does not end with " WS/1.0"'


def test_what_is_explained_is_what_is_counted(tmp_path: Path) -> None:
    """The sum over the explanations of a log is the fold of the log: no step of its own, nothing left out."""
    plan = ookla(tmp_path)
    (source,) = plan.sources
    data = b"".join(SAMPLE.read_bytes().splitlines(keepends=True)[:120])
    found = explain(plan, source, data, NOW, most=1000)
    expected = folded(plan, data)
    counted = Counter(
        (one.metric, one.start, tuple(one.labels.values()))
        for record in found.records
        for one in record.metrics
        if one.counted
    )
    assert counted == expected
    assert len({metric for metric, *_ in counted}) >= 6


def folded(plan: Plan, data: bytes) -> Counter[tuple[str, int, tuple[str, ...]]]:
    """Records per metric, window and labels, as a runner folds them."""
    (source,) = plan.sources
    compiled = {number: compile_metric(one, *columns_of(plan, one)) for number, one in enumerate(plan.metrics)}

    class Keys:
        def get(self, metric: int, epoch: int) -> bytes:  # noqa: ARG002
            return bytes(32)

    stage = SourceStage(source, compiled, Keys())
    frames = source.format.split(data, End.FINAL)
    piece = Piece("p", "s", 0, 0, data, End.FINAL)
    engine = Engine()
    with engine.batch() as batch:
        result = stage.fold(batch, [chunk(source.name, piece, frames, [], NOW)])
    engine.close()
    found: Counter[tuple[str, int, tuple[str, ...]]] = Counter()
    for number, partials in result.partials.items():
        for pane, labels, records, *_ in partials.rows:
            found[compiled[number].metric.name, pane, labels] += records
    return found


def test_a_metric_of_several_sources_explains_a_column_that_one_lacks(tmp_path: Path) -> None:
    """The condition is on a column of the other source: NULL here."""
    first = CONFIG.partition("private")[0]
    second = first.replace('"shop"', '"other"').replace("status:int", "code:int")
    metric = (
        '[[metrics]]\nname = "both"\nfrom = ["shop", "other"]\nevery = "1m"\nwhere = "code > 0"\nvalues.n = "count(*)"'
    )
    (tmp_path / "config.toml").write_text(f"{first}\n{second}\n{metric}\n")
    plan = load(tmp_path / "config.toml")
    record = only(explain(plan, plan.sources[0], b"1772539201 c1 /cart 200\n", NOW))
    assert record.metrics[-1].why == "code > 0 is NULL, which is not true"


def test_calendar_days_are_those_of_the_metric(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    plan = load(tmp_path / "config.toml")
    day = replace(plan.metrics[0], every=86400.0, timezone="Europe/Prague")  # type: ignore[arg-type]
    record = only(explain(replace(plan, metrics=[day]), plan.sources[0], b"1772539201 c1 /cart 200\n", NOW))
    assert record.metrics[0].start == (1772539200 - 13 * 3600) * 10**6


def test_a_provider_that_the_runner_has_asked_for_is_known(tmp_path: Path) -> None:
    """The runner counted it under that label; `unknown` would be a wrong explanation. Nobody is asked: port 1."""
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
        runner.state = "{tmp_path}"

        [[sources]]
        name = "shop"
        type = "file"
        path = "shop.log"
        format.template = '{{time}} {{client}}'
        time = {{ column = "time", format = "unix" }}
        private = ["client"]

        [[enrichers]]
        type = "asn"
        column = "client"
        whois = {{ server = "127.0.0.1", port = 1 }}

        [[metrics]]
        name = "hits"
        every = "1m"
        labels = ["asn"]
        values.total = "count(*)"
        """
    )
    prefix = Prefix(bytes([8, 8, 8, 0]), 24)
    memory = Memory({prefix: Known(Network("64500", "Beispiel", "DE"), 2 * NOW / 10**6)})
    PrefixFile(tmp_path / "whois.db", "127.0.0.1:1").save(memory, NOW / 10**6)
    plan = load(config)
    (record,) = explain(plan, plan.sources[0], b"1772600000 8.8.8.8\n", NOW).records
    assert record.metrics[0].labels == {"asn": "64500"}
