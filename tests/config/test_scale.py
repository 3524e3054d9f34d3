"""`[scale]`: what is refused, what is odd, and whether a scheduler answers."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from config.conftest import METRIC, SOURCE, Folder
from pegel.config.scale import knock
from pegel.plan import ScaleSettings

CERTIFICATES = Path(__file__).parents[1] / "engines" / "certificates"
MACHINE, AUTHORITY = CERTIFICATES / "machine.pem", CERTIFICATES / "authority.pem"
STRANGER = CERTIFICATES.parents[1] / "sinks" / "certificates" / "client.pem"

LOCAL = """
[scale]
scheduler = "tcp://127.0.0.1:8786"
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_on_this_machine_a_scheduler_needs_no_certificates(host: str) -> None:
    ScaleSettings(scheduler=f"tcp://{host}:8786")


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1.example.net", "10.0.0.5", "localhost.example.net", "[::]"])
def test_beyond_this_machine_it_does(host: str) -> None:
    """A scheduler runs what it is sent: an open one is a shell for everybody."""
    with pytest.raises(ValueError, match="beyond this machine it must be tls://"):
        ScaleSettings(scheduler=f"tcp://{host}:8786")


def test_files_of_no_use_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="ca_file: is of no use without tls://"):
        ScaleSettings(scheduler="tcp://127.0.0.1:8786", ca_file=AUTHORITY)


def test_workers_that_have_nothing_to_read_are_odd(folder: Folder) -> None:
    assert folder.warnings(SOURCE + METRIC + LOCAL) == [
        "config.toml:17:1  scale: there is no source with objects (type s3), so workers have nothing to read"
    ]


@contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Somebody who says one byte to whoever connects; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with closing(peer):
                if context is None:
                    peer.sendall(b"x")
                    return
                try:
                    with closing(context.wrap_socket(peer, server_side=True)) as encrypted:
                        encrypted.sendall(b"x")
                except ssl.SSLError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join()


def as_a_scheduler() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(MACHINE)
    context.load_verify_locations(AUTHORITY)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def settings(port: int, mine: Path = MACHINE) -> ScaleSettings:
    return ScaleSettings(scheduler=f"tls://127.0.0.1:{port}", ca_file=AUTHORITY, cert_file=mine, key_file=mine)


def test_a_scheduler_that_answers_is_fine() -> None:
    with listening() as port:
        assert knock(ScaleSettings(scheduler=f"tcp://127.0.0.1:{port}")) == ()
    with listening(as_a_scheduler()) as port:
        assert knock(settings(port)) == ()


def test_a_certificate_of_somebody_else_is_refused() -> None:
    """The other side looks at it after the handshake has ended on ours."""
    with listening(as_a_scheduler()) as port:
        (sentence,) = knock(settings(port, STRANGER))
    assert "do not trust each other" in sentence


def test_one_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (sentence,) = knock(settings(port))
    assert sentence.endswith("connection refused; is a scheduler there (dask scheduler)?")
