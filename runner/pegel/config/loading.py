"""From a file to a plan, or to every reason why there is none."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pegel.config import words
from pegel.config.cases import draft_cases
from pegel.config.document import Node, Reading, read
from pegel.config.endpoints import Endpoint, endpoints
from pegel.config.enrichers import add_enrichers, lacking
from pegel.config.metrics import draft_metrics
from pegel.config.options import options
from pegel.config.presets import FOLDER, expand
from pegel.config.problems import Place, Problem, did_you_mean
from pegel.config.roads import double_roads
from pegel.config.runner import runner_settings, unknown_variables
from pegel.config.scale import idle_scale, scale_settings, scheduler
from pegel.config.sinks import draft_sinks, is_off, off_warnings, pattern_warnings
from pegel.config.sources import SourceDraft, check_private, check_releases, draft_sources
from pegel.errors import ConfigError
from pegel.plan import Plan, RunnerSettings, takes, wants_own

SECTIONS = ("sources", "enrichers", "metrics", "sinks", "tests")
RUNNER, SCALE = TABLES = ("runner", "scale")


@dataclass
class Declared:
    """What the files say together, presets spelled out, before it has a meaning.

    Attributes:
        root: The root of the main file.
        runner: The `[runner]` table, if there is one.
        scale: The `[scale]` table, if there is one.
        sources: And the other lists in the order of the files.
        lost: Sources of which nothing is known but their name.
        idle: Whether no file has `sources`, right or wrong.
    """

    root: Node
    runner: Node | None = None
    scale: Node | None = None
    sources: list[Node] = field(default_factory=list)
    enrichers: list[Node] = field(default_factory=list)
    metrics: list[Node] = field(default_factory=list)
    sinks: list[Node] = field(default_factory=list)
    tests: list[Node] = field(default_factory=list)
    lost: list[Node] = field(default_factory=list)
    idle: bool = False

    def nodes(self) -> Iterator[Node]:
        """All tables."""
        yield from filter(None, (self.runner, self.scale))
        for section in (self.sources, self.enrichers, self.metrics, self.sinks, self.tests):
            yield from section


@dataclass
class Checked:
    """What came of a check.

    Attributes:
        plan: None if there are problems.
        problems: In the order of the files.
        warnings: What is allowed and probably not meant.
        endpoints: What the plan depends on outside, to be tried by who wants to know.
    """

    plan: Plan | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    endpoints: list[Endpoint] = field(default_factory=list)


def load(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> Plan:
    """Read a configuration and everything it refers to.

    Args:
        path: The file; `conf.d/*.toml` beside it belong to it.
        environ: The variables that `${NAME}` and `PEGEL_*` are looked up in; the process's own if None.

    Raises:
        ConfigError: It is refused; the error has every problem, in the order of the files.
    """
    checked = check(path, environ, standing=True)
    if checked.plan is None:
        raise ConfigError(checked.problems)
    return checked.plan


def check(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None, *, standing: bool = False) -> Checked:
    """Read a configuration and say all that is wrong or odd about it; nothing is opened or started.

    Args:
        path: The file.
        environ: See `load`.
        standing: A configuration that has a state already goes on without what its enrichers lack.
    """
    environ = environment(environ)
    problems: list[Problem] = []
    declared = declare(Path(path), environ, problems)
    if declared is None:
        return Checked(problems=_in_order(problems))
    off = [node for node in declared.sinks if is_off(node)]
    declared.sinks = [node for node in declared.sinks if not is_off(node)]
    faults = [node.fault for table in declared.nodes() for node in table.walk() if node.fault]
    plan, warnings, outside = _plan(declared, environ, problems, standing=standing)
    spoiled = {(fault.file, fault.path) for fault in faults}
    found = _in_order([*faults, *(p for p in problems if (p.file, p.path) not in spoiled)])
    return Checked(None if found else plan, found, _in_order([*warnings, *off_warnings(off)]), outside)


def environment(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    """The variables that a file may refer to; `HOSTNAME` is always there, though most shells do not export it."""
    environ = os.environ if environ is None else environ
    return environ if environ.get("HOSTNAME") else {**environ, "HOSTNAME": socket.gethostname()}


def declare(path: Path, environ: Mapping[str, str], problems: list[Problem], folder: Path = FOLDER) -> Declared | None:
    """Read the files and spell out presets; None where a file cannot be read or is not TOML."""
    files = [path, *sorted(path.parent.glob("conf.d/*.toml"))]
    readings = [_read(file, order, environ) for order, file in enumerate(files)]
    broken = [reading.problem for reading in readings if reading.problem]
    roots = [reading.root for reading in readings if reading.root]
    if broken:
        problems.extend(broken)
        return None
    declared = Declared(roots[0], idle=not any("sources" in root.table for root in roots))
    for root in roots:
        _take(declared, root, problems)
    expansion = expand(declared.sources, environ, folder)
    problems.extend(expansion.problems)
    declared.sources, declared.lost = expansion.sources, expansion.lost
    declared.enrichers = [*expansion.enrichers, *declared.enrichers]
    declared.metrics = [*expansion.metrics, *declared.metrics]
    return declared


def _read(path: Path, order: int, environ: Mapping[str, str]) -> Reading:
    try:
        data = path.read_bytes()
        exposed = os.name == "posix" and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        advice = "; pegel init writes one" if isinstance(error, FileNotFoundError) and order == 0 else ""
        return Reading(None, Problem(Place(str(path), 0, 0, order=order), "", f"cannot be read: {reason}{advice}"))
    return read(data, str(path), environ, order, exposed=exposed)


def _take(declared: Declared, root: Node, problems: list[Problem]) -> None:
    """Add the sections of one file."""
    for name, node in root.table.items():
        if name in TABLES and isinstance(node.value, dict):
            former: Node | None = getattr(declared, name)
            if former:
                problems.append(node.problem(f"there is already a [{name}] at {former.place}", at_key=True))
            else:
                setattr(declared, name, node)
        elif name in SECTIONS and isinstance(node.value, list):
            getattr(declared, name).extend(_tables(node, problems))
        elif name in (*TABLES, *SECTIONS):
            wanted = f"[{name}]" if name in TABLES else f"[[{name}]]"
            problems.append(node.problem(f"must be written as {wanted}, not as {words.kind(node.value)}", at_key=True))
        elif name in options(RunnerSettings):
            problems.append(node.problem("belongs below [runner]", at_key=True))
        else:
            suggestion = did_you_mean(name, (*TABLES, *SECTIONS))
            problems.append(node.problem("unknown section", suggestion, at_key=True))


def _tables(section: Node, problems: list[Problem]) -> Iterable[Node]:
    for node in section.items:
        if isinstance(node.value, dict):
            yield node
        else:
            problems.append(node.problem(f"must be a table, not {words.kind(node.value)}"))


def _is_there(path: Path) -> bool:
    """Whether there is such a file; one that is hidden from who asks is."""
    try:
        return path.exists()
    except PermissionError:
        return True


def _plan(
    declared: Declared, environ: Mapping[str, str], problems: list[Problem], *, standing: bool
) -> tuple[Plan | None, list[Problem], list[Endpoint]]:
    """The plan with its warnings and endpoints; None where there are problems."""
    runner = runner_settings(declared.runner, environ, problems)
    drafts = draft_sources(declared.sources, declared.lost, problems)
    enrichers = add_enrichers(declared.enrichers, drafts, problems)
    lacks = list(lacking(enrichers))
    if not (standing and runner is not None and _is_there(runner.state / "state.db")):
        problems += lacks
    check_private(drafts, problems)
    metrics = draft_metrics(declared.metrics, drafts, runner, problems)
    sinks = draft_sinks(declared.sinks, declared.root, problems)
    if declared.idle and not any(map(wants_own, sinks if declared.sinks else ())):
        problems.append(declared.root.problem("there is no [[sources]] entry; nothing would be read"))
    check_releases(drafts, metrics, sinks, problems)
    scale = scale_settings(declared.scale, problems)
    tests = draft_cases(declared.tests, drafts, metrics, problems) if not problems else []
    if problems:
        return None, [], []
    sources = [draft.plan() for draft in drafts]
    plan = Plan(runner=runner, sources=sources, metrics=metrics, sinks=sinks, tests=tests, scale=scale)
    warnings = [*unknown_variables(environ), *_idle_parts(plan, declared, drafts)]
    placed = [(draft.node, one) for draft, one in zip(drafts, sources, strict=True)]
    outside = [*endpoints(placed, enrichers, declared.sinks, sinks), *scheduler(scale, declared.scale)]
    return plan, warnings, outside


def _idle_parts(plan: Plan, declared: Declared, drafts: Sequence[SourceDraft]) -> Iterator[Problem]:
    """Warnings for what would do nothing."""
    yield from pattern_warnings(declared.sinks, plan.metrics)
    yield from idle_scale(plan, declared.scale)
    yield from double_roads(declared.sinks, plan)
    for metric, node in zip(plan.metrics, declared.metrics, strict=True):
        if not any(takes(sink, metric.name) for sink in plan.sinks):
            yield node.table["name"].problem("no sink takes this metric")
    used = {source for metric in plan.metrics for source in metric.sources}
    for draft in drafts:
        if draft.name not in used:
            yield draft.node.table["name"].problem("no metric reads this source")


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    """In the order of the files; of several about one key at one place only the first, from which they follow."""
    first: dict[tuple[Place, str], Problem] = {}
    for problem in problems:
        first.setdefault((problem.place, problem.path), problem)
    return sorted(first.values(), key=lambda problem: problem.place.sort_key)
