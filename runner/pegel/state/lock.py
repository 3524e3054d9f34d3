"""One runner per state directory: a lock that dies with the process, on a disk that can keep it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pegel.errors import StateError

_NETWORK_FILE_SYSTEMS = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "fuse.sshfs",
        "afs",
        "ceph",
        "glusterfs",
        "fuse.glusterfs",
        "lustre",
        "ncpfs",
    }
)


class DirectoryLock:
    """The right to write to a state directory, held until `release` or the end of the process.

    The file `lock` excludes others. The directory itself is locked too, and only tells: who wants to know whether
    a runner is there may try that lock for a moment, and never keeps a runner from starting.
    """

    def __init__(self, directory: Path) -> None:
        """Take the lock.

        Raises:
            StateError: Another runner holds it, or the directory cannot be used; the sentence says which.
        """
        refuse_network_file_system(directory)
        try:
            self._fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"cannot write to the state directory {directory}: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StateError(
                f"another runner (process {holder or 'unknown'}) uses the state directory {directory}"
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)
        self._sign = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._sign, fcntl.LOCK_EX)  # whoever looks at it is gone in a moment

    def release(self) -> None:
        """Let another runner in."""
        os.close(self._sign)
        os.close(self._fd)


def holder(directory: Path) -> int | None:
    """The process that runs on a state directory; None if there is none.

    Raises:
        OSError: The directory is not there, or may not be looked into.
    """
    sign = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(sign, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int((directory / "lock").read_text() or 0)
    finally:
        os.close(sign)
    return None


def refuse_network_file_system(directory: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Raise a StateError if the directory is on a network file system, where locks and WAL are not safe."""
    try:
        table = mounts.read_text(errors="replace")
    except OSError:  # no such table on this system: nothing can be said
        return
    resolved = directory.resolve()
    best, kind = Path(), ""
    for line in table.splitlines():
        fields = line.split(" ")
        point = Path(fields[1].encode().decode("unicode_escape"))
        if resolved.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, fields[2]
    if kind in _NETWORK_FILE_SYSTEMS:
        raise StateError(
            f"the state directory {directory} is on {kind}; it needs a local disk (locks and WAL are not safe there)"
        )
