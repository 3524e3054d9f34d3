from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.conftest import METRIC, SOURCE, Folder
from pegel.config import check, load
from pegel.errors import ConfigError

GOOD = SOURCE + METRIC


def test_a_file_becomes_a_plan(folder: Folder) -> None:
    plan = load(folder.write(GOOD), folder.environ)
    (source,) = plan.sources
    assert (source.name, source.private, source.columns["bytes"]) == ("shop", frozenset({"client"}), "BIGINT")
    (metric,) = plan.metrics
    assert (metric.name, metric.sources, metric.every) == ("shop_requests", ("shop",), 60.0)


def test_without_sinks_points_are_kept_in_the_embedded_store(folder: Folder) -> None:
    """The first run should show something without a database."""
    assert [(sink.name, sink.type) for sink in load(folder.write(GOOD), folder.environ).sinks] == [("local", "local")]


def test_every_problem_is_told_in_the_order_of_the_file(folder: Folder) -> None:
    """One problem at a time is how an afternoon goes by."""
    text = GOOD.replace("1m", "7s").replace("/var", "${NOPE}/var") + "\n[[sinks]]\ntype = 'locl'\n[oops]\n"
    assert folder.problems(text) == [
        "config.toml:5:9  sources[0].path: the environment variable NOPE is not set",
        'config.toml:13:9  metrics[0].every: "every" must divide a day, such as 10s, 1m, 15m, 1h or 1d',
        (
            'config.toml:18:8  sinks[0].type: there is no sink "locl"; there is file, stdout, local, prometheus,'
            ' influxdb2, remote_write; did you mean "local"?'
        ),
        "config.toml:19:1  oops: unknown section",
    ]


def test_load_raises_all_problems_as_one_error(folder: Folder) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder.write("[oops]\n[again]\n"), folder.environ)
    assert len(caught.value.problems) == 3
    assert "oops: unknown section" in str(caught.value)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    (problem,) = check(tmp_path / "config.toml", {}).problems
    assert problem.message == "cannot be read: no such file or directory; pegel init writes one"


def test_files_in_conf_d_belong_to_the_file_beside_them(folder: Folder) -> None:
    """Ansible and packages drop a file for each source instead of editing one."""
    folder.write(METRIC, "conf.d/10-metric.toml")
    folder.write(METRIC.replace("shop_requests", "more").replace("count(*)", "sum(byts)"), "conf.d/20-more.toml")
    assert folder.problems(SOURCE) == [
        'conf.d/20-more.toml:6:21  metrics[0].values.total: unknown column "byts"; did you mean "bytes"?'
    ]


def test_a_syntax_error_in_one_file_hides_nothing_in_another(folder: Folder) -> None:
    folder.write("[[", "conf.d/a.toml")
    folder.write("=", "conf.d/b.toml")
    assert [problem.split(":")[0] for problem in folder.problems(GOOD)] == ["conf.d/a.toml", "conf.d/b.toml"]


def test_runner_settings_stand_in_one_place(folder: Folder) -> None:
    folder.write("[runner]\nworkers = 2\n", "conf.d/a.toml")
    (problem,) = folder.problems("[runner]\nworkers = 1\n" + GOOD)
    assert problem.startswith("conf.d/a.toml:1:1  runner: there is already a [runner] at ")


def test_the_host_name_is_always_known(folder: Folder) -> None:
    """Bash knows HOSTNAME but does not export it; cron and systemd do not even know it."""
    path = folder.write(SOURCE + "labels = { server = '${TAG:-${HOSTNAME}}' }\n" + METRIC)
    assert load(path, {}).sources[0].labels["server"]
    assert load(path, {"HOSTNAME": "st-01"}).sources[0].labels == {"server": "st-01"}
    assert load(path, {"HOSTNAME": "st-01", "TAG": "x"}).sources[0].labels == {"server": "x"}


def test_several_sources_in_one_metric_agree_on_types(folder: Folder) -> None:
    """A column that one source lacks is NULL there; one that means two things cannot be counted together."""
    other = SOURCE.replace('"shop"', '"other"').replace('bytes = "BIGINT"', 'bytes = "VARCHAR", extra = "BIGINT"')
    both = METRIC.replace('every = "1m"', 'every = "1m"\nfrom = ["shop", "other"]')
    assert folder.problems(SOURCE + other + both.replace("count(*)", "sum(extra)")) == []
    assert folder.problems(SOURCE + other + both.replace("count(*)", "max(bytes)")) == [
        (
            'config.toml:23:8  metrics[0].from: the column "bytes" is bigint in "shop" and varchar in "other"; '
            "their types must agree"
        )
    ]


