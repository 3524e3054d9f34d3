"""What the start script makes in a real InfluxDB 2: once, with the smallest rights, and again where it is lost."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.proxy import Exchange, Fault, Reply, lost_reply, passing
from stack.bootstrapping import SCRIPT, Stack, fresh
from stack.project import ROOT

BUCKETS = ("telemetry", "telemetry_5m", "jitsi")
SHOWN = "/query?db=jitsi&q=SHOW%20MEASUREMENTS"
TOKENS = ("runner-write", "grafana-read")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with fresh(tmp_path) as made:
        yield made


def test_the_first_start_makes_everything(stack: Stack) -> None:
    done = stack.start()
    assert (done.returncode, done.stderr) == (0, "stack: InfluxDB: buckets, tokens and tasks are there\n")
    found = stack.server.call("GET", "/api/v2/buckets").json()["buckets"]
    kept = {one["name"]: one["retentionRules"][0]["everySeconds"] // 86400 for one in found}
    assert {name: kept[name] for name in BUCKETS} == {"telemetry": 90, "telemetry_5m": 400, "jitsi": 30}
    tasks = stack.server.call("GET", "/api/v2/tasks").json()["tasks"]
    assert {(one["name"], one["every"], one["status"]) for one in tasks} == {
        ("downsample", "1h", "active"),
        ("downsample-late", "1d", "active"),
    }


def test_the_second_start_writes_nothing(stack: Stack) -> None:
    """It runs at every start: whatever it repeated would be lost or doubled some day."""
    stack.start()
    before = {path.name: (path.read_text(), path.stat().st_mtime_ns) for path in stack.tokens.iterdir()}
    assert stack.start().returncode == 0
    assert stack.written() == []
    assert {path.name: (path.read_text(), path.stat().st_mtime_ns) for path in stack.tokens.iterdir()} == before


def test_a_token_can_do_what_it_is_for_and_nothing_else(stack: Stack) -> None:
    stack.start()
    runner, grafana = (stack.token(name) for name in TOKENS)
    assert {name: stack.may_write(runner, name) for name in BUCKETS} == dict.fromkeys(BUCKETS, False) | {
        "telemetry": True
    }
    assert not any(stack.may_read(runner, name) for name in BUCKETS)
    assert not any(stack.may_write(grafana, name) for name in BUCKETS)
    assert all(stack.may_read(grafana, name) for name in BUCKETS)
    assert stack.status(grafana, "GET", "/api/v2/authorizations") == 200  # it sees none but itself
    assert stack.server.request("GET", "/api/v2/authorizations", token=grafana).json()["authorizations"] == []
    assert stack.status(runner, "POST", "/api/v2/buckets", b'{"name": "x"}') != 201


def test_files_are_for_one_group_and_not_for_others(stack: Stack) -> None:
    group = os.getgid()
    stack.start(RUNNER_GROUP=str(group), GRAFANA_GROUP=str(group))
    for path in stack.tokens.iterdir():
        assert path.stat().st_mode & 0o777 == 0o440
        assert path.stat().st_gid == group
    assert {path.name for path in stack.tokens.iterdir()} == {*TOKENS, "jitsi-v1-password"}


@pytest.mark.parametrize("lost", ["removed", "emptied", "of another server"])
def test_a_lost_token_is_made_anew_and_the_old_one_ends(stack: Stack, lost: str) -> None:
    """A server that keeps hashes cannot say a token again; one that nobody knows must not stay valid."""
    stack.start()
    old = stack.token("runner-write")
    path = stack.tokens / "runner-write"
    path.chmod(0o600)
    if lost == "removed":
        path.unlink()
    else:
        path.write_text("" if lost == "emptied" else "abc")
    done = stack.start()
    assert "token runner-write was lost, refused or has other rights" in done.stderr
    assert [line.split("/")[0] for line in stack.written()] == ["DELETE ", "POST "]
    assert not stack.may_write(old, "telemetry")
    assert stack.may_write(stack.token("runner-write"), "telemetry")


def test_rights_follow_what_the_script_says(stack: Stack) -> None:
    """A bucket that was deleted has another id when it is made again: the old tokens are valid, and may write nowhere.

    So it is with a later version that gives somebody one more bucket.
    """
    stack.start()
    found = stack.server.call("GET", "/api/v2/buckets").json()["buckets"]
    ids = {one["name"]: one["id"] for one in found}
    for name in ("telemetry", "jitsi"):
        assert stack.status(stack.server.operator, "DELETE", f"/api/v2/buckets/{ids[name]}") == 204
    old, password = stack.token("runner-write"), stack.token("jitsi-v1-password")
    done = stack.start()
    assert done.returncode == 0
    assert "token runner-write was lost, refused or has other rights" in done.stderr
    assert stack.may_write(stack.token("runner-write"), "telemetry")
    assert stack.may_read(stack.token("grafana-read"), "jitsi")
    assert stack.status(old, "GET", "/api/v2/buckets") == 401
    assert stack.token("jitsi-v1-password") == password
    assert stack.version1(password, "POST", "/write?db=jitsi&precision=s", b"m v=1i") == 204
    stack.start()
    assert stack.written() == []


def while_starting(path: str, times: int) -> Fault:
    """A server that says 503 to the first requests for a path."""
    left = iter(range(times))

    def answer(exchange: Exchange) -> None:
        if exchange.request.path.startswith(path) and next(left, None) is not None:
            exchange.answer(Reply(503, b'{"status": "starting"}').text())
        else:
            passing(exchange)

    return answer


def test_a_server_that_is_still_starting_is_waited_for(stack: Stack) -> None:
    """Some versions answer for their health long before they can do anything."""
    stack.proxy.otherwise = while_starting("/api/v2/setup", 2)
    assert stack.start().returncode == 0


def test_an_error_of_the_server_is_no_refusal_of_a_token(stack: Stack) -> None:
    """Else the token is made anew, and Grafana asks with the old one until somebody restarts it."""
    stack.start()
    before = {name: stack.token(name) for name in TOKENS}
    stack.proxy.otherwise = while_starting("/api/v2/buckets?limit=1", 1)
    done = stack.start()
    assert (done.returncode, stack.written()) == (1, [])
    assert "InfluxDB answered 503 about token runner-write" in done.stderr
    assert {name: stack.token(name) for name in TOKENS} == before
    assert stack.start().returncode == 0


def test_tokens_of_a_person_are_left_alone(stack: Stack) -> None:
    stack.start()
    org = stack.server.call("GET", "/api/v2/orgs").json()["orgs"][0]["id"]
    permission = {"action": "read", "resource": {"type": "buckets", "orgID": org}}
    document = {"orgID": org, "description": "runner-write", "permissions": [permission]}
    own = stack.server.call("POST", "/api/v2/authorizations", document).json()["token"]
    (stack.tokens / "runner-write").unlink()
    stack.start()
    assert stack.may_read(own, "telemetry")


def test_a_start_may_be_killed_at_every_step(stack: Stack) -> None:
    """The server has done it, and nobody learned: once for each thing. The next start goes on from what is there."""
    failed: set[tuple[str, str, bytes]] = set()

    def once(exchange: Exchange) -> None:
        request = exchange.request
        what = (request.method, re.sub("[0-9a-f]{16}", "ID", request.path), re.sub(rb"[0-9a-f]{16}", b"", request.body))
        if request.method == "GET" or what in failed:
            passing(exchange)
        else:
            failed.add(what)
            lost_reply(exchange)

    stack.proxy.otherwise = once
    starts = 0
    while stack.start().returncode != 0:
        starts += 1
        assert starts < 20
    assert starts == len(failed) >= 9
    stack.start()
    assert stack.written() == []
    assert stack.may_write(stack.token("runner-write"), "telemetry")
    assert stack.may_read(stack.token("grafana-read"), "telemetry")
    assert stack.version1(stack.token("jitsi-v1-password"), "GET", SHOWN) == 200
    found = stack.server.call("GET", "/api/v2/authorizations").json()["authorizations"]
    assert len([one for one in found if one["description"].startswith("stack: ")]) == 2


def hashed(exchange: Exchange) -> None:
    """A server that keeps hashes says a token when it is made, and never again."""
    reply = exchange.forward()
    if exchange.request.method == "GET":
        body = re.sub(rb'"token": *"[^"]*",?', b"", reply.body)
        reply = Reply(reply.status, body, reply.headers)
    exchange.answer(reply.text())


def test_it_needs_no_token_that_a_server_only_has_as_a_hash(stack: Stack) -> None:
    stack.proxy.otherwise = hashed
    assert stack.start().returncode == 0
    assert stack.start().returncode == 0
    assert stack.written() == []
    (stack.tokens / "grafana-read").unlink()
    assert stack.start().returncode == 0
    assert stack.may_read(stack.token("grafana-read"), "telemetry")


def compact(exchange: Exchange) -> None:
    """The same answers without blanks, as other versions write them."""
    reply = exchange.forward()
    body = json.dumps(json.loads(reply.body), separators=(",", ":")).encode() if reply.body else b""
    exchange.answer(Reply(reply.status, body, reply.headers).text())


def test_the_shape_of_answers_does_not_matter(stack: Stack) -> None:
    stack.proxy.otherwise = compact
    assert stack.start().returncode == 0
    assert stack.start().returncode == 0
    assert stack.written() == []
    (stack.tokens / "runner-write").unlink()
    assert stack.start().returncode == 0
    assert stack.may_write(stack.token("runner-write"), "telemetry")


def test_version_1_has_a_user_for_its_bucket(stack: Stack) -> None:
    """Telegraf's way: a user, a password, a database."""
    stack.start()
    old = stack.token("jitsi-v1-password")
    assert stack.version1(old, "POST", "/write?db=jitsi&precision=s", b"jitsi_stats,host=a conferences=1i") == 204
    assert stack.version1(old, "GET", SHOWN) == 200
    assert stack.version1(old, "POST", "/write?db=telemetry&precision=s", b"m v=1i") == 404
    (stack.tokens / "jitsi-v1-password").unlink()
    stack.start()
    assert stack.version1(old, "GET", SHOWN) == 401
    assert stack.version1(stack.token("jitsi-v1-password"), "GET", SHOWN) == 200


