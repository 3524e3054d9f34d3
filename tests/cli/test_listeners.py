"""Who listens, told by real sockets and by invented processes."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pegel.cli.listeners import Taken, is_taken, listener, refusal
from pegel.listening import Address


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_address_and_a_free_one_are_told_apart(port: int) -> None:
    error = refusal(Address("127.0.0.1", port))
    assert error is not None
    assert is_taken(error)
    assert refusal(Address("127.0.0.1", 0)) is None


def test_an_address_that_is_not_this_machines_is_something_else() -> None:
    """A remedy for a taken port would send the operator looking for a process that is not there."""
    for host in ("192.0.2.7", "no-such-host.invalid"):
        error = refusal(Address(host, 9464))
        assert error is not None
        assert not is_taken(error)


def test_looking_leaves_the_address_to_others() -> None:
    """A runner that starts at this moment must get it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])
    assert refusal(address) is None
    assert refusal(address) is None
    socket.create_server((address.host, address.port)).close()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="there is no /proc here")
def test_a_process_that_listens_is_found_by_name(port: int) -> None:
    found = listener(port)
    assert found is not None
    assert found.process == os.getpid()
    assert str(found) == f"{Path('/proc/self/comm').read_text().strip()} (process {os.getpid()})"


class Proc:
    """An invented /proc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "net").mkdir()
        self.lines = ["  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid timeout inode"]
        self._write()

    def socket(self, port: int, inode: int, state: str = "0A") -> None:
        self.lines.append(f"   0: 0100007F:{port:04X} 00000000:0000 {state} 0:0 00:00 0 0 0 {inode} 1 0 100 0 0 10 0")
        self._write()

    def process(self, number: int, name: str, *words: str, inode: int | None = None) -> None:
        home = self.folder / str(number)
        home.mkdir()
        (home / "comm").write_text(f"{name}\n")
        (home / "cmdline").write_bytes(b"\0".join(word.encode() for word in (f"/usr/bin/{name}", *words)))
        if inode is not None:
            (home / "fd").mkdir()
            (home / "fd" / "5").symlink_to(f"socket:[{inode}]")

    def _write(self) -> None:
        (self.folder / "net" / "tcp").write_text("\n".join(self.lines) + "\n")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def test_only_sockets_that_listen_count(proc: Proc) -> None:
    """A connection from this port to somewhere takes nothing."""
    proc.process(7, "curl", inode=77)
    proc.socket(3000, 77, state="01")
    assert listener(3000, proc.folder) is None
    proc.socket(3000, 77)
    assert listener(3000, proc.folder) == Taken(7, "curl")
    assert listener(3001, proc.folder) is None


def test_somebody_elses_process_is_taken_by_nobody_who_can_be_named(proc: Proc) -> None:
    proc.process(7, "nginx")  # its descriptors are not for us
    proc.socket(80, 1)
    found = listener(80, proc.folder)
    assert found == Taken()
    assert str(found) == "a process that only root may see"


def test_a_port_that_an_engine_publishes_is_known_by_the_arguments(proc: Proc) -> None:
    """They are for everybody, where the descriptors of root's process are not."""
    proc.process(7, "docker-proxy", "-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port", "9090")
    proc.process(8, "docker-proxy", "-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port", "3000")
    proc.process(9, "sh", "-host-port", "3000")
    proc.socket(3000, 1)
    assert listener(3000, proc.folder) == Taken(8, "docker-proxy")


def test_where_there_is_no_proc_nobody_is_accused(tmp_path: Path) -> None:
    assert listener(80, tmp_path / "none") is None


def test_the_reason_of_a_taken_port_is_its_number() -> None:
    assert is_taken(OSError(errno.EADDRINUSE, "in use"))
    assert not is_taken(OSError(errno.EACCES, "denied"))
