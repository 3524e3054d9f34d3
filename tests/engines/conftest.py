"""Real servers for tests: started once, each test gets a bucket of its own; without them its tests are skipped."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from engines.catalog import program
from engines.influxdb import Bucket, Server
from engines.prometheus import QUIET, Prometheus, Pushgateway, blocks
from engines.proxy import Proxy
from engines.s3 import RealBucket, S3Server

_NUMBERS = itertools.count(1)


def program_or_skip(name: str) -> Path:
    """An engine's program; the test is skipped where it is missing."""
    try:
        return program(name)
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real InfluxDB 2, one for all tests."""
    server = Server(program_or_skip("influxdb2"), tmp_path_factory.mktemp("influxdb"))
    yield server
    server.stop()


@pytest.fixture
def bucket(influxdb: Server) -> Bucket:
    """A bucket of the test's own."""
    return influxdb.bucket(f"test-{next(_NUMBERS)}")


@pytest.fixture
def proxy(influxdb: Server) -> Iterator[Proxy]:
    """A proxy before the server, with the faults that the test asks for."""
    with Proxy(influxdb.address) as running:
        yield running


@pytest.fixture(scope="session")
def logrotate() -> Path:
    """The real logrotate."""
    return program_or_skip("logrotate")


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server, one for all tests."""
    server = S3Server(program_or_skip("versitygw"), tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.fixture
def objects(s3_server: S3Server) -> RealBucket:
    """A bucket of the test's own."""
    return s3_server.bucket(f"test-{next(_NUMBERS)}")


class StartPrometheus(Protocol):
    """Starts a Prometheus of the test's own."""

    def __call__(self, config: Path | str = QUIET, *options: str, samples: str = "") -> Prometheus:
        """One with a configuration (a file or its text), and with samples (OpenMetrics) that it already has."""


@pytest.fixture
def promtool() -> Path:
    """The real promtool."""
    return program_or_skip("promtool")


@pytest.fixture
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartPrometheus]:
    """Real Prometheus servers, ended with the test; each has a directory of its own."""
    program = program_or_skip("prometheus")
    with ExitStack() as running:

        def start(config: Path | str = QUIET, *options: str, samples: str = "") -> Prometheus:
            directory = tmp_path_factory.mktemp("prometheus")
            if samples:
                blocks(program_or_skip("promtool"), samples, directory)
            server = Prometheus(program, directory, config, *options)
            running.callback(server.stop)
            return server

        yield start


@pytest.fixture
def pushgateway(tmp_path: Path) -> Iterator[Pushgateway]:
    """A real Pushgateway."""
    server = Pushgateway(program_or_skip("pushgateway"), tmp_path)
    yield server
    server.stop()