def test_influxql_reads_what_the_runner_writes(stack: Stack) -> None:
    """Grafana's third data source asks the bucket as if it were a database."""
    stack.start()
    assert stack.status(stack.token("grafana-read"), "GET", "/query?db=telemetry&q=SHOW%20MEASUREMENTS") == 200


def test_another_retention_is_told_to_the_server_once(stack: Stack) -> None:
    stack.start()
    done = stack.start(INFLUX_RETENTION="12h", INFLUX_RETENTION_5M="0s")
    assert [line[:21] for line in stack.written()] == ["PATCH /api/v2/buckets"] * 2
    assert "bucket telemetry keeps its data for 12h from now on" in done.stderr
    stack.start(INFLUX_RETENTION="12h", INFLUX_RETENTION_5M="0s")
    assert stack.written() == []


def test_a_retention_that_cannot_be_read_is_named(stack: Stack) -> None:
    for wrong in ("90", "d", "3w", "-1d", "1d2h"):
        done = stack.start(INFLUX_RETENTION=wrong)
        assert done.returncode == 1
        assert f'such as 90d, and not "{wrong}"' in done.stderr
        assert stack.written() == []


def test_a_server_that_does_not_know_the_token_is_explained(stack: Stack) -> None:
    """A data volume of another stack, or a token that was deleted by hand."""
    stack.start()
    stack.server.operator = "not-this-one"
    done = stack.start()
    assert done.returncode == 1
    assert "refuses the operator token" in done.stderr
    assert "stack/secrets/influxdb/operator-token" in done.stderr
    assert "not-this-one" not in done.stderr + done.stdout