def test_private_columns_of_every_source_are_protected(folder: Folder) -> None:
    """A column that is private in one source cannot become public by another one that also has it."""
    other = SOURCE.replace('"shop"', '"other"').replace('private = ["client"]', "")
    both = METRIC.replace('every = "1m"', 'every = "1m"\nfrom = ["other", "shop"]').replace('"page"', '"client"')
    (problem,) = folder.problems(other + SOURCE + both)
    assert "metrics[0].labels[0]" in problem
    assert "private" in problem


def test_enrichers_apply_in_the_order_of_the_file(folder: Folder) -> None:
    """A later enricher builds on what an earlier one added."""
    enrichers = """
[[enrichers]]
type = "config.parts:Formulas"
columns.kib = "bytes / 1024"

[[enrichers]]
type = "config.parts:Formulas"
from = "shop"
columns.mib = "kib / 1024"
"""
    plan = load(folder.write(SOURCE + enrichers + METRIC), folder.environ)
    assert list(plan.sources[0].columns)[-2:] == ["kib", "mib"]
    (problem,) = folder.problems(SOURCE + enrichers.replace("columns.kib", "columns.kb") + METRIC)
    assert problem == 'config.toml:18:16  enrichers[1].columns.mib: unknown column "kib"; did you mean "kb"?'


def test_a_wrong_source_does_not_make_its_metrics_wrong(folder: Folder) -> None:
    """Problems that only follow from another one bury it."""
    (problem,) = folder.problems(GOOD.replace("poll_interval", "x").replace('bytes = "BIGINT"', 'bytes = "BIGNT"'))
    assert problem.startswith("config.toml:7:")


def test_a_source_that_has_lost_its_name_is_one_problem(folder: Folder) -> None:
    text = SOURCE.replace('name = "shop"\n', "") + METRIC.replace("every", 'from = "shop"\nevery')
    assert folder.problems(text) == ["config.toml:2:1  sources[0].name: required, but missing"]


def test_a_variable_without_a_value_is_one_problem(folder: Folder) -> None:
    """The text that is left in its place is no duration, but nobody wrote it as one."""
    text = SOURCE + 'poll_interval = "${NOPE}"\n' + METRIC
    assert folder.problems(text) == [
        "config.toml:10:18  sources[0].poll_interval: the environment variable NOPE is not set"
    ]


def test_the_prefix_and_labels_of_the_runner_are_on_every_metric(folder: Folder) -> None:
    plan = load(folder.write("runner = { prefix = 'acme_', labels = { site = 'b' } }\n" + GOOD), folder.environ)
    assert plan.metrics[0].name == "acme_shop_requests"
    assert plan.metrics[0].constant_labels == {"site": "b"}


def test_what_would_do_nothing_is_a_warning(folder: Folder) -> None:
    """A pattern with a typing error delivers nothing, and nobody notices before the dashboard is needed."""
    sink = "\n[[sinks]]\ntype = 'stdout'\nmetrics = ['shop_request', 'other_*']\n"
    idle = SOURCE.replace('"shop"', '"idle"')
    assert folder.warnings(SOURCE + idle + METRIC.replace("every", 'from = "shop"\nevery') + sink) == [
        "config.toml:12:8  sources[1].name: no metric reads this source",
        "config.toml:21:8  metrics[0].name: no sink takes this metric",
        (
            'config.toml:29:12  sinks[0].metrics[0]: "shop_request" matches no metric; there is shop_requests; '
            'did you mean "shop_requests"?'
        ),
        'config.toml:29:28  sinks[0].metrics[1]: "other_*" matches no metric; there is shop_requests',
    ]


def test_a_configuration_that_begins_with_its_sinks_is_fine(folder: Folder) -> None:
    """The one of the stack watches itself until a source is added; a warning there would be the first thing seen."""
    assert folder.warnings("[[sinks]]\ntype = 'stdout'\nmetrics = ['*', 'pegel_*']\n") == []


