"""Arrays in memory as columns of a query, without a copy and without pyarrow.

DuckDB reads any object that speaks the Arrow C stream interface. We speak just enough of it: numpy
integers, and texts that are slices of byte buffers (Arrow's string views). A log field becomes a value
by saying where it begins and how long it is; no byte of it is moved. pyarrow would do the same for
40 MB of resident memory, and it would let invalid UTF-8 through to the engine just as silently.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]

_INLINE = 12  # a string view of up to so many bytes holds its text itself
_KEEP = np.zeros((_INLINE + 1, _INLINE), np.uint8)
for _length in range(_INLINE + 1):
    _KEEP[_length, :_length] = 0xFF


@dataclass(frozen=True)
class Texts:
    """A VARCHAR column whose values are slices of buffers.

    Attributes:
        views: One 16-byte Arrow string view per value.
        buffers: What the views point into; every slice must be valid UTF-8, which nobody checks again.
    """

    views: NDArray[np.int32]
    buffers: Sequence[Bytes]


def slices(
    buffers: Sequence[Bytes], starts: Offsets, lengths: Offsets, second: NDArray[np.bool_] | None = None
) -> Texts:
    """The column of the slices `[start, start + length)` of the first buffer, or of the second where told so."""
    views = np.empty((len(starts), 4), np.int32)
    if second is None:
        _fill(views, slice(None), buffers[0], starts, lengths, 0)
    else:
        for index, chosen in enumerate((np.flatnonzero(~second), np.flatnonzero(second))):
            _fill(views, chosen, buffers[index], starts[chosen], lengths[chosen], index)
    return Texts(views, buffers)


def texts(values: Sequence[str]) -> Texts:
    """A column of the given values."""
    text = "".join(values)
    encoded = text.encode()
    sizes = map(len, values) if len(encoded) == len(text) else (len(value.encode()) for value in values)
    lengths = np.fromiter(sizes, np.int64, len(values))
    return slices([np.frombuffer(encoded, np.uint8)], np.cumsum(lengths) - lengths, lengths)


def _fill(views: NDArray[np.int32], rows: Any, buffer: Bytes, starts: Offsets, lengths: Offsets, index: int) -> None:
    block = np.empty((len(starts), 4), np.int32)
    block[:, 0] = lengths
    block[:, 2] = index
    block[:, 3] = starts
    long = lengths > _INLINE
    if long.all():
        block[:, 1] = windows(buffer, starts, 4).view(np.int32).ravel()
    else:
        heads = windows(buffer, starts, _INLINE)
        block[:, 1] = heads[:, :4].copy().view(np.int32).ravel()
        short = np.flatnonzero(~long)
        block[short, 1:] = (heads[short] & _KEEP[lengths[short]]).view(np.int32)
    views[rows] = block


def windows(buffer: Bytes, starts: Offsets, width: int) -> Bytes:
    """The `width` bytes from each start, one row each; behind the end of the buffer all is zero."""
    if len(buffer) < width or (len(starts) and int(starts.max()) > len(buffer) - width):
        return _padded(buffer, starts, width)
    return inner_windows(buffer, starts, width)


def inner_windows(buffer: Bytes, starts: Offsets, width: int) -> Bytes:
    """Like `windows`, for starts that are known to be at least `width` bytes before the end."""
    every = np.ndarray((len(buffer) - width + 1,), f"V{width}", buffer, strides=(1,))
    return every[starts].view(np.uint8).reshape(-1, width)


def _padded(buffer: Bytes, starts: Offsets, width: int) -> Bytes:
    """Gather with the last bytes of the buffer in a copy that has zeros behind them."""
    border = max(len(buffer) - width, 0)
    tail = np.concatenate([buffer[border:], np.zeros(width, np.uint8)])
    rows = np.empty((len(starts), width), np.uint8)
    late = starts >= border
    rows[late] = inner_windows(tail, np.minimum(starts[late], len(buffer)) - border, width)
    if not late.all():
        rows[~late] = inner_windows(buffer, starts[~late], width)
    return rows


Column = Texts | NDArray[np.int64]


class Frame:
    """Named columns of equal length that a query can read, as often as it likes (see `Batch.register`)."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = [(name.encode(), column) for name, column in columns.items()]
        self._streams: list[_Stream] = []  # the engine holds their addresses as long as it holds this frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        del requested_schema  # a wish that the interface allows to ignore
        self._streams.append(_Stream(self._columns))
        return self._streams[-1].capsule()

    def let_go(self) -> None:
        """Give the arrays back; no query may read the frame from now on.

        Streams and what they lend to the engine refer to each other. Left to the garbage collector, the bytes of
        many blocks would stay in memory until it comes by (measured: 100 MB).
        """
        for stream in self._streams:
            stream.let_go()
        self._streams.clear()
        self._columns = []


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _CStream(ctypes.Structure):
    pass