def test_no_secret_is_said_or_seen(stack: Stack) -> None:
    """Not in the log, and not in the arguments of a program, which other users of a host can list."""
    done = stack.start()
    secrets = [stack.server.operator, *(path.read_text().strip() for path in stack.tokens.iterdir())]
    assert not any(secret in done.stdout + done.stderr for secret in secrets)
    scripts = [SCRIPT.read_text(), (SCRIPT.parent / "influxdb-api.sh").read_text()]
    called = [line for text in scripts for line in text.splitlines() if "curl" in line]
    assert called
    assert not any(re.search(r"--user|-u |Token|--data [^@]", line) for line in called)


def test_five_minutes_are_made_of_minutes(stack: Stack) -> None:
    """Whole numbers stay whole; a second run changes nothing; texts keep their last."""
    stack.start()
    begin = stack.server.query(_TWO_HOURS_AGO)[0]["seconds"]
    lines = [f"speed,server=a tests={n}i,mean=0.5 {begin + 60 * n}" for n in range(6)]
    lines.append(f'asn_map,asn=1 asname="first" {begin}')
    lines.append(f'asn_map,asn=1 asname="second" {begin + 60}')
    path = "/api/v2/write?org=pegel&bucket=telemetry&precision=s"
    assert stack.status(stack.token("runner-write"), "POST", path, "\n".join(lines).encode()) == 204
    for name in ("downsample", "downsample-late"):
        run_task(stack, name)
        assert found(stack) == {
            ("tests_sum", 0): 10,
            ("tests_max", 0): 4,
            ("tests_mean", 0): 2.0,
            ("mean_sum", 0): 2.5,
            ("mean_max", 0): 0.5,
            ("mean_mean", 0): 0.5,
            ("tests_sum", 1): 5,
            ("tests_max", 1): 5,
            ("tests_mean", 1): 5.0,
            ("mean_sum", 1): 0.5,
            ("mean_max", 1): 0.5,
            ("mean_mean", 1): 0.5,
            ("asname", 0): "second",
        }


