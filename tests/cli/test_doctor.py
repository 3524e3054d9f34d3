"""`pegel doctor` on invented machines: every problem has a remedy that can be typed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from config.parts import doors
from doubles import FakeClock
from pegel.cli import app
from pegel.cli.doctor_looks import Finding, Machine, looks
from pegel.cli.rights import Rights
from pegel.config import check
from pegel.pipeline import Runner
from pegel.state.bulletin import Bulletin

CONFIG = """
[runner]
state = "{state}"

[[sources]]
name = "log"
type = "file"
path = "{path}"
format = {{ template = '{{time}} {{key}}' }}
time = {{ column = "time", format = "iso8601" }}

[[metrics]]
name = "hits"
every = "1m"
values.n = "count(*)"

[[sinks]]
name = "far"
type = "config.parts:Door"
door = "far"
token = "s3cret"
"""


class Hospital:
    """A machine where everything is well, until a test says otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log" / "app.log"
        self.log.parent.mkdir()
        self.log.write_text("2026-03-03T12:00:00Z a\n")
        self.state = folder / "state"
        self.state.mkdir(mode=0o700)
        self.forbidden: set[tuple[Path, int]] = set()
        (folder / "mounts").write_text("/dev/sda1 / ext4 rw 0 0\n")
        self.machine = Machine(
            rights=Rights(os.geteuid(), self._allowed, contained=False),
            clock=FakeClock(self.log.stat().st_mtime + 60),
            statvfs=self._disk(),
            clock_is_set=lambda: True,
            mounts=folder / "mounts",
            units=(folder,),
        )

    def _allowed(self, path: Path, mode: int) -> bool:
        return not any(path == forbidden and mode & bit for forbidden, bit in self.forbidden)

    @staticmethod
    def _disk(**changes: int) -> Callable[[Path], Any]:
        facts = {"f_bavail": 2**20, "f_frsize": 4096, "f_files": 10**6, "f_favail": 10**6, **changes}
        return lambda _path: SimpleNamespace(**facts)

    def full(self, **changes: int) -> None:
        self.machine = replace(self.machine, statvfs=self._disk(**changes))

    def findings(self, *, path: Path | None = None) -> list[Finding]:
        config = self.folder / "config.toml"
        if not config.exists():
            config.write_text(CONFIG.format(path=path or self.log, state=self.state))
            config.chmod(0o600)
        return list(looks(config, check(config), self.machine))

    def problem(self, *, path: Path | None = None) -> Finding:
        [found] = [one for one in self.findings(path=path) if one.level == "problem"]
        return found


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    doors.clear()
    return Hospital(tmp_path)


def test_on_a_machine_that_is_well_nothing_is_a_problem(hospital: Hospital) -> None:
    findings = hospital.findings()
    assert {one.level for one in findings} == {"ok", "note"}
    assert [one.part for one in findings if one.level == "note"] == ["systemd"]
    said = {one.part: one.sentence for one in findings}
    assert "1 source, 1 metric, 1 sink," in said["config"]
    assert said["source log"] == f"{hospital.log}, 23 B, last written 1 min ago"
    assert said["sink far"] == "tried: fine"


def test_a_log_that_may_not_be_read_comes_with_the_command_that_opens_it(hospital: Hospital) -> None:
    hospital.forbidden.add((hospital.log, os.R_OK))
    found = hospital.problem()
    name = hospital.machine.rights.name
    assert found.sentence == f"{name} may not read {hospital.log}"
    assert f"setfacl -m u:{name}:r {hospital.log}" in found.advice
    assert "d:u:" in found.advice  # and what rotation makes later


