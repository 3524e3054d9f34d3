"""The ports of a compose project, as compose would publish them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pegel.cli.compose import ComposeError, Published, project_file, published
from pegel.listening import Address

ROOT = Path(__file__).parents[2]


def written(directory: Path, text: str, name: str = "compose.yaml") -> Path:
    (directory / name).write_text(text)
    return directory


def ports(directory: Path, text: str, **environ: str) -> list[str]:
    return [str(one.address) for one in published(written(directory, text), environ)]


def service(*ports: str) -> str:
    return "services:\n  web:\n    ports:\n" + "".join(f"      - {port}\n" for port in ports)


def test_the_stack_of_this_checkout_publishes_grafana_alone() -> None:
    assert published(ROOT, {}) == [
        Published("grafana", Address("127.0.0.1", 3000), ("GRAFANA_PORT",)),
    ]


def test_settings_of_the_environment_come_before_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# ports\nPORT=4000\nBIND='127.0.0.2'\n")
    text = service('"${BIND:-127.0.0.1}:${PORT:-3000}:3000"')
    assert ports(tmp_path, text) == ["127.0.0.2:4000"]
    assert ports(tmp_path, text, PORT="5000") == ["127.0.0.2:5000"]
    assert ports(tmp_path, text, PORT="") == ["127.0.0.2:3000"], "`:-` is for empty ones, too"


@pytest.mark.parametrize(
    ("port", "found"),
    [
        ('"8080:80"', ["0.0.0.0:8080"]),
        ('"[::1]:8080:80"', ["[::1]:8080"]),
        ('"8080:80/tcp"', ["0.0.0.0:8080"]),
        ("{published: 8080, target: 80, host_ip: 127.0.0.1}", ["127.0.0.1:8080"]),
        ('"80"', []),  # the engine chooses
        ("{target: 80}", []),
        ('"8125:8125/udp"', []),  # another thing than a TCP port
        ('"${A:-${B:-8080}}:80"', ["0.0.0.0:8080"]),
    ],
)
def test_ports_in_all_their_forms(tmp_path: Path, port: str, found: list[str]) -> None:
    assert ports(tmp_path, service(port)) == found


def test_an_override_and_what_is_included_count_and_profiles_do_not(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    written(tmp_path / "sub", service('"1001:1"'), "more.yaml")
    written(tmp_path, service('"1002:1"'), "compose.override.yaml")
    text = "include:\n  - path: [sub/more.yaml]\nservices:\n  demo:\n    profiles: [demo]\n    ports: ['1003:1']\n"
    assert ports(tmp_path, text) == ["0.0.0.0:1001", "0.0.0.0:1002"]


def test_files_that_were_chosen_take_the_place_of_the_default_ones(tmp_path: Path) -> None:
    written(tmp_path, service('"1001:1"'), "other.yaml")
    assert ports(tmp_path, service('"1002:1"'), COMPOSE_FILE="compose.yaml:other.yaml") == [
        "0.0.0.0:1002",
        "0.0.0.0:1001",
    ]


def test_tags_of_compose_are_no_obstacle(tmp_path: Path) -> None:
    text = "services:\n  web:\n    environment: !reset {}\n    ports: !override ['8080:80']\n    command: !reset null\n"
    assert ports(tmp_path, text) == ["0.0.0.0:8080"]


@pytest.mark.parametrize("text", ["services: [", "- a list", "services:\n  a: !!python/object:os.system {}\n"])
def test_a_file_that_is_none_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ComposeError, match=r"compose\.yaml"):
        published(written(tmp_path, text), {})


def test_a_directory_without_a_project_is_said(tmp_path: Path) -> None:
    assert project_file(tmp_path) is None
    with pytest.raises(ComposeError, match=r"there is no compose\.yaml"):
        published(tmp_path, {})
