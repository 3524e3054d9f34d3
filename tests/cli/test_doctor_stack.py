"""The ports of the stack on this host, as the doctor tells them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pegel.cli import app
from pegel.cli.doctor_ports import Ports
from pegel.cli.doctor_stack import stack_findings
from pegel.cli.findings import Finding
from pegel.cli.listeners import Taken

IN_USE = OSError(errno.EADDRINUSE, "in use")

PROJECT = "services:\n  grafana:\n    ports: ['${BIND_ADDRESS:-127.0.0.1}:${GRAFANA_PORT:-3000}:3000']\n"


def look(directory: Path, error: OSError | None, taken: Taken | None = None, project: str = PROJECT) -> Finding:
    (directory / "compose.yaml").write_text(project)
    [found] = stack_findings(directory, {}, Ports(lambda _address: error, lambda _port: taken))
    return found


def test_a_free_port_is_fine(tmp_path: Path) -> None:
    assert look(tmp_path, None) == Finding("ok", "stack grafana", "127.0.0.1:3000 is free for it")


def test_a_port_that_somebody_else_has_comes_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    found = look(tmp_path, IN_USE, Taken(7, "node"))
    assert (found.level, found.advice) == ("problem", "end it, or set GRAFANA_PORT in .env")
    assert found.sentence == "127.0.0.1:3000 is taken by node (process 7): docker compose up fails"


def test_a_port_that_the_engine_has_is_the_stacks_own_as_a_rule(tmp_path: Path) -> None:
    found = look(tmp_path, IN_USE, Taken(7, "docker-proxy"))
    assert (found.level, "docker ps --filter publish=3000" in found.advice) == ("ok", True)


def test_a_port_of_which_nobody_knows_whose_it_is_is_a_note(tmp_path: Path) -> None:
    """A user who is not root sees neither the engine's process nor a stranger's."""
    assert look(tmp_path, IN_USE).level == "note"


def test_an_address_that_this_machine_does_not_have_is_not_said_to_be_taken(tmp_path: Path) -> None:
    found = look(tmp_path, OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"))
    assert (found.level, "BIND_ADDRESS" in found.advice) == ("problem", True)


def test_a_project_that_publishes_nothing_or_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert "publishes no port" in look(tmp_path, None, project="services: {}\n").sentence
    assert look(tmp_path, None, project="- no\n").level == "problem"


def test_the_command_looks_at_a_stack_without_any_configuration_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the host of the stack the configuration is the container's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    result = CliRunner().invoke(app, ["doctor", "--stack", str(tmp_path)])
    assert (result.exit_code, "publishes no port" in result.stdout) == (0, True)
    (tmp_path / "compose.yaml").unlink()
    assert CliRunner().invoke(app, ["doctor", "--stack", str(tmp_path)]).exit_code == 1
