"""The addresses at which a runner listens, as `pegel doctor` finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pegel.cli.doctor_pages import fetched
from pegel.cli.findings import Finding
from pegel.cli.health import PATH
from pegel.cli.listeners import Taken, is_taken, listener, refusal
from pegel.errors import Retryable
from pegel.listening import Address, Endpoint
from pegel.pipeline.health import ago, span
from pegel.plan import Plan

_UNVISITED = 600.0
"""Seconds without a visit after which nobody can be scraping a page."""


@dataclass(frozen=True)
class AtWork:
    """A runner that is at work, as far as its state may be read.

    Attributes:
        process: Its number; None where that is not known.
        began: Seconds since 1970; None where that is not known.
    """

    process: int | None = None
    began: float | None = None


@dataclass(frozen=True)
class Ports:
    """What of the ports of a machine is looked at, so that a test can invent some."""

    refusal: Callable[[Address], OSError | None] = refusal
    listener: Callable[[int], Taken | None] = listener
    fetched: Callable[[Endpoint], Mapping[str, float | None]] = fetched


def port_findings(plan: Plan, ports: Ports, runner: AtWork | None, now: float) -> Iterator[Finding]:
    """For each address of the plan: free, the runner's own, or somebody else's; and whether its pages are fetched.

    Args:
        plan: What listens.
        ports: Of this machine.
        runner: Who runs on the plan's state, or may; None if nobody does.
        now: Seconds since 1970.
    """
    by_address: dict[Address, list[Endpoint]] = {}
    for endpoint in plan.endpoints():
        if endpoint.address.port:  # 0 is whichever is free
            by_address.setdefault(endpoint.address, []).append(endpoint)
    for address, endpoints in by_address.items():
        found = _look(address, ports, runner)
        if found is not None:
            yield found
        elif runner is not None:
            yield from _visits(endpoints, ports, runner.began, now)


def _look(address: Address, ports: Ports, runner: AtWork | None) -> Finding | None:
    """What is wrong with an address, or that it is free; None if the runner listens there."""
    part = f"port {address}"
    error = ports.refusal(address)
    if error is None:
        if runner is None or runner.process is None:
            return Finding("ok", part, "free")
        sentence = (
            f"the runner (process {runner.process}) does not listen here: it runs another configuration than this one"
        )
        return Finding("problem", part, sentence, "its log says whether the changed one is refused; pegel status, too")
    if not is_taken(error):
        advice = "as `listen` of the sink: an address of this machine, 0.0.0.0 for all; ports below 1024 are root's"
        return Finding("problem", part, f"nobody can listen here: {error.strerror or error}", advice)
    taken = ports.listener(address.port) or Taken()
    if runner is not None and (runner.process is None or taken.process in (runner.process, None)):
        return None
    advice = f'end it, or write another port as `listen` of the sink; as root: ss -ltnp "sport = :{address.port}"'
    return Finding("problem", part, f"it is taken by {taken}", advice)


def _visits(endpoints: Sequence[Endpoint], ports: Ports, began: float | None, now: float) -> Iterator[Finding]:
    """Whether anybody fetches the pages that the runner serves."""
    address = endpoints[0].address
    part = f"port {address}"
    if any(endpoint.path == PATH for endpoint in endpoints):
        yield Finding("ok", part, "the runner answers")  # and no page tells who comes: a sink has its place
        return
    try:
        last = ports.fetched(endpoints[0])
    except Retryable as error:
        yield Finding("problem", part, str(error), f'who listens there? as root: ss -ltnp "sport = :{address.port}"')
        return
    for endpoint in endpoints:
        yield _visit(endpoint, last.get(f"{address}{endpoint.path}"), began, now)


def _visit(endpoint: Endpoint, last: float | None, began: float | None, now: float) -> Finding:
    part, path = f"port {endpoint.address}", endpoint.path
    if last is not None and now - last <= _UNVISITED:
        return Finding("ok", part, f"the runner answers, {path} was fetched {ago(now - last)}")
    if last is None and (began is None or now - began <= _UNVISITED):
        since = "" if began is None else f" (it began {ago(now - began)})"
        return Finding("ok", part, f"the runner answers{since}; {path} was not fetched yet")
    advice = f"does Prometheus have this target (its page Status, Targets)? It must call it {_names(endpoint)}"
    when = f"for {span(now - last)}" if last is not None else f"since it began {ago(now - (began or now))}"
    return Finding("note", part, f"nobody has fetched {path} {when}", advice)


def _names(endpoint: Endpoint) -> str:
    """By which names a scraper may call the runner: whoever uses another one gets 421."""
    return " or ".join(dict.fromkeys([f"{endpoint.address}", *endpoint.hosts])) + " (`hosts`)"