def task(stack: Stack, name: str) -> dict[str, str]:
    (found,) = stack.server.call("GET", f"/api/v2/tasks?name={name}").json()["tasks"]
    return dict(found)


def run_task(stack: Stack, name: str) -> None:
    """Now, by the server, with the rights that it has there."""
    place = f"/api/v2/tasks/{task(stack, name)['id']}/runs"
    run = stack.server.call("POST", place, {}).json()["id"]
    never = threading.Event()
    for _ in range(300):
        # between running and having run a task is in no list for a moment
        told = stack.server.request("GET", f"{place}/{run}", token=stack.server.operator)
        state = told.json()["status"] if told.status == 200 else ""
        if state in ("success", "failed", "canceled"):
            break
        never.wait(0.1)
    assert state == "success"


def test_a_changed_task_takes_the_place_of_the_old_one(stack: Stack, tmp_path: Path) -> None:
    """A later version of the stack reduces differently; what runs is what its file says."""
    stack.start()
    before = task(stack, "downsample")
    (tmp_path / "flux").mkdir()
    text = (ROOT / "stack" / "influxdb" / "downsample.flux").read_text()
    (tmp_path / "flux" / "downsample.flux").write_text(text.replace("width = 5m", "width = 10m"))
    assert stack.start(FLUX=str(tmp_path / "flux")).returncode == 0
    assert [line[:19] for line in stack.written()] == ["PATCH /api/v2/tasks"] * 2
    after = task(stack, "downsample")
    assert (after["id"], after["every"], after["status"]) == (before["id"], "1h", "active")
    assert "width = 10m" in after["flux"]
    stack.start(FLUX=str(tmp_path / "flux"))
    assert stack.written() == []


_TWO_HOURS_AGO = """
import "array"
import "date"
array.from(rows: [{seconds: int(v: date.truncate(t: date.sub(d: 2h, from: now()), unit: 5m)) / 1000000000}])
"""


def found(stack: Stack) -> dict[tuple[str, int], object]:
    """Field and number of the five minutes, in order of time."""
    rows = stack.server.query('from(bucket: "telemetry_5m") |> range(start: -6h)')
    times = sorted({row["_time"] for row in rows})
    return {(row["_field"], times.index(row["_time"])): row["_value"] for row in rows}
