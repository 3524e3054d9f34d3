"""What `pegel doctor` looks at. Each look says what it found: well, worth knowing, or a problem with its remedy."""

from __future__ import annotations

import ctypes
import os
import platform
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pegel.cli.doctor_files import file_findings
from pegel.cli.doctor_flow import flow_findings
from pegel.cli.doctor_ports import AtWork, Ports, port_findings
from pegel.cli.findings import Finding
from pegel.cli.probing import probe_all
from pegel.cli.rights import Rights
from pegel.cli.status_facts import gather
from pegel.config import Checked
from pegel.errors import StateError
from pegel.pipeline.health import Vitals, span
from pegel.plan import Plan
from pegel.seams import Clock, Files, SystemClock, SystemFiles
from pegel.state.lock import holder, refuse_network_file_system
from pegel.state.place import who_may
from pegel.units import show_size

__all__ = ["Finding", "Machine", "looks"]

_ROOM = 256 * 2**20
_INODES = 1000

_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


def clock_is_set() -> bool | None:
    """Whether the kernel believes that the clock follows a time server; None where it cannot be asked."""
    room = ctypes.create_string_buffer(512)  # a struct timex with modes = 0: ask and change nothing
    try:
        state = ctypes.CDLL(None).adjtimex(room)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


_TIME_ERROR = 5


@dataclass(frozen=True)
class Machine:
    """What of the machine is looked at, so that a test can invent one."""

    rights: Rights = field(default_factory=Rights)
    files: Files = field(default_factory=SystemFiles)
    clock: Clock = field(default_factory=SystemClock)
    statvfs: Callable[[Path], os.statvfs_result] = os.statvfs
    clock_is_set: Callable[[], bool | None] = clock_is_set
    ports: Ports = field(default_factory=Ports)
    mounts: Path = Path("/proc/self/mounts")
    units: Sequence[Path] = tuple(Path(one) for one in _UNITS)


def looks(config: Path, checked: Checked, machine: Machine, *, connect: bool = True) -> Iterator[Finding]:
    """Every finding, in the order of the flow.

    Args:
        config: The configuration file.
        checked: What it says; it must have a plan.
        machine: What is looked at.
        connect: Try sinks and enrichers, too.
    """
    plan = checked.plan
    assert plan is not None
    yield _versions()
    yield from _config(config, checked)
    yield from _state(plan, machine)
    for source in plan.sources:
        yield from file_findings(source, machine.files, machine.rights, machine.clock.wall())
    yield _clock(machine)
    tried = list(_endpoints(checked)) if connect else []
    yield from tried
    yield from _at_work(plan, machine, [one.part for one in tried if one.level == "problem"], connect=connect)
    yield from _unit(machine, plan)


def _versions() -> Finding:
    versions = f"pegel {version('pegel')}, Python {platform.python_version()}, DuckDB {version('duckdb')}"
    return Finding(
        "ok", "versions", f"{versions}, SQLite {sqlite3.sqlite_version}, {platform.system()} {platform.machine()}"
    )


def _config(config: Path, checked: Checked) -> Iterator[Finding]:
    plan = checked.plan
    assert plan is not None
    for warning in checked.warnings:
        yield Finding("note", "config", str(warning))
    mode = config.stat().st_mode & 0o777
    parts = (("source", plan.sources), ("metric", plan.metrics), ("sink", plan.sinks))
    counts = ", ".join(f"{len(found)} {what}{'' if len(found) == 1 else 's'}" for what, found in parts)
    yield Finding("ok", "config", f"{config} is fine ({counts}, mode {mode:o})")
    if mode & 0o022:
        advice = f"chmod go-w {config}"
        yield Finding("problem", "config", "others may change it, and so what runs as this service", advice)


def _state(plan: Plan, machine: Machine) -> Iterator[Finding]:
    directory = plan.runner.state
    try:
        found = directory.stat()
    except FileNotFoundError:
        yield from _no_state_yet(directory, machine)
        return
    except PermissionError:
        yield _closed(directory, machine)
        return
    if found.st_uid != machine.rights.user:
        owner = machine.rights.name_of(found.st_uid)
        advice = f"run {who_may(directory)}, or chown -R {machine.rights.name} {directory}"
        level: Literal["note", "problem"] = "note" if machine.rights.user == 0 else "problem"
        yield Finding(level, "state", f"{directory} belongs to {owner}", advice)
    if found.st_mode & 0o077:
        sentence = (
            f"{directory} is open to others (mode {found.st_mode & 0o777:o}); it holds the keys of the user counts"
        )
        yield Finding("problem", "state", sentence, f"chmod 700 {directory}")
    try:
        process = holder(directory)
    except PermissionError:
        yield _closed(directory, machine)
    else:
        running = f"process {process} runs on it" if process is not None else "nobody runs on it"
        yield Finding("ok", "state", f"{directory}, {running}")
    yield from _disk(directory, machine)


def _closed(directory: Path, machine: Machine) -> Finding:
    return Finding(
        "problem", "state", f"{machine.rights.name} may not look into {directory}", f"look {who_may(directory)}"
    )