_SchemaPointer = ctypes.POINTER(_Schema)
_ArrayPointer = ctypes.POINTER(_Array)
_ReleaseSchema = ctypes.CFUNCTYPE(None, _SchemaPointer)
_ReleaseArray = ctypes.CFUNCTYPE(None, _ArrayPointer)
_ReleaseStream = ctypes.CFUNCTYPE(None, ctypes.POINTER(_CStream))
_GetSchema = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, _SchemaPointer)
_GetNext = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, _ArrayPointer)
_GetError = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)

_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(_SchemaPointer)),
    ("dictionary", _SchemaPointer),
    ("release", _ReleaseSchema),
    ("private_data", ctypes.c_void_p),
]
_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(_ArrayPointer)),
    ("dictionary", _ArrayPointer),
    ("release", _ReleaseArray),
    ("private_data", ctypes.c_void_p),
]
_CStream._fields_ = [
    ("get_schema", _GetSchema),
    ("get_next", _GetNext),
    ("get_last_error", _GetError),
    ("release", _ReleaseStream),
    ("private_data", ctypes.c_void_p),
]

_NO_SCHEMA_RELEASE = _ReleaseSchema()
_NO_ARRAY_RELEASE = _ReleaseArray()
_NO_STREAM_RELEASE = _ReleaseStream()


def _drop_schema(schema: Any) -> None:
    schema.contents.release = _NO_SCHEMA_RELEASE


def _drop_array(array: Any) -> None:
    array.contents.release = _NO_ARRAY_RELEASE


def _drop_stream(stream: Any) -> None:
    stream.contents.release = _NO_STREAM_RELEASE


def _tell_no_error(_stream: Any) -> bytes:
    return b""


_release_schema = _ReleaseSchema(_drop_schema)
_release_array = _ReleaseArray(_drop_array)
_release_stream = _ReleaseStream(_drop_stream)
_no_error = _GetError(_tell_no_error)

_new_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)


class _Stream:
    """One pass over a frame: the schema, one array, the end. Owns every structure that it hands out."""

    def __init__(self, columns: Sequence[tuple[bytes, Column]]) -> None:
        self._columns = columns
        self._owned: list[object] = []
        self._sent = False
        self._struct = _CStream(
            get_schema=_GetSchema(self._schema),
            get_next=_GetNext(self._next),
            get_last_error=_no_error,
            release=_release_stream,
        )

    def capsule(self) -> object:
        return _new_capsule(ctypes.addressof(self._struct), b"arrow_array_stream", None)

    def let_go(self) -> None:
        self._columns = ()
        self._owned.clear()

    def _own(self, thing: Any) -> Any:
        self._owned.append(thing)
        return thing

    def _schema(self, _stream: object, out: Any) -> int:
        children = [
            _Schema(format=b"vu" if isinstance(column, Texts) else b"l", name=name, release=_release_schema)
            for name, column in self._columns
        ]
        out[0] = _Schema(
            format=b"+s",
            name=b"",
            n_children=len(children),
            children=self._pointers(_SchemaPointer, children),
            release=_release_schema,
        )
        return 0

    def _next(self, _stream: object, out: Any) -> int:
        if self._sent:
            out[0] = _Array(release=_NO_ARRAY_RELEASE)
            return 0
        self._sent = True
        children = [self._array(column) for _, column in self._columns]
        out[0] = _Array(
            length=children[0].length,
            n_buffers=1,
            buffers=self._addresses([None]),
            n_children=len(children),
            children=self._pointers(_ArrayPointer, children),
            release=_release_array,
        )
        return 0

    def _array(self, column: Column) -> _Array:
        if isinstance(column, Texts):
            sizes = self._own(np.array([len(buffer) for buffer in column.buffers], np.int64))
            arrays = [column.views, *column.buffers, sizes]
        else:
            arrays = [column]
        addresses = [None, *(array.ctypes.data for array in arrays)]  # None: no value is NULL
        return _Array(
            length=len(arrays[0]),
            n_buffers=len(addresses),
            buffers=self._addresses(addresses),
            release=_release_array,
        )

    def _addresses(self, addresses: Sequence[int | None]) -> Any:
        return self._own((ctypes.c_void_p * len(addresses))(*addresses))

    def _pointers(self, kind: Any, structs: Sequence[Any]) -> Any:
        self._own(structs)
        return self._own((kind * len(structs))(*(ctypes.pointer(struct) for struct in structs)))
