"""The CDN's job as its operator runs it: real processes between a real bucket and a real Prometheus.

Objects come in parts, some of them much later than they should. The runner is killed again and again, at random and
at named points; both roads lose requests and answers; the receiver is away for an hour of the log, and is started
again. What takes an hour in life is an hour of event time here: nothing waits for it.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from engines.catalog import program
from engines.delivered import MINUTE, Truth, wrong
from engines.doomed import POINTS
from engines.prometheus import Prometheus
from engines.proxy import Exchange, Fault, Proxy, answering, cut_reply, lost_reply, passing, reset
from engines.s3 import ACCESS, REGION, SECRET, S3Server
from pegel.samples.cdn77 import Delivery, Object, objects
from pegel.samples.cdn77_traffic import PROFILES
from presets.cdn77_oracle import PLACES, read_places

TESTS = Path(__file__).parents[1]
RUNNER = TESTS.parent / "runner"

RECEIVER = "global: {scrape_interval: 1h}\nstorage: {tsdb: {out_of_order_time_window: 6h}}\n"

CONFIG = """
[runner]
state = "{place}/state"
commit_interval = "200ms"
snapshot_interval = "3s"

[[sources]]
name = "cdn77"
preset = "cdn77"
endpoint = "{bucket_url}"
region = "{region}"
bucket = "logs"
prefix = "edge/all"
access_key = "{access}"
secret_key = "{secret}"
poll_interval = "1s"
look_back = "6h"
idle_after = "12h"
timeout = "5s"
delete = true
enrichers.geoip.file = "{places}"