def _no_state_yet(directory: Path, machine: Machine) -> Iterator[Finding]:
    parent = next(one for one in directory.absolute().parents if one.exists())
    if machine.rights.may_write(parent):
        yield Finding("ok", "state", f"{directory} will be made at the first start")
        yield from _disk(parent, machine)
    else:
        name = machine.rights.name
        advice = f"as root: install -d -m 700 -o {name} {directory}"
        yield Finding("problem", "state", f"{directory} is not there and {name} may not make it", advice)


def _disk(directory: Path, machine: Machine) -> Iterator[Finding]:
    try:
        refuse_network_file_system(directory, machine.mounts)
    except StateError as error:
        yield Finding("problem", "disk", str(error), "set `state` in [runner] to a directory on a local disk")
    found = machine.statvfs(directory)
    free = found.f_bavail * found.f_frsize
    if free < _ROOM:
        advice = f"make room: snapshots and the backlog of a sink that is down need some; {show_size(_ROOM)} at least"
        yield Finding("problem", "disk", f"only {show_size(free)} are free", advice)
    elif found.f_files and found.f_favail < _INODES:
        yield Finding(
            "problem", "disk", f"only {found.f_favail:,} more files can be made (inodes)", "remove small files"
        )
    else:
        yield Finding("ok", "disk", f"{show_size(free)} free")


def _clock(machine: Machine) -> Finding:
    state = machine.clock_is_set()
    if state is None:
        return Finding("note", "clock", "it cannot be asked whether it follows a time server")
    if state:
        return Finding("ok", "clock", "it follows a time server")
    advice = "start chrony or systemd-timesyncd: records that seem to lie in the future are refused"
    return Finding("note", "clock", "the kernel does not know of a time server (normal in a container)", advice)


def _endpoints(checked: Checked) -> Iterator[Finding]:
    for endpoint, sentences in probe_all(checked.endpoints):
        if not sentences:
            yield Finding("ok", endpoint.name, "tried: fine")
        for sentence in sentences:
            # through the entry, which knows what has to be masked
            yield Finding("problem", endpoint.name, endpoint.problem(sentence).message)


def _at_work(plan: Plan, machine: Machine, unheard: Sequence[str], *, connect: bool) -> Iterator[Finding]:
    """What listens, and how far the numbers come."""
    try:
        vitals = gather(plan, clock=machine.clock, files=machine.files)
    except (OSError, StateError) as error:
        yield from port_findings(plan, machine.ports, AtWork(), machine.clock.wall())
        closed = not machine.rights.may_read(plan.runner.state)  # that is a finding of its own already
        sentence = f"how far the numbers come cannot be said: {error}"
        yield Finding("note" if closed else "problem", "flow", sentence, f"look {who_may(plan.runner.state)}")
        return
    yield from _refused(vitals)
    began = vitals.said.began if vitals.said is not None else None
    runner = AtWork(vitals.process, began) if vitals.process is not None else None
    yield from port_findings(plan, machine.ports, runner, vitals.now)
    yield from flow_findings(vitals, unheard=[one.removeprefix("sink ") for one in unheard], connect=connect)


def _refused(vitals: Vitals) -> Iterator[Finding]:
    """The file is fine, and yet it is not what runs: the state refuses it, or an address."""
    for trouble in vitals.said.troubles if vitals.said is not None and vitals.process is not None else ():
        if trouble.kind == "config":
            sentence = f"the runner refuses it for {span(vitals.now - trouble.since)} and goes on with the former one"
            yield Finding("problem", "config", f"{sentence}: {trouble.sentence}", "mend it: a restart would end it")


def _unit(machine: Machine, plan: Plan) -> Iterator[Finding]:
    found = [folder / "pegel.service" for folder in machine.units if (folder / "pegel.service").exists()]
    if not found:
        yield Finding("note", "systemd", "there is no unit pegel.service here", "cron and containers need none")
        return
    words = _words(found[0])
    user = words.get("User", "root")
    yield Finding("ok", "systemd", f"{found[0]} runs it as {user}")
    if user != machine.rights.name:
        advice = f"sudo -u {user} pegel doctor"
        if words.get("DynamicUser") == "yes":
            advice += (
                f" while it runs ({user} exists only then); a group that may read the logs is"
                " SupplementaryGroups= in the unit"
            )
        yield Finding("note", "systemd", f"rights were looked at for {machine.rights.name}", advice)
    state = words.get("StateDirectory")
    if state is not None and plan.runner.state.absolute() != Path("/var/lib") / state:
        advice = f'set state = "/var/lib/{state}" in [runner], or ReadWritePaths= in the unit'
        sentence = f"the unit may write to /var/lib/{state}, and the state is {plan.runner.state.absolute()}"
        yield Finding("note", "systemd", sentence, advice)


def _words(unit: Path) -> dict[str, str]:
    rows = (line.partition("=") for line in unit.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, equals, value in rows if equals}
