"""What a Prometheus has of what was written to it, asked in PromQL.

Only the newest samples of five minutes are found at once; older ones cost the server a look for every five minutes,
so that these are looked for in steps, and only where nothing newer was found.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from pegel.errors import Retryable
from pegel.sinks.exposition import metric_name
from pegel.sinks.posting import Poster, Reply
from pegel.sinks.receiver import WRITES
from pegel.sinks.safe_text import clean

RANGES = ("", "[3h:5m]", "[7d:1h]")
"""How far back is looked, and at which moments: a sample is seen for five minutes, windows of hours end with one."""

_AT_ONCE = 50
"""Names in one question: its text is an address."""

_NONSENSE = "a query was answered with something else than times"


def newest(
    poster: Poster, path: str, who: Mapping[str, str], metrics: Sequence[str], own: Mapping[str, str]
) -> Mapping[str, int] | None:
    """The time of the newest sample of each metric, in us; None if this is no server that can be asked.

    Args:
        poster: Talks to it.
        path: Where it takes writes.
        who: Headers of every question.
        metrics: By the names that the runner knows.
        own: Labels that all series of the runner have.

    Raises:
        Retryable: It did not tell; the sentence says why.
    """
    if not path.endswith(WRITES):
        return None
    base = f"{path.removesuffix(WRITES)}/api/v1"
    known = poster.get(f"{base}/label/__name__/values?{urlencode({'match[]': selector(metrics, own)})}", who)
    if known.status in (404, 405):
        return None
    owners = _owners(_answer(known), metrics)
    found: dict[str, int] = {}
    for back in RANGES:
        missing = [name for name, metric in owners.items() if metric not in found]
        times: dict[str, float] = {}
        for start in range(0, len(missing), _AT_ONCE):
            query = urlencode({"query": question(missing[start : start + _AT_ONCE], own, back)})
            times.update(_times(_answer(poster.get(f"{base}/query?{query}", who))))
        for name, time in times.items():
            found[owners[name]] = max(round(time * 1e6), found.get(owners[name], 0))
    return found


def selector(metrics: Sequence[str], own: Mapping[str, str]) -> str:
    """All series of the runner whose names begin like one of these metrics."""
    names = "|".join(metric_name(name) for name in metrics)
    return "{" + ", ".join([f"__name__=~{_text(f'(?:{names})(?:_.*)?')}", *_pairs(own)]) + "}"


def question(names: Sequence[str], own: Mapping[str, str], back: str) -> str:
    """The query for the time of the newest sample of each name, which is an answer's label `name`.

    One for each: `timestamp` gives the names away.
    """
    newest = (f"max(timestamp({name}{{{', '.join(_pairs(own))}}}))" for name in names)
    looked = (f"max_over_time({one}{back})" if back else one for one in newest)
    return " or ".join(
        f'label_replace({one}, "name", "{name}", "", "")' for one, name in zip(looked, names, strict=True)
    )


def _pairs(own: Mapping[str, str]) -> list[str]:
    return [f"{label}={_text(text)}" for label, text in own.items()]


def _text(text: str) -> str:
    """A text as PromQL writes it."""
    return json.dumps(text, ensure_ascii=False)


def _owners(names: Any, metrics: Sequence[str]) -> dict[str, str]:
    """The metric of each name: that with the longest name that it begins with. Buckets have a sum beside them."""
    found: dict[str, str] = {}
    for name in names if isinstance(names, list) else ():
        fitting = [one for one in metrics if f"{name}_".startswith(f"{metric_name(one)}_")]
        if fitting and not name.endswith("_bucket"):
            found[name] = max(fitting, key=len)
    return found


def _answer(reply: Reply) -> Any:
    """What a question was answered with.

    Raises:
        Retryable: It was not.
    """
    if reply.status in (401, 403):
        raise Retryable(f"who may write there may not ask ({reply.status})")
    if reply.status != 200:
        raise Retryable(f"a query was answered with {reply.status}: {clean(reply.body.decode(errors='replace'), 200)}")
    try:
        return json.loads(reply.body)["data"]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise Retryable(_NONSENSE) from error


def _times(data: Any) -> Mapping[str, float]:
    """Times in seconds by name.

    Raises:
        Retryable: It is no answer to the question.
    """
    try:
        return {row["metric"]["name"]: float(row["value"][1]) for row in data["result"]}
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise Retryable(_NONSENSE) from error