[[sinks]]
name = "prometheus"
type = "remote_write"
url = "{receiver_url}/api/v1/write"
out_of_order_window = "6h"
runner = "the-cdn"
timeout = "5s"
metrics = ["*", "pegel_*"]
"""

SELECTOR = 'runner="the-cdn"'

SLOW_DOWN = answering(503, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")

LONGEST_END = 300.0
"""Seconds in which the last life has to have deleted everything."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is told.

    Attributes:
        rows: Lines of the log; two or more in a second.
        minutes: Time that they span.
        window: Minutes for which a viewer counts.
        parts: In which the objects come.
        kills: Deaths in each part.
        life: Seconds that a life lasts at most; twice as long where it goes on until a point is reached.
    """

    rows: int
    minutes: int
    window: int
    parts: int
    kills: int
    life: float = 6.0


@dataclass
class Told:
    """What was done, and what is wrong in the end."""

    rows: int = 0
    objects: int = 0
    late: int = 0
    kills: int = 0
    named: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    deleted: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def keep_or_remove(self, place: Path) -> None:
        """Keep the directory of a story in which something was wrong, and say where it is."""
        if self.wrong:
            self.wrong.append(f"all of it is in {place}")
        else:
            shutil.rmtree(place)

    def __str__(self) -> str:
        return (
            f"{self.rows} rows in {self.objects} objects ({self.late} of them late), {self.kills} SIGKILLs"
            f" ({sum(self.named.values())} at {len(self.named)} named points), {self.faults} faults on the roads,"
            f" {self.deleted} objects deleted: {len(self.wrong)} wrong ({self.seconds:.0f} s)"
        )


@dataclass(frozen=True)
class Part:
    """Objects that appear together, and those among them that should have been there before."""

    objects: Sequence[Object]
    late: frozenset[str]


def parts(seed: int, size: Size, end: float) -> list[Part]:
    """All objects that are there at a time; in the middle third some are held back by a part or two."""
    rate = size.rows / (size.minutes * 60)
    shape = replace(PROFILES["dirty"].at_rate(rate), streams=5, viewers=max(12, round(6 * rate)))
    start = end - size.minutes * 60
    made = [one for one in objects(seed, start, shape, Delivery(), size.rows) if one.uploaded <= end + 60]
    rng, lengths = random.Random(seed), -(-len(made) // size.parts)
    whole = [made[start : start + lengths] for start in range(0, len(made), lengths)]
    late: list[list[Object]] = [[] for _ in range(len(whole) + 3)]
    for number in range(len(whole) // 3, len(whole) // 2):
        held = rng.sample(whole[number], max(1, len(whole[number]) // 10))
        whole[number] = [one for one in whole[number] if one not in held]
        late[number + rng.choice([1, 2])] += held
    return [
        Part([*part, *behind], frozenset(one.key for one in behind)) for part, behind in zip(whole, late, strict=False)
    ]


class Road:
    """What becomes of requests, and how many faults there were; `away` if nobody is at its end."""

    def __init__(self, seed: int, share: float, faults: Sequence[Fault]) -> None:
        self._rng = random.Random(seed)
        self._share = share
        self._faults = faults
        self._lock = threading.Lock()
        self.count = 0
        self.good = False
        self.away = False

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            strikes = not self.good and self._rng.random() < self._share
            fault = self._rng.choice(self._faults) if strikes else passing
            self.count += strikes
        (reset if self.away else fault)(exchange)


class Story:
    """One telling, in a directory of its own."""

    def __init__(self, place: Path, size: Size, seed: int) -> None:
        self.place = place
        self.size = size
        self.told = Told()
        self._rng = random.Random(seed)
        self._end = float(int(time.time()) // MINUTE * MINUTE)
        self._parts = parts(seed, size, self._end)
        self._truth = Truth(read_places(), size.window)
        self._stored: dict[str, list[tuple[int, bool]]] = {}
        self._gone: set[str] = set()
        self._gone_rows = 0
        self._punctual: Counter[int] = Counter()
        self._judging = threading.Lock()
        self._deleted = threading.Event()
        self._bucket_road = Road(seed, 0.03, [SLOW_DOWN, reset, lost_reply, cut_reply, answering(500)])
        self._receiver_road = Road(seed + 1, 0.15, [lost_reply, lost_reply, reset, cut_reply, answering(503)])

    def tell(self) -> Told:
        """All of it; the directory has to be there."""
        begun = time.monotonic()
        with self._servers():
            for number, part in enumerate(self._parts):
                self._outages(number)
                self._put(part)
                for _ in range(self.size.kills):
                    self._life()
            self._end_of_story()
            self._compare()
        self.told.faults = self._bucket_road.count + self._receiver_road.count
        self.told.seconds = time.monotonic() - begun
        return self.told

    # -- the world ------------------------------------------------------------------------------------------

    @contextmanager
    def _servers(self) -> Iterator[None]:
        for name in ("s3", "prometheus"):
            (self.place / name).mkdir()
        with ExitStack() as running:
            self._s3 = S3Server(program("versitygw"), self.place / "s3")
            running.callback(self._s3.stop)
            self._start_receiver()
            running.callback(lambda: self._prometheus.stop())
            self._bucket = self._s3.bucket("logs")
            self._to_bucket = running.enter_context(Proxy(("127.0.0.1", self._s3.port)))
            self._to_receiver = running.enter_context(Proxy(self._prometheus.place))
            self._to_bucket.otherwise = self._at_the_bucket
            self._to_receiver.otherwise = self._receiver_road
            config = self.place / "config.toml"
            config.touch(0o600)
            config.write_text(self._config(), encoding="utf-8")
            yield

    def _config(self) -> str:
        return CONFIG.format(
            place=self.place,
            bucket_url=self._to_bucket.url,
            receiver_url=self._to_receiver.url,
            region=REGION,
            access=ACCESS,
            secret=SECRET,
            places=PLACES,
        )

    def _start_receiver(self) -> None:
        self._prometheus = Prometheus(program("prometheus"), self.place / "prometheus", RECEIVER)

    def _outages(self, number: int) -> None:
        """Once Prometheus is started anew while the runner works, and once it is away for a third of the log."""
        first, last = self.size.parts // 2, self.size.parts // 2 + -(-self.size.parts // 3)
        if number == 2:
            self._restart()
        elif number == first:
            self._receiver_road.away = True
        elif number == last:
            self._restart()
            self._receiver_road.away = False

    def _restart(self) -> None:
        self._prometheus.stop()
        self._start_receiver()
        self._to_receiver.lead_to(self._prometheus.place)

    def _put(self, part: Part) -> None:
        newest = round(max(one.uploaded for one in part.objects)) // MINUTE
        for one in part.objects:
            self._bucket.put(f"edge/all/{one.key}", gzip.compress(one.content, 1))
            rows = [self._told_of(one, line, newest, part) for line in one.content.split(b"\n")]
            with self._judging:
                self._stored[one.key] = rows
                self._punctual.update(minute for minute, punctual in rows if punctual)
        self.told.objects += len(part.objects)
        self.told.late += len(part.late)

    def _told_of(self, one: Object, line: bytes, newest: int, part: Part) -> tuple[int, bool]:
        """The minute of a row (-1 of none), and whether it came in time."""
        late = one.key in part.late or _is_behind(one, line)
        row = self._truth.take(line, newest if late else None)
        return (-1, False) if row is None else (row.minute, not late)

    # -- lives ------------------------------------------------------------------------------------------------

    def _life(self) -> None:
        """One process, killed by itself at a named point, or from outside when its time has come."""
        name = self._rng.choice(("", *POINTS))
        words = ["-m", "engines.doomed", str(self.place / "config.toml"), str(self._rng.randint(1, 12)), name]
        process = self._start(words) if name else self._start_service()
        try:
            most = 2 * self.size.life if name else self._rng.uniform(1.0, self.size.life)
            said = process.communicate(timeout=most)[1].decode()
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            self.told.kills += 1
            return
        if process.returncode != -signal.SIGKILL:
            self.told.wrong.append(f"a life ended by itself with {process.returncode}: {said[-500:]}")
            return
        self.told.kills += 1
        self.told.named[name] += 1

    def _start_service(self, *more: str) -> subprocess.Popen[bytes]:
        return self._start(["-c", "from pegel.cli import main; main()", "run", str(self.place / "config.toml"), *more])

    def _start(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": f"{RUNNER}:{TESTS}", "VIEWER_WINDOW": _words(self.size.window)}
        return subprocess.Popen(
            [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )

    def _end_of_story(self) -> None:
        """The roads are good: everything is read, closed and sent by `run --once`, and a service deletes the rest."""
        self._bucket_road.good = self._receiver_road.good = True
        self._read_all()
        service = self._start_service()
        until = time.monotonic() + LONGEST_END
        try:
            while self._left() and time.monotonic() < until and service.poll() is None:
                self._deleted.wait(1.0)
                self._deleted.clear()
        finally:
            service.terminate()
            said = service.communicate(timeout=30)[1].decode()
        left = self._left()
        if left:
            self.told.wrong.append(f"{len(left)} objects were never deleted, such as {left[0]}; {said[-500:]}")
        self.told.rows, self.told.deleted = self._truth.rows, len(self._gone)

    def _read_all(self) -> None:
        last = self._start_service("--once", "--close", "--patience", "60s")
        try:
            said = last.communicate(timeout=LONGEST_END)[1].decode()
        except subprocess.TimeoutExpired:
            last.kill()
            said = last.communicate()[1].decode()
        if last.returncode:
            self.told.wrong.append(f"the last run ended with {last.returncode}: {said[-500:]}")

    def _left(self) -> list[str]:
        """Names of the objects in the bucket, of which others may just be deleted."""
        return [name for _, _, names in os.walk(self._s3.directory / "logs") for name in names]

    # -- judging ----------------------------------------------------------------------------------------------

    def _at_the_bucket(self, exchange: Exchange) -> None:
        if exchange.request.method == "DELETE":
            self._judge_deletion(exchange.request.path.partition("/logs/edge/all/")[2].replace("%2B", "+"))
        self._bucket_road(exchange)
        if exchange.request.method == "DELETE":
            self._deleted.set()

    def _judge_deletion(self, key: str) -> None:
        """Prometheus has every row of all objects that are gone, and all that came in time up to this one's end."""
        with self._judging:
            self._take_away(key)
            last = max((minute for minute, _ in self._stored[key]), default=-1)
            needed = self._gone_rows + sum(count for minute, count in self._punctual.items() if minute <= last)
        asked = f"sum(last_over_time(cdn77_requests_total{{{SELECTOR}}}[1d]))"
        found = self._prometheus.query(asked, self._end + MINUTE)
        if needed and (not found or found[0].value < needed):
            self.told.wrong.append(f"{key} was deleted while the receiver had {found} of {needed} rows")
        if not self._is_in_snapshot(key):
            self.told.wrong.append(f"{key} was deleted while no snapshot knew of it")

    def _take_away(self, key: str) -> None:
        """From now on every row of an object has to be at the receiver."""
        if key not in self._gone:
            self._gone.add(key)
            self._gone_rows += sum(minute >= 0 for minute, _ in self._stored[key])
            self._punctual.subtract(minute for minute, punctual in self._stored[key] if punctual)

    def _is_in_snapshot(self, key: str) -> bool:
        file = self.place / "state" / "state.db.snapshot-0"
        with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as snapshot:
            found = snapshot.execute("select done from streams where stream = ?", (f"logs/edge/all/{key}",)).fetchone()
        return found is not None and bool(found[0])

    def _compare(self) -> None:
        self.told.wrong += wrong(self._truth, self._prometheus, SELECTOR, self._end + 2 * MINUTE)


def _is_behind(one: Object, line: bytes) -> bool:
    """Whether the bucket got a row later than its neighbours."""
    found = line.partition(b'"startTimeMs":')[2].lstrip()
    digits = found[: found.find(b",")]
    return digits.isdigit() and one.uploaded - int(digits) / 1000 > 90


def _words(minutes: int) -> str:
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