def test_the_remedy_opens_every_file_that_is_closed_and_those_to_come(hospital: Hospital) -> None:
    """A remedy for the first one alone would be tried, seem to work, and leave the archives unread."""
    archives = [hospital.log.with_name(f"app.log.{number}.gz") for number in (1, 2, 3)]
    for path in archives:
        path.write_bytes(b"x")
        path.chmod(0o600)
        hospital.forbidden.add((path, os.R_OK))
    found, name = hospital.problem(), hospital.machine.rights.name
    assert found.sentence.endswith("app.log.3.gz and 2 more")
    assert f"setfacl -m u:{name}:r {hospital.log}.*" in found.advice
    assert f"setfacl -m u:{name}:rX,d:u:{name}:rX {hospital.log.parent};" in found.advice


def test_a_directory_that_may_not_be_passed_is_named_rather_than_the_log_behind_it(hospital: Hospital) -> None:
    """The log seems not to exist then: that would send the operator looking for the wrong thing."""
    hospital.forbidden.add((hospital.log.parent, os.X_OK))
    found = hospital.problem()
    assert f"may not pass the directory {hospital.log.parent}" in found.sentence
    assert f":rX {hospital.log.parent}" in found.advice


def test_in_a_container_the_remedy_is_one_of_its_host(hospital: Hospital) -> None:
    """There is no setfacl in the image and no user of that name on the host: both were advised, and helped nobody."""
    hospital.machine = replace(hospital.machine, rights=Rights(os.geteuid(), hospital._allowed, contained=True))
    host = f"on the host, as root, for the directory that is mounted here: setfacl -R -m u:{os.geteuid()}:rX DIRECTORY"
    for closed, mode, right in ((hospital.log, 0o640, os.R_OK), (hospital.log.parent, 0o750, os.X_OK)):
        hospital.forbidden = {(closed, right)}
        closed.chmod(mode & 0o700)
        assert hospital.problem().advice.startswith(host)
        if os.geteuid() == 0:
            closed.chmod(mode)
            os.chown(closed, -1, 4)
            assert f'group_add: ["4"]; or {host}' in hospital.problem().advice


def test_a_log_of_a_speed_test_server_that_is_missing_comes_with_the_setting_that_makes_it(hospital: Hospital) -> None:
    found = hospital.problem(path=hospital.folder / "ooklaserver-access.log")
    assert "logging.loggers.access" in found.advice


def test_archives_are_counted_and_a_log_that_stands_still_is_a_note(hospital: Hospital) -> None:
    for name in ("app.log.1", "app.log.2.gz"):
        (hospital.log.parent / name).write_bytes(b"x" * 100)
    hospital.machine = replace(hospital.machine, clock=FakeClock(hospital.log.stat().st_mtime + 3 * 86400))
    mine = [one for one in hospital.findings() if one.part == "source log"]
    assert (mine[0].level, "last written 3 d ago" in mine[0].sentence) == ("note", True)
    assert mine[1].sentence.startswith("2 archives (1 packed), 200 B")


def test_a_state_that_others_may_read_or_that_is_somebody_elses_is_a_problem(hospital: Hospital) -> None:
    """It holds the keys of the user counts."""
    hospital.state.chmod(0o755)
    assert hospital.problem().advice == f"chmod 700 {hospital.state}"
    hospital.state.chmod(0o700)
    hospital.machine = replace(hospital.machine, rights=Rights(4242, hospital._allowed, contained=False))
    assert "belongs to" in hospital.problem().sentence


def test_a_state_that_cannot_be_made_comes_with_the_command_that_makes_it(hospital: Hospital) -> None:
    hospital.state.rmdir()
    assert not [one for one in hospital.findings() if one.level == "problem"]
    hospital.forbidden.add((hospital.folder, os.W_OK))
    assert hospital.problem().advice.startswith("as root: install -d -m 700 -o ")


def test_a_network_disk_a_full_one_and_one_without_inodes_are_problems(hospital: Hospital) -> None:
    hospital.full(f_bavail=1000)
    assert "only 3.9 MiB are free" in hospital.problem().sentence
    hospital.full(f_favail=5)
    assert "inodes" in hospital.problem().sentence
    hospital.full()
    (hospital.folder / "mounts").write_text("server:/x / nfs4 rw 0 0\n")
    assert "is on nfs4" in hospital.problem().sentence


