"""Rules for the systemd units; systemd's own judgement of them where its tools are installed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from pegel.cli import command
from pegel.cli.manual import REFUSED, STATE_REFUSED
from pegel.config import load

UNITS = Path(__file__).parents[2] / "stack" / "systemd"
SERVICES = ("pegel.service", "pegel-once.service")

HARDENING = {
    "DynamicUser": "yes",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "PrivateUsers": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectProc": "invisible",
    "ProcSubset": "pid",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "SystemCallArchitectures": "native",
    "CapabilityBoundingSet": "",
    "UMask": "0077",
    "StateDirectory": "pegel",
    "IPAddressDeny": "any",
}


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """The settings of a unit by section and name; a name may be given several times."""
    sections: dict[str, dict[str, list[str]]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return sections


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("setting", HARDENING)
def test_a_service_can_do_what_it_must_and_no_more(name: str, setting: str) -> None:
    assert unit(name)["Service"][setting] == [HARDENING[setting]]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_bounds(name: str) -> None:
    assert {"MemoryMax", "TasksMax", "LimitNOFILE"} <= unit(name)["Service"].keys()
    assert unit(name)["Service"]["SystemCallFilter"][0] == "@system-service"


def test_both_ways_of_running_are_equally_safe() -> None:
    """What is hardened in one and forgotten in the other would be found by whoever looks for it."""
    service, once = (unit(name)["Service"] for name in SERVICES)
    own = {"Type", "NotifyAccess", "ExecStart", "ExecReload", "Restart", "RestartSec", "RestartPreventExitStatus"}
    own |= {"TimeoutStartSec", "TimeoutStopSec", "WatchdogSec"}
    kept = [{key: value for key, value in each.items() if key not in own} for each in (service, once)]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_unit_starts_is_a_command(name: str) -> None:
    (line,) = unit(name)["Service"]["ExecStart"]
    program, word, *rest = shlex.split(line)
    assert program == "/opt/pegel/bin/pegel"
    command(word).make_context(word, rest)


def test_what_a_person_must_repair_is_not_tried_again() -> None:
    assert unit("pegel.service")["Service"]["RestartPreventExitStatus"] == [f"{REFUSED} {STATE_REFUSED}"]


def test_a_silent_service_is_started_again() -> None:
    service = unit("pegel.service")["Service"]
    assert (service["Type"], service["Restart"]) == (["notify"], ["on-failure"])
    assert "WatchdogSec" in service
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_a_token_that_only_root_can_read_reaches_the_sink(tmp_path: Path) -> None:
    """`LoadCredential=` puts it into a directory of the service's own; it is in no environment and no argument."""
    (tmp_path / "influx_token").write_text("s3cret\n")
    config = tmp_path / "config.toml"
    config.write_text(
        """
        [[sources]]
        name = "ookla"
        preset = "ookla"

        [[sinks]]
        type = "influxdb2"
        url = "http://127.0.0.1:8086"
        org = "o"
        bucket = "b"
        token_file = "${CREDENTIALS_DIRECTORY}/influx_token"
        """
    )
    plan = load(config, {"CREDENTIALS_DIRECTORY": str(tmp_path), "HOSTNAME": "st-01"})
    assert plan.sinks[0].sink.token.reveal() == "s3cret"  # type: ignore[attr-defined]
    assert "s3cret" not in repr(plan)


ANALYZE = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (apt install systemd)"
)


@ANALYZE
@pytest.mark.parametrize("name", SERVICES)
def test_systemd_finds_little_to_complain_about(name: str) -> None:
    """Exposure is at most 1.5 of 10; a service without any of this has 9.6."""
    words = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(UNITS / name)]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr


@ANALYZE
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    for file in UNITS.iterdir():
        text = file.read_text().replace("/opt/pegel/bin/pegel", "/bin/true")  # it looks for the program
        (tmp_path / file.name).write_text(text)
    words = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, sorted(tmp_path.iterdir()))]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
