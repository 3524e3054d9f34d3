"""What it costs to turn bytes into a table, in microseconds of CPU per record, beside the floor.

    python bench/formats.py [FILE]

FILE is an Ookla access log (generated when it is missing). The floor is one look at every byte: the newlines.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pegel.formats import End, Format
from pegel.formats.csv import Csv
from pegel.formats.lines import Complete, Lines
from pegel.formats.ndjson import Ndjson
from pegel.table import Engine

EDGE_ROW = (
    b'{"timestamp":"2026-03-03T12:00:01.250Z",'
    + b",".join(b'"someLongKey%d":"some value %d"' % (n, n) for n in range(35))
    + b',"clientIP":"192.0.2.10","responseStatus":200,"responseBytes":4143}\n'
)  # fmt: skip
PIECE = 8 * 2**20
ROUNDS = 7
OOKLA = '{client:hex(40)} - {session} [{time}] "{request}" {status:int} {size:int} "{referer}" "{agent}"'
COMBINED = '{client} {dash} {user} [{time}] "{request}" {status:int} {bytes:int} "{referer}" "{agent}"'


def best(work: Callable[[], object]) -> float:
    """The least CPU time of several rounds: what disturbs can only add."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def measure(name: str, form: Format, data: bytes, needed: set[str]) -> None:
    engine = Engine()
    frames = form.split(data, End.MORE)

    def table() -> None:
        with engine.batch() as batch:
            batch.keep(form.table(batch, frames.block, frozenset(needed)))

    split = best(lambda: form.split(data, End.MORE)) / frames.records * 1e6
    whole = best(table) / frames.records * 1e6
    lost = sum(reject.count for reject in frames.rejects)
    print(f"{name:44s} {frames.records:7d} {lost:5d}   {split:6.3f} + {whole:6.3f} = {split + whole:6.3f}")


def ookla_log(records: int = 25_000) -> bytes:
    draw = random.Random(1)
    lines = []
    for number in range(records):
        guid = f"{draw.getrandbits(128):032x}"
        guid = "-".join((guid[:8], guid[8:12], guid[12:16], guid[16:20], guid[20:]))
        if number % 10:
            request = f"GET /download?nocache={guid}&size=25000000&guid={guid} HTTP/1.1"
        else:
            request = f"HI {guid} eyJhbGciOiJIUzI1NiJ9.{'eyJkYXRhIjp7ImRldmljZUlk' * 14}.THxuIl7lkbE WS/1.0"
        lines.append(
            f"{draw.getrandbits(160):040x} - {guid} [03/Mar/2026:12:{number // 600 % 60:02d}:00 GMT] "
            f'"{request}" 200 43 "https://www.speedtest.net/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 '
            '(KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"\n'
        )
    return "".join(lines).encode()


def with_odd_lines(data: bytes, every: int = 200) -> bytes:
    """Break one record in `every`: a break in the request, a quote in it, a torn line, invalid UTF-8."""
    lines = data.splitlines(keepends=True)
    for index in range(0, len(lines), every):
        text = lines[index]
        place = text.index(b'"') + 30
        dirt = (b"\n", b'"', b'" - "', b"\xff")[index // every % 4]
        lines[index] = text[:place] + dirt + text[place:]
    return b"".join(lines)


def main() -> None:
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else ookla_log()
    data = data[:PIECE]
    array, count = np.frombuffer(data, np.uint8), data.count(b"\n")
    print(
        f"{len(data) / count:.0f} bytes per record; floor {best(lambda: np.flatnonzero(array == 10)) / count * 1e6:.3f}"
    )
    print(f"{'':44s} {'records':>7s} {'lost':>5s}   {'split':>6s} + {'table':>6s} = {'us':>6s}")
    ookla = Lines(
        template=OOKLA,
        record_start="^[0-9a-f]{40} - ",
        until="complete",
        complete=[Complete(column="request", starts="HI ", ends=" WS/1.0")],
        join=["", " "],
    )
    few, every = {"time", "request", "status"}, set(ookla.columns())
    measure("ookla, 3 columns", ookla, data, few)
    measure("ookla, all 8 columns", ookla, data, every)
    measure("ookla, 3 columns, 0.5 % odd lines", ookla, with_odd_lines(data), few)
    measure("ookla, 3 columns, 5 % odd lines", ookla, with_odd_lines(data, 20), few)
    combined = Lines(template=COMBINED)
    measure("combined log, 3 columns", combined, data, few)
    measure("combined log, all 9 columns", combined, data, set(combined.columns()))
    pattern = Lines(
        pattern=r'^(?P<who>\S+) - (?P<session>\S+) \[(?P<time>[^\]]+)\] "(?P<request>.*?)" (?P<status>\d+) (?P<n>\d+) '
    )
    measure("pattern, 3 columns", pattern, data, few)

    rows = EDGE_ROW * 20_000
    edge = Ndjson(
        types={"timestamp": "varchar", "responseStatus": "bigint", "responseBytes": "bigint", "clientIP": "varchar"}
    )
    measure("ndjson of 1 kB, 4 of 39 values", edge, rows, set(edge.columns()))
    table = b"".join(b"2026-03-03T12:00:%02d,%d,some text,GET,/path/%d,200\n" % (n % 60, n, n) for n in range(100_000))
    columns = {
        "time": "varchar",
        "n": "bigint",
        "text": "varchar",
        "method": "varchar",
        "path": "varchar",
        "status": "bigint",
    }
    plain = Csv(types=columns, header=False)
    measure("csv, 3 of 6 columns", plain, table, {"time", "path", "status"})
    quoted = b"".join(b'"' + line.replace(b",", b'","') + b'"\n' for line in table.splitlines())
    measure("csv, all quoted, 3 of 6 columns", plain, quoted, {"time", "path", "status"})


if __name__ == "__main__":
    main()
