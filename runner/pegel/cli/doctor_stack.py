"""The ports that the stack publishes on this host, as `pegel doctor` finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pegel.cli.compose import ComposeError, Published, published
from pegel.cli.doctor_ports import Ports
from pegel.cli.findings import Finding
from pegel.cli.listeners import Taken, is_taken

_ENGINES = ("docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "conmon")
"""Programs that listen for containers."""


def stack_findings(directory: Path, environ: Mapping[str, str], ports: Ports) -> Iterator[Finding]:
    """For each port that `docker compose up` would publish: free, the engine's, or somebody else's."""
    try:
        found = published(directory, environ)
    except ComposeError as error:
        yield Finding("problem", "stack", str(error), "--stack names the directory of a docker compose project")
        return
    if not found:
        yield Finding("ok", "stack", f"the project in {directory.absolute()} publishes no port")
    for one in found:
        yield _look(one, ports)


def _look(one: Published, ports: Ports) -> Finding:
    part = f"stack {one.service}"
    error = ports.refusal(one.address)
    if error is None:
        return Finding("ok", part, f"{one.address} is free for it")
    setting = next(iter(one.variables), None)
    elsewhere = f"set {setting} in .env" if setting else "publish another port"
    if not is_taken(error):
        advice = "BIND_ADDRESS has to be an address of this machine" if setting else "correct its address"
        return Finding("problem", part, f"{one.address} cannot be had: {error.strerror or error}", advice)
    taken = ports.listener(one.address.port) or Taken()
    which = f"docker ps --filter publish={one.address.port}"
    if taken.name in _ENGINES:
        advice = f"{which} says of which project; if it is another one, {elsewhere}"
        return Finding("ok", part, f"{one.address} is published by the engine", advice)
    if taken.process is None:
        advice = f"if that is not this stack ({which}), {elsewhere}: up fails"
        return Finding("note", part, f"{one.address} is taken by {taken}", advice)
    sentence = f"{one.address} is taken by {taken}: docker compose up fails"
    return Finding("problem", part, sentence, f"end it, or {elsewhere}")
