"""The ports that a docker compose project publishes, read from its files as compose reads them; no engine is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pegel.errors import PegelError
from pegel.listening import Address

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_OVERRIDES = ("compose.override.yaml", "compose.override.yml")

_VARIABLE = re.compile(r"\$\{(\w+)(?:(:?)-([^${}]*))?\}")
"""The innermost of `${NAME}`, `${NAME-default}`, `${NAME:-default}`."""

_PORT = re.compile(r"(?:(\[[0-9A-Fa-f:]+\]|[0-9.]+):)?(\d+):\d+(?:/tcp)?")
"""`127.0.0.1:3000:3000`, `3000:3000`: what publishes one fixed port."""


class ComposeError(PegelError):
    """The files of a project cannot be read."""


@dataclass(frozen=True)
class Published:
    """A port of the host.

    Attributes:
        service: Whose it is.
        variables: Settings that it is made of, such as `GRAFANA_PORT`.
    """

    service: str
    address: Address
    variables: tuple[str, ...] = ()


def project_file(directory: Path) -> Path | None:
    """The file of the project in a directory; None if there is no project."""
    return next((directory / name for name in NAMES if (directory / name).is_file()), None)


def published(directory: Path, environ: Mapping[str, str]) -> list[Published]:
    """What `docker compose up` in this directory would publish; services of profiles are left out.

    Args:
        directory: Of the project.
        environ: Settings that win over those of its file `.env`.

    Raises:
        ComposeError: A file cannot be read.
    """
    settings = {**_settings(directory / ".env"), **environ}
    found: dict[Published, None] = {}
    for file in _files(directory, settings):
        found.update(dict.fromkeys(_of_file(file, settings)))
    return list(found)


def _files(directory: Path, settings: Mapping[str, str]) -> list[Path]:
    named = settings.get("COMPOSE_FILE")
    if named:
        return [directory / name for name in named.split(settings.get("COMPOSE_PATH_SEPARATOR", ":"))]
    main = project_file(directory)
    if main is None:
        raise ComposeError(f"there is no {NAMES[0]} in {directory}")
    return [main, *(directory / name for name in _OVERRIDES if (directory / name).is_file())]


def _of_file(file: Path, settings: Mapping[str, str]) -> Iterator[Published]:
    document = _document(file)
    for entry in document.get("include") or ():
        paths = entry if isinstance(entry, str) else entry["path"]
        for name in [paths] if isinstance(paths, str) else paths:
            yield from _of_file(file.parent / _filled(str(name), settings), settings)
    for name, service in (document.get("services") or {}).items():
        if not service.get("profiles"):
            for port in service.get("ports") or ():
                yield from _one(str(name), port, settings)


def _document(file: Path) -> dict[str, Any]:
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), Loader=_Plain)  # noqa: S506 - a safe loader, but for tags
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ComposeError(f"{file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ComposeError(f"{file} is no compose file")
    return found


class _Plain(yaml.SafeLoader):
    """Compose has tags of its own (`!reset`, `!override`); what they stand before is read as if they were not there."""


def _untagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    del suffix
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else None


_Plain.add_multi_constructor("!", _untagged)


def _one(service: str, port: Any, settings: Mapping[str, str]) -> Iterator[Published]:
    """A port in the short form (a text) or the long one (a table); one that the engine chooses is none."""
    if isinstance(port, dict):
        if port.get("published") is None:
            return
        text = f"{port.get('host_ip') or '0.0.0.0'}:{port['published']}:{port['target']}"  # noqa: S104
    else:
        text = str(port)
    match = _PORT.fullmatch(_filled(text, settings))
    if match is not None:
        host = (match[1] or "0.0.0.0").strip("[]")  # noqa: S104 - what compose does without an address
        names = tuple(dict.fromkeys(name for name in re.findall(r"\$\{(\w+)", text) if "PORT" in name))
        yield Published(service, Address(host, int(match[2])), names)


def _filled(text: str, settings: Mapping[str, str]) -> str:
    """A text with the values of its variables."""

    def value(match: re.Match[str]) -> str:
        name, colon, default = match.groups()
        found = settings.get(name)
        return (default or "") if found is None or (colon and not found) else found

    while (filled := _VARIABLE.sub(value, text)) != text:
        text = filled
    return text


def _settings(file: Path) -> dict[str, str]:
    """The lines `NAME=value` of a file `.env`."""
    if not file.is_file():
        return {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ComposeError(f"{file} cannot be read: {error}") from error
    pairs = (line.partition("=") for line in lines if not line.lstrip().startswith("#"))
    return {name.strip().removeprefix("export "): value.strip().strip("'\"") for name, is_one, value in pairs if is_one}
