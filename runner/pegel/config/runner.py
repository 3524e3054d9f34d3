"""`[runner]`, and the same settings from `PEGEL_*` variables, which win over the file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError, create_model

from pegel.config.document import Node
from pegel.config.names import wrong_word
from pegel.config.options import build, options, sentence, settled
from pegel.config.problems import Place, Problem, did_you_mean
from pegel.plan import RunnerSettings

PREFIX = "PEGEL_"
_ELSEWHERE = ("PEGEL_CONFIG",)
"""Variables with our prefix that are no settings: the command line reads them."""

_ENVIRONMENT = Place("environment", 0, 0, order=-1)
_PREFIX = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")


def runner_settings(node: Node | None, environ: Mapping[str, str], problems: list[Problem]) -> RunnerSettings:
    """The settings of the file, those of the environment over them; defaults where they are wrong."""
    settings = build(RunnerSettings, node, problems) if node else RunnerSettings()
    settings = settings or RunnerSettings()
    if any(variable in environ for variable in _variables()):
        settings = dataclasses.replace(settings, **_from_environment(environ, problems))
    for path, message in _wrong(settings):
        problems.append(_problem(node, environ, path, message))
    return settings


def unknown_variables(environ: Mapping[str, str]) -> list[Problem]:
    """Warnings for variables that look like settings and are none."""
    known = [*_variables(), *_ELSEWHERE]
    return [
        Problem(_ENVIRONMENT, name, "no such setting", did_you_mean(name, known))
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    ]


def _variables() -> list[str]:
    return [PREFIX + name.upper() for name in options(RunnerSettings)]


def _wrong(settings: RunnerSettings) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in settings.labels:
        message = wrong_word(name, "label")
        if message:
            yield ("labels", name), message
    if settings.prefix and not _PREFIX.fullmatch(settings.prefix):
        yield ("prefix",), f'"{settings.prefix}" is no beginning of a metric name'
    if settings.workers < 0:
        yield ("workers",), "must be 0 (one per core) or more"


def _problem(node: Node | None, environ: Mapping[str, str], path: tuple[str, ...], message: str) -> Problem:
    """A problem of a setting, where it was set."""
    variable = PREFIX + path[0].upper()
    if variable in environ or node is None:
        return Problem(_ENVIRONMENT, variable, message)
    return node.find(path)[0].problem(message, at_key=len(path) > 1)


def _from_environment(environ: Mapping[str, str], problems: list[Problem]) -> dict[str, Any]:
    """What the environment sets; pydantic-settings is heavy and only imported where it does."""
    from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

    class Variables(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return {name.lower(): value for name, value in environ.items()}

    class Environment(BaseSettings):
        model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", arbitrary_types_allowed=True)

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
            env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (Variables(settings_cls),)

    fields: dict[str, Any] = {name: (settled(option.hint), None) for name, option in options(RunnerSettings).items()}
    values: dict[str, Any] = {}
    for name, field in fields.items():  # one by one: pydantic-settings stops at the first value that is no JSON
        if PREFIX + name.upper() in environ:
            values.update(_read(create_model("Environment", __base__=Environment, **{name: field}), name, problems))
    return values


def _read(model: type[Any], name: str, problems: list[Problem]) -> dict[str, Any]:
    from pydantic_settings import SettingsError

    variable = PREFIX + name.upper()
    try:
        return {name: getattr(model(), name)}
    except SettingsError:
        problems.append(Problem(_ENVIRONMENT, variable, 'must be a table in JSON, such as {"site": "berlin"}'))
    except ValidationError as error:
        facts = error.errors(include_url=False)
        problems.extend(Problem(_ENVIRONMENT, variable, sentence(fact)) for fact in facts)
    return {}