def test_options_of_the_outbox_and_of_the_sink_do_not_meet(folder: Folder) -> None:
    """`max_age` means one thing for the store and another for what waits to be sent to it."""
    sink = "\n[[sinks]]\ntype = 'local'\nmax_age = '7d'\noutbox = { max_age = '1h', when_full = 'drop_oldest' }\n"
    (plan,) = load(folder.write(GOOD + sink), folder.environ).sinks
    assert (plan.max_age, plan.when_full) == (3600.0, "drop_oldest")
    assert vars(plan.sink)["max_age"] == 7 * 86400.0


def test_a_secret_in_a_file_that_everybody_can_read_is_refused(folder: Folder) -> None:
    sink = "\n[[sinks]]\nname = 'w'\ntype = 'config.parts:Wire'\ntoken = '{}'\n"
    path = folder.write(GOOD + sink.format("hunter2"))
    assert check(path, folder.environ).problems == []
    path.chmod(0o644)
    (problem,) = check(path, folder.environ).problems
    assert problem.path == "sinks[0].token"
    assert "token_file" in problem.message
    assert "hunter2" not in problem.excerpt
    path = folder.write(GOOD + sink.format("${TOKEN}"))
    path.chmod(0o644)
    assert check(path, {"TOKEN": "hunter2"}).problems == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, len(GOOD)), st.sampled_from(["", "[", "=", "''", '"', "\n", "{}", "3", "${", "[[sinks]]\n", "x."])
)
def test_a_damaged_configuration_is_refused_never_a_crash(folder: Folder, at: int, damage: str) -> None:
    """Whatever is typed into the file, the answer is a list of places."""
    for text in (GOOD[:at] + damage + GOOD[at:], GOOD[:at] + damage + GOOD[at + 7 :]):
        checked = folder.check(text)
        assert (checked.plan is None) is bool(checked.problems)


SECTION = st.sampled_from(["runner", "sources", "enrichers", "metrics", "sinks", "odd"])
OPTION = st.sampled_from(["name", "type", "from", "format", "time", "labels", "values", "metrics", "outbox", "preset"])
ANY = st.sampled_from(
    ["1", "'x'", "[]", "{}", "[[]]", "[{}]", "{ type = 'sql' }", "true", "1.5", "{ value = 1 }", "['x', 1]"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(SECTION, st.dictionaries(OPTION, ANY, max_size=4), st.booleans()), max_size=3))
def test_any_value_in_any_place_is_refused_never_a_crash(
    folder: Folder, tables: list[tuple[str, dict[str, str], bool]]
) -> None:
    """Types are checked before they are used, in every corner."""
    text = "".join(
        (f"[[{name}]]\n" if many else f"[{name}{number}]\n")
        + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for number, (name, entries, many) in enumerate(tables)
    )
    checked = folder.check(text)
    assert checked.plan is None
    assert checked.problems


def test_a_table_that_breaks_later_does_not_end_the_counting(folder: Folder, tmp_path: Path) -> None:
    """A nightly download that failed: refused before the first start, done without once there is a state."""
    table, state = tmp_path / "plans.csv", tmp_path / "state"
    lookup = f"""
[[enrichers]]
type = "lookup"
from = "shop"
file = "{table}"
column = "page"
key = "page"
columns = ["plan"]

[runner]
state = "{state}"
"""
    config = folder.write(GOOD + lookup)
    with pytest.raises(ConfigError, match=r'enrichers\[0\]\.file: ".*plans.csv" cannot be read: no such file'):
        load(config, folder.environ)
    state.mkdir()
    (state / "state.db").touch()
    assert load(config, folder.environ).sources
    assert [problem.path for problem in check(config, folder.environ).problems] == ["enrichers[0].file"]


def test_a_metric_that_reaches_a_prometheus_by_two_roads_is_a_warning(folder: Folder) -> None:
    """Scraped and written it is there twice, and a sum counts it twice."""
    roads = (
        "[[sinks]]\ntype = 'prometheus'\n[[sinks]]\ntype = 'remote_write'\nurl = 'http://localhost:9090/api/v1/write'\n"
    )
    (warning,) = folder.warnings(GOOD + roads)
    assert 'shop_requests is on the page of "prometheus" too; if one server gets both' in warning
    assert folder.warnings(GOOD + roads + "metrics = ['pegel_*']\n") != []
    apart = roads.replace("type = 'prometheus'\n", "type = 'prometheus'\nmetrics = ['pegel_*']\n")
    assert folder.warnings(GOOD + apart) == []
