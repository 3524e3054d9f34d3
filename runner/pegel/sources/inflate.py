"""Bounded gunzip: the only place where a file that was packed by somebody else is unpacked.

Memory is constant whatever the file claims. A file is *unready* while its end is missing (somebody may
still be writing it) and *damaged* when no further byte can make it right: not gzip, a wrong checksum, or
more output than the limits allow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isal import igzip_lib

_INPUT = 256 * 1024
MAGIC = b"\x1f\x8b"
"""Begins every gzip member."""

_RATIO_FROM = 2**20  # a small file of equal lines is no attack


class UnreadyError(Exception):
    """The packed bytes end too early; more may come."""


class DamagedError(Exception):
    """The packed bytes can never be read as a whole; the text says why."""


@dataclass(frozen=True)
class Limits:
    """What unpacking one file may cost.

    Attributes:
        max_bytes: Output of the whole file.
        max_ratio: Output per input byte, once the output is above 1 MiB. Zero bytes at the beginning are not
            counted: a rotated sparse file has gigabytes of them.
        max_members: Gzip members in one file.
    """

    max_bytes: int = 16 * 2**30
    max_ratio: int = 200
    max_members: int = 1_000_000


@dataclass(frozen=True)
class Trailer:
    """What the last eight bytes of a gzip file say of its last member."""

    crc: int
    size: int


def trailer(packed_size: int, pread: Callable[[int, int], bytes]) -> Trailer | None:
    """Read the trailer without unpacking; None if the file is too short to be gzip or does not begin like it.

    Bytes that are not a trailer (a file that is still written) look like any other trailer, so it proves
    something only when it equals a checksum *and* a length that are known already.
    """
    if packed_size < 18 or pread(2, 0) != MAGIC:
        return None
    last = pread(8, packed_size - 8)
    return Trailer(int.from_bytes(last[:4], "little"), int.from_bytes(last[4:], "little")) if len(last) == 8 else None


class Inflater:
    """Unpacks a gzip file of one or many members from its first byte to its last.

    Args:
        pread: Reads up to that many bytes at an offset; none at the end. It may raise: then `read` can be called
            again later and goes on.
        limits: What it may cost.
    """

    def __init__(self, pread: Callable[[int, int], bytes], limits: Limits) -> None:
        self._pread = pread
        self._limits = limits
        self._member = _new_member()
        self._started = False
        self._members = 1
        self._input = b""
        self._between: bytes | None = None
        self._read = 0
        self._written = 0
        self._zeros = 0
        self._ended = False

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the verified end of the file.

        Raises:
            UnreadyError: The file ends in the middle of a member.
            DamagedError: It is not gzip, a checksum is wrong, or a limit is passed.
        """
        while not self._ended:
            if self._member.eof:
                self._next_member()
                continue
            data = self._inflate(size)
            if data:
                self._account(data)
                return data
        return b""

    def _inflate(self, size: int) -> bytes:
        if self._member.needs_input and not self._input:
            self._fill()
            if not self._input:
                raise UnreadyError("the file ends in the middle of a gzip member")
        given, self._input = (self._input, b"") if self._member.needs_input else (b"", self._input)
        self._started = self._started or bool(given)
        try:
            data: bytes = self._member.decompress(given, size)
        except igzip_lib.IsalError as error:  # type: ignore[misc] # the stubs forget that it is an exception
            raise DamagedError(f"not readable as gzip: {error}") from error
        return data

    def _fill(self) -> None:
        self._input = self._pread(_INPUT, self._read)
        self._read += len(self._input)

    def _next_member(self) -> None:
        if self._between is None:
            self._between, self._input = self._member.unused_data + self._input, b""
        while len(self._between) < 2 or not self._between.strip(b"\0"):
            more = self._pread(_INPUT, self._read)
            self._read += len(more)
            if not more:
                break
            empty = not self._between.strip(b"\0")
            self._between = (self._between + more)[-_INPUT:] if empty else self._between + more
        rest, self._between = self._between, None
        if rest == MAGIC[:1]:
            raise UnreadyError("the file ends in the header of a gzip member")
        if not rest.startswith(MAGIC):
            # Padding and foreign bytes behind the last member are ignored, as gzip itself does.
            self._ended = True
            return
        self._members += 1
        if self._members > self._limits.max_members:
            raise DamagedError(f"more than {self._limits.max_members} gzip members")
        self._member = _new_member()
        self._input = rest

    def _account(self, data: bytes) -> None:
        if self._zeros == self._written and data[0] == 0:
            self._zeros += len(data) - len(data.lstrip(b"\0"))
        self._written += len(data)
        if self._written > self._limits.max_bytes:
            raise DamagedError(f"more than {self._limits.max_bytes} bytes when unpacked")
        text = self._written - self._zeros
        if text > _RATIO_FROM and text > self._limits.max_ratio * self._read:
            raise DamagedError(f"unpacks to more than {self._limits.max_ratio} times its size")


def _new_member() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
