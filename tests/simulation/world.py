"""A world in memory behind the product's seams: a clock that only moves when told, and a file system.

`SimFiles` behaves like ext4 where that matters to a reader of logs: an unlinked file stays readable while
somebody has it open, the lowest free inode number is used again at once, a gap in writing is a hole.
The runner sees the half that is `pegel.seams.Files`; writers, rotators and faults use the rest.
"""

from __future__ import annotations

import errno
import fnmatch
import heapq
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pegel.seams import FileStat

BLOCK = 4096
"""Holes begin and end at multiples of this."""


class SimClock:
    """Time that moves only by `advance` (or by somebody who waits); `step` is a clock that is set by hand."""

    def __init__(self, wall: float = 1_800_000_000.0, monotonic: float = 1_000.0) -> None:
        self._wall = wall
        self._monotonic = monotonic

    def wall(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        """Nobody sleeps here: the time is over at once unless `wake` is set already."""
        if not wake.is_set():
            self.advance(seconds)
        return wake.is_set()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._wall += seconds
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back; timers do not notice."""
        self._wall += seconds


@dataclass
class Inode:
    """A file: its content as extents with holes between them, independent of its names."""

    dev: int
    number: int
    birth_ns: int
    mtime_ns: int
    regular: bool = True
    size: int = 0
    names: int = 0
    descriptors: int = 0
    read_error: int = 0
    forbidden: bool = False
    extents: list[tuple[int, bytearray]] = field(default_factory=list)

    def write(self, data: bytes, offset: int) -> None:
        """Put bytes at an offset; a gap behind the end becomes a hole."""
        if not data:
            return
        last_start, last = self.extents[-1] if self.extents else (0, bytearray())
        if self.extents and last_start <= offset <= last_start + len(last):
            last[offset - last_start : offset - last_start + len(data)] = data
        elif offset >= self.size:
            self.extents.append((offset, bytearray(data)))
        else:
            whole = bytearray(self.read(self.size, 0))
            whole[offset : offset + len(data)] = data
            self.extents = [(0, whole)]
        self.size = max(self.size, offset + len(data))

    def read(self, size: int, offset: int) -> bytes:
        """Up to `size` bytes; a hole reads as zeros."""
        end = min(self.size, offset + size)
        if end <= offset:
            return b""
        if self.extents and self.extents[0][0] == 0 and end <= len(self.extents[0][1]):
            return bytes(self.extents[0][1][offset:end])
        found = bytearray(end - offset)
        for start, data in self.extents:
            low, high = max(start, offset), min(start + len(data), end)
            if low < high:
                found[low - offset : high - offset] = data[low - start : high - start]
        return bytes(found)

    def truncate(self, size: int) -> None:
        """Cut the file, or make it longer by a hole."""
        self.extents = [(start, data[: size - start]) for start, data in self.extents if start < size]
        self.size = size

    def next_data(self, offset: int) -> int:
        """The first offset from here on that is not in a hole, with the block size of a real disk."""
        for start, data in self.extents:
            if offset < start + len(data):
                return max(offset, start // BLOCK * BLOCK)
        return self.size


class SimFile:
    """A descriptor of the runner."""

    def __init__(self, files: SimFiles, inode: Inode) -> None:
        self._files = files
        self._inode = inode
        self._closed = False
        self.stale = False
        inode.descriptors += 1

    def stat(self) -> FileStat:
        return self._files.describe(self._live())

    def pread(self, size: int, offset: int) -> bytes:
        inode = self._live()
        if inode.read_error:
            raise OSError(inode.read_error, os.strerror(inode.read_error))
        return inode.read(size, offset)

    def next_data(self, offset: int) -> int:
        return self._live().next_data(offset)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._files.forget(self)
            self._files.release(self._inode)

    def _live(self) -> Inode:
        if self._closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self.stale:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return self._inode


class Writer:
    """A descriptor of an application: with O_APPEND it writes at the end, without it where it was."""

    def __init__(self, files: SimFiles, inode: Inode, *, append: bool) -> None:
        self._files = files
        self._inode = inode
        self._append = append
        self._position = inode.size if append else 0
        inode.descriptors += 1

    def write(self, data: bytes) -> None:
        """Write at the end, or where this descriptor is."""
        offset = self._inode.size if self._append else self._position
        self._inode.write(data, offset)
        self._position = offset + len(data)
        self._inode.mtime_ns = self._files.now_ns()

    def close(self) -> None:
        """Give the descriptor back; the writer is not used again."""
        self._files.release(self._inode)


class SimFiles:
    """A file system in memory.

    Args:
        clock: Gives the times of files.
        births: Whether the file system tells when a file was created (Python on Linux mostly cannot see it).
    """

    def __init__(self, clock: SimClock, *, births: bool = False) -> None:
        self._clock = clock
        self._births = births
        self._names: dict[str, Inode] = {}
        self._links: dict[str, str] = {}
        self._open_errors: dict[str, int] = {}
        self._handles: set[SimFile] = set()
        self._free: list[int] = []
        self._next_inode = 12
        self._dev = 2049

    # --- what the runner sees: pegel.seams.Files

    def open(self, path: str) -> SimFile:
        inode = self._lookup(path)
        if not inode.regular:
            raise OSError(errno.EINVAL, f"{path} is not a regular file")
        if inode.forbidden:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), path)
        handle = SimFile(self, inode)
        self._handles.add(handle)
        return handle

    def stat(self, path: str) -> FileStat:
        return self.describe(self._lookup(path))

    def glob(self, pattern: str) -> Sequence[str]:
        return sorted(path for path in (*self._names, *self._links) if _matches(path, pattern))

    def resolve(self, path: str) -> str:
        for _ in range(40):
            prefix = next((p for p in _prefixes(path) if p in self._links), None)
            if prefix is None:
                return path
            target = os.path.join(os.path.dirname(prefix), self._links[prefix])  # noqa: PTH118, PTH120
            path = os.path.normpath(target) + path[len(prefix) :]
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)

    # --- what applications and rotators do

    def create(self, path: str, data: bytes = b"", *, regular: bool = True) -> None:
        """A new file; one of the same name is gone (as after a rename over it)."""
        path = self.resolve(path)
        if path in self._names:
            self.unlink(path)
        inode = self._new_inode(regular=regular)
        inode.names = 1
        inode.write(data, 0)
        self._names[path] = inode

    def writer(self, path: str, *, append: bool = True) -> Writer:
        """Open for writing, created where it is missing, not truncated."""
        if self.resolve(path) not in self._names:
            self.create(path)
        return Writer(self, self._names[self.resolve(path)], append=append)

    def append(self, path: str, data: bytes) -> None:
        """Open, write at the end, close."""
        writer = self.writer(path)
        writer.write(data)
        writer.close()

    def read(self, path: str) -> bytes:
        """The whole content, for rotators and for looking at it in a test."""
        inode = self._node(path)
        return inode.read(inode.size, 0)

    def exists(self, path: str) -> bool:
        """Whether a name leads to a file."""
        return self.resolve(path) in self._names

    def rename(self, old: str, new: str) -> None:
        """Move a name, over another file where there is one."""
        if new in self._names:
            self.unlink(new)
        self._names[new] = self._names.pop(old)

    def unlink(self, path: str) -> None:
        """Remove a name; the inode number is free once nobody has the file open."""
        if self._links.pop(path, None) is None:
            inode = self._names.pop(path)
            inode.names -= 1
            self._reuse(inode)

    def copy(self, old: str, new: str) -> None:
        """Copy what is there now."""
        self.create(new, self.read(old))

    def truncate(self, path: str, size: int = 0) -> None:
        """Cut in place, as `> log` and copytruncate do."""
        inode = self._node(path)
        inode.truncate(size)
        inode.mtime_ns = self.now_ns()

    def symlink(self, target: str, path: str) -> None:
        """Make a name that leads to another one."""
        self._links[path] = target

    def link(self, old: str, new: str) -> None:
        """Give a file a second name."""
        inode = self._node(old)
        inode.names += 1
        self._names[new] = inode

    def gzip(
        self, source: str, target: str, *, hidden: bool = False, away: bool = False, slice_size: int = 64
    ) -> Iterator[None]:
        """Compress in steps, as a gzip process does; each `next` is one step, its end the end of the process.

        First the source is read to its end, then the archive grows by `slice_size` bytes a step under its
        final name (or under `target~` and is renamed, if `hidden`), at last the source is removed (or right
        after it was read, if `away`). What is written to the source after it was read is not in the archive.
        """
        inode = self._node(source)
        packed = pack(inode.read(inode.size, 0))
        yield
        name = f"{target}~" if hidden else target
        self.create(name)
        if away:
            self.unlink(source)
        for start in range(0, len(packed), slice_size):
            yield
            self.append(name, packed[start : start + slice_size])
        yield
        if hidden:
            self.rename(name, target)
        if self._names.get(source) is inode:
            self.unlink(source)

    # --- faults

    def deny(self, path: str, error: int = errno.EACCES) -> None:
        """Opening and looking at this name fails until `heal`."""
        self._open_errors[self.resolve(path)] = error

    def forbid(self, path: str) -> None:
        """This file may be looked at and not be opened, whatever it is called, until `heal`: mode 0600 of another."""
        self._node(path).forbidden = True

    def break_reads(self, path: str, error: int = errno.EIO) -> None:
        """Reading this file fails until `heal`, through open descriptors too."""
        self._node(path).read_error = error

    def make_stale(self) -> None:
        """Every descriptor of the runner fails for ever, as after a network file system came back."""
        for handle in self._handles:
            handle.stale = True

    def heal(self) -> None:
        """End every `deny`, `forbid` and `break_reads`."""
        self._open_errors.clear()
        for inode in self._names.values():
            inode.read_error, inode.forbidden = 0, False

    def remount(self, dev: int) -> None:
        """Every file has another device number from now on."""
        self._dev = dev
        for inode in self._names.values():
            inode.dev = dev

    def kill_reader(self) -> None:
        """The runner's process is gone: all that it had open is closed."""
        for handle in list(self._handles):
            handle.close()

    @property
    def open_handles(self) -> int:
        """How many descriptors the runner has open."""
        return len(self._handles)

    # --- for descriptors

    def now_ns(self) -> int:
        """The wall clock, as file systems store it."""
        return int(self._clock.wall() * 1e9)

    def describe(self, inode: Inode) -> FileStat:
        """What stat says of a file."""
        birth = inode.birth_ns if self._births else 0
        return FileStat(inode.dev, inode.number, inode.size, inode.mtime_ns, birth, inode.regular)

    def forget(self, handle: SimFile) -> None:
        """A descriptor of the runner was closed."""
        self._handles.discard(handle)

    def release(self, inode: Inode) -> None:
        """One descriptor less."""
        inode.descriptors -= 1
        self._reuse(inode)

    def _reuse(self, inode: Inode) -> None:
        if not inode.names and not inode.descriptors:
            heapq.heappush(self._free, inode.number)

    def _new_inode(self, *, regular: bool) -> Inode:
        if self._free:
            number = heapq.heappop(self._free)
        else:
            number = self._next_inode
            self._next_inode += 1
        return Inode(self._dev, number, self.now_ns(), self.now_ns(), regular)

    def _lookup(self, path: str) -> Inode:
        path = self.resolve(path)
        code = self._open_errors.get(path, 0 if path in self._names else errno.ENOENT)
        if code:
            raise OSError(code, os.strerror(code), path)
        return self._names[path]

    def _node(self, path: str) -> Inode:
        """The inode behind a name, for those who are allowed everything."""
        return self._names[self.resolve(path)]


def pack(*parts: bytes) -> bytes:
    """A gzip file with one member for each part; the same parts give the same bytes."""
    members = []
    for part in parts:
        deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
        members.append(deflate.compress(part) + deflate.flush())
    return b"".join(members)


def _prefixes(path: str) -> Iterator[str]:
    """The path's directories from the top, then the path itself."""
    end = path.find("/", 1)
    while end != -1:
        yield path[:end]
        end = path.find("/", end + 1)
    yield path


def _matches(path: str, pattern: str) -> bool:
    """Shell matching by component; a leading dot only by a leading dot."""
    names, patterns = path.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(
        fnmatch.fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))
        for name, part in zip(names, patterns, strict=True)
    )
