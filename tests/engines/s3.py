"""A real S3 server on a free port of the loopback, and a small client that puts objects there.

The client signs for itself: what the product signs is checked by the server alone.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

ACCESS, SECRET, REGION = "reader", "a-secret-of-the-test", "eu-1"
_START_TIMEOUT = 20.0


class S3Server:
    """Buckets in a directory."""

    def __init__(self, program: Path, directory: Path, *options: str) -> None:
        (directory / "buckets").mkdir()
        (directory / "sidecar").mkdir()
        self.directory = directory / "buckets"
        self._program = program
        self._options = options
        self.port = _free_port()
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [self._program, "--port", f"127.0.0.1:{self.port}", "--region", REGION, "--quiet", "--keep-alive"]
        command += [*self._options, "posix", "--sidecar", self.directory.with_name("sidecar"), self.directory]
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env={"ROOT_ACCESS_KEY_ID": ACCESS, "ROOT_SECRET_ACCESS_KEY": SECRET, "HOME": str(self.directory.parent)},
        )
        until = time.monotonic() + _START_TIMEOUT
        while not _listens(self.port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self._program} does not listen")
            process.poll()
        return process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def cpu_seconds(self) -> float:
        """What the server has used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def stop(self) -> None:
        """End the process, gently."""
        self._process.terminate()
        self._process.wait(20)

    def bucket(self, name: str) -> RealBucket:
        """A new bucket."""
        made = RealBucket(self, name)
        made.request("PUT", "")
        return made


@dataclass(frozen=True)
class RealBucket:
    """A bucket of a test."""

    server: S3Server
    name: str

    def put(self, key: str, data: bytes) -> str:
        """Store an object; returns its ETag."""
        return self.request("PUT", key, data)["etag"].strip('"')

    def delete(self, key: str) -> None:
        self.request("DELETE", key)

    def keys(self) -> set[str]:
        """The keys of the files below the bucket, which are its objects."""
        root = self.server.directory / self.name
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}

    def request(self, method: str, key: str, body: bytes = b"") -> dict[str, str]:
        """Send a signed request, which must succeed; returns the headers of the answer."""
        path = f"/{self.name}" + (f"/{quote(key, safe='/-._~')}" if key else "")
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(method, path, body, _signed(method, f"127.0.0.1:{self.server.port}", path, body))
            reply = connection.getresponse()
            said = reply.read()
            assert reply.status < 300, (method, key, reply.status, said[:500])
            return {name.lower(): value for name, value in reply.getheaders()}
        finally:
            connection.close()


def _signed(method: str, host: str, path: str, body: bytes) -> dict[str, str]:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    lines = f"host:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{stamp}\n"
    names = "host;x-amz-content-sha256;x-amz-date"
    request = hashlib.sha256(f"{method}\n{path}\n\n{lines}\n{names}\n{digest}".encode()).hexdigest()
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    key = b"AWS4" + SECRET.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{request}".encode(), "sha256").hex()
    proof = f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {"x-amz-date": stamp, "x-amz-content-sha256": digest, "Authorization": proof}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