def test_a_clock_that_nobody_sets_is_a_note(hospital: Hospital) -> None:
    for state in (False, None):
        hospital.machine = replace(hospital.machine, clock_is_set=lambda state=state: state)  # type: ignore[misc]
        assert [one.level for one in hospital.findings() if one.part == "clock"] == ["note"]


def test_an_endpoint_that_refuses_is_a_problem_and_its_answer_is_masked(hospital: Hospital) -> None:
    doors["far"] = ["it said: token s3cret is unknown; make a new one"]
    found = hospital.problem()
    assert found.part == "sink far"
    assert "s3cret" not in found.sentence


def test_a_configuration_that_others_may_change_is_a_problem(hospital: Hospital) -> None:
    hospital.findings()
    (hospital.folder / "config.toml").chmod(0o620)
    assert hospital.problem().advice.startswith("chmod go-w")


def test_the_unit_says_with_whose_eyes_to_look(hospital: Hospital) -> None:
    (hospital.folder / "pegel.service").write_text("[Service]\nUser=somebody\nStateDirectory=pegel\n# User=x\n")
    said = [f"{one.sentence} {one.advice}" for one in hospital.findings() if one.part == "systemd"]
    assert "runs it as somebody" in said[0]
    assert "sudo -u somebody pegel doctor" in said[1]
    assert "the unit may write to /var/lib/pegel, and the state is" in said[2]


def test_a_state_that_cannot_be_read_keeps_the_flow_from_being_followed(hospital: Hospital) -> None:
    (hospital.state / "state.db").write_text("no database")
    [flow] = [one for one in hospital.findings() if one.part == "flow"]
    assert flow.level == "problem"
    assert flow.sentence.startswith("how far the numbers come cannot be said: ")
    hospital.forbidden.add((hospital.state, os.R_OK))
    [flow] = [one for one in hospital.findings() if one.part == "flow"]
    assert flow.level == "note", "that it is closed is told as a problem of its own"


def test_a_configuration_that_only_the_state_refuses_is_a_problem(hospital: Hospital) -> None:
    """Its file is fine: without this the operator would look everywhere else."""
    hospital.findings()
    plan = check(hospital.folder / "config.toml").plan
    assert plan is not None
    runner = Runner(plan, clock=hospital.machine.clock)
    runner.open()
    said = Bulletin(hospital.state, hospital.machine.clock)
    said.begin("service")
    said.tell({("config", ""): ("source other is new; say renamed_from", False)}, ())
    try:
        [found] = [one for one in hospital.findings() if one.part == "config" and one.level == "problem"]
    finally:
        runner.close()
    assert "goes on with the former one: source other is new" in found.sentence
    assert {one.level for one in hospital.findings() if one.part == "config"} == {"ok"}, "nothing runs that refuses it"


def test_the_exit_code_is_the_verdict_and_json_has_the_findings(hospital: Hospital) -> None:
    hospital.findings()
    path = str(hospital.folder / "config.toml")
    doors["far"] = ["refused"]
    result = CliRunner().invoke(app, ["doctor", path, "--json"])
    assert result.exit_code == 1
    assert {"level": "problem", "part": "sink far", "sentence": "refused", "advice": ""} in json.loads(result.stdout)
    result = CliRunner().invoke(app, ["doctor", path, "--offline"])
    assert (result.exit_code, result.stdout.splitlines()[-1].split(",")[0]) == (0, "0 problems")


def test_a_configuration_that_is_refused_is_said_and_nothing_else(hospital: Hospital) -> None:
    hospital.findings()
    path = hospital.folder / "config.toml"
    path.write_text("[oops]\n")
    result = CliRunner().invoke(app, ["doctor", str(path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "unknown section" in result.stderr
