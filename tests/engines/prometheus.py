"""A real Prometheus and a real Pushgateway on free ports of the loopback, and what a test asks of them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from engines.listening import START_TIMEOUT, Listening

_ADDRESS = r"Listening on.* address=\S*:(\d+)"

QUIET = "global: {scrape_interval: 1h}\n"
"""A configuration that scrapes nothing."""


@dataclass(frozen=True)
class Series:
    """A series of an answer: its labels, and (time, value) in order."""

    labels: Mapping[str, str]
    samples: Sequence[tuple[float, float]]

    @property
    def value(self) -> float:
        """The newest value."""
        return self.samples[-1][1]


class Prometheus(Listening):
    """A running Prometheus that takes remote writes, with a data directory of its own.

    Args:
        program: The server.
        directory: Empty; for its data, and for the configuration if that is given as text.
        config: A file, or its text; relative names in a file are relative to that file.
        options: More arguments.
    """

    def __init__(self, program: Path, directory: Path, config: Path | str = QUIET, *options: str) -> None:
        file = config if isinstance(config, Path) else directory / "prometheus.yml"
        if isinstance(config, str):
            file.write_text(config, encoding="utf-8")
        command = [
            str(program),
            f"--config.file={file}",
            f"--storage.tsdb.path={directory / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            "--web.enable-remote-write-receiver",
            "--storage.tsdb.retention.time=100y",
            *options,
        ]
        super().__init__(command, directory, _ADDRESS, "Server is ready to receive web requests")

    def query(self, expression: str, at: float | None = None) -> list[Series]:
        """An expression at a moment (now if none is said); a scalar is a series without labels."""
        asked = {"query": expression, **({} if at is None else {"time": repr(at)})}
        return self._series("/api/v1/query", asked)

    def until(self, expression: str) -> list[Series]:
        """Ask again and again until there is an answer; for what comes with the next scrape."""
        deadline = time.monotonic() + START_TIMEOUT
        while not (found := self.query(expression)):
            assert time.monotonic() < deadline, f"{expression} has no answer; the server said:\n{self.log}"
            self._never.wait(0.1)
        return found

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """An expression at every step, as a panel asks for it."""
        asked = {"query": expression, "start": repr(start), "end": repr(end), "step": repr(step)}
        return self._series("/api/v1/query_range", asked)

    def api(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """The `data` of an answer of `/api/v1/...`.

        Raises:
            RuntimeError: It was refused; the sentence is the server's.
        """
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(parameters or {}).encode()
        status, answer = self.request("POST" if parameters else "GET", path, body, headers)
        if status != 200:
            raise RuntimeError(f"{path} {parameters} was answered with {status}: {answer[:500]!r}")
        return json.loads(answer)["data"]

    def _series(self, path: str, asked: Mapping[str, str]) -> list[Series]:
        data = self.api(path, asked)
        result = data["result"]
        if data["resultType"] == "scalar":
            return [Series({}, [_sample(result)])]
        return [
            Series(one["metric"], [_sample(pair) for pair in one.get("values") or [one["value"]]]) for one in result
        ]


class Pushgateway(Listening):
    """A running Pushgateway."""

    def __init__(self, program: Path, directory: Path, *options: str) -> None:
        command = [str(program), "--web.listen-address=127.0.0.1:0", *options]
        super().__init__(command, directory, _ADDRESS, "Listening on")

    def push(self, group: str, text: str, method: str = "PUT") -> None:
        """Metrics of a group such as `job/player/instance/a`; PUT replaces the group, POST what has the same name."""
        status, body = self.request(method, f"/metrics/{group}", text.encode())
        assert status == 200, body[:500]

    def delete(self, group: str) -> None:
        """Forget a group."""
        status, body = self.request("DELETE", f"/metrics/{group}")
        assert status == 202, body[:500]


def blocks(promtool: Path, openmetrics: str, directory: Path) -> None:
    """Put samples with times (OpenMetrics, `# EOF` at the end) into the data directory of a server to be started."""
    text = directory / "samples.openmetrics"
    text.write_text(openmetrics, encoding="utf-8")
    done = subprocess.run(
        [str(promtool), "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(text), str(directory / "data")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _sample(pair: Sequence[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
