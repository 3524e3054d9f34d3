"""The requests of an invented speed-test server: who tests with what, and what the server logs of it.

A *test* is one run of one device: some HTTP requests and perhaps a WebSocket `HI` with a token. Every ten
requests hold exactly one `HI` and three tests that were not seen before, so that a log of N records has N/10
`HI` requests and 3N/10 distinct test ids.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any

from pegel.samples import ookla_catalogue as catalogue

_JWT_HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
_RECENT_TESTS = 64
_STATUSES = ("200", "204", "206", "404", "500", "502", "503", "504")
_STATUS_WEIGHTS = tuple(accumulate((960, 10, 12, 10, 3, 1, 3, 1)))


@dataclass(frozen=True)
class Device:
    """One user's device: what its tokens and requests say about it."""

    client: str
    id: str
    ip: str
    model: str | None
    app: str
    version: str
    agent: str
    referer: str


@dataclass(frozen=True)
class Test:
    """One run of a speed test."""

    device: Device
    guid: str
    session: str


@dataclass(frozen=True)
class Request:
    """What one record says, apart from its time. `hi` marks a WebSocket hello."""

    test: Test
    text: str
    status: str
    size: str
    hi: bool = False


class Traffic:
    """An endless, reproducible stream of requests.

    Args:
        random: The only source of chance.
        devices: How many devices there are; some test far more often than others.
        odd_tokens: Share of `HI` requests whose token is missing, broken or incomplete.
        odd_agents: Share of devices whose user agent looks like something else.
    """

    def __init__(self, random: Random, devices: int, odd_tokens: float, odd_agents: float) -> None:
        self._random = random
        self._salt = random.randbytes(8).hex()
        self._pool = devices
        self._odd_tokens = odd_tokens
        self._odd_agents = odd_agents
        self._devices: dict[int, Device] = {}
        self._recent: deque[Test] = deque(maxlen=_RECENT_TESTS)
        self._apps = list(catalogue.APPS)
        self._app_weights = list(accumulate(catalogue.APPS.values()))
        self._android = (list(catalogue.ANDROID_MODELS), list(accumulate(catalogue.ANDROID_MODELS.values())))
        self._apple = (list(catalogue.APPLE_MODELS), list(accumulate(catalogue.APPLE_MODELS.values())))
        self._numbers = 1_000_000_000_000

    def requests(self) -> Iterator[Request]:
        """Requests in groups of ten: one `HI`, three new tests, and more of the tests that are under way."""
        while True:
            again = self._random.random() < 0.05 and bool(self._recent)
            steps = ["again" if again else "hello", "open", "open", *("open" if again else "go on",), *["go on"] * 6]
            if self._recent:  # the very first test has to begin before others can go on
                self._random.shuffle(steps)
            for step in steps:
                if step == "go on":
                    yield self._go_on()
                elif step == "open":
                    yield self._open(self._new_test())
                else:
                    yield self._hello(self._random.choice(self._recent) if again else self._new_test())

    def uuid(self) -> str:
        """An id of 36 characters."""
        digits = self._random.randbytes(16).hex()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    def _new_test(self) -> Test:
        test = Test(self._device(int(self._pool * self._random.random() ** 2)), self.uuid(), self._session())
        self._recent.append(test)
        return test

    def _session(self) -> str:
        return self.uuid() if self._random.random() < 0.7 else "-"

    def _device(self, number: int) -> Device:
        if number not in self._devices:
            self._devices[number] = self._make_device(number)
        return self._devices[number]

    def _make_device(self, number: int) -> Device:
        app, version = self._random.choices(self._apps, cum_weights=self._app_weights)[0]
        web = app == "web"
        model = None if app in ("web", "cli") else self._model(app)
        agent = self._random.choice(catalogue.BROWSERS) if web else _app_agent(app, version, model or "x86_64")
        if self._random.random() < self._odd_agents:
            agent = self._random.choice(catalogue.TRICKY_AGENTS)
        referer = self._random.choice(catalogue.WEB_REFERERS) if web else ""
        client = hashlib.sha1(f"{self._salt}{number}".encode(), usedforsecurity=False).hexdigest()
        return Device(client, self.uuid(), self._address(), model, app, version, agent, referer)

    def _model(self, app: str) -> str:
        if app in ("windows", "mac"):
            return {"windows": "PC", "mac": "MacBookPro18,3"}[app]
        models, weights = self._apple if app in ("ios", "appletv") else self._android
        return self._random.choices(models, cum_weights=weights)[0]

    def _address(self) -> str:
        kind = self._random.random()
        if kind < 0.25:
            groups = [f"{self._random.getrandbits(16):x}" for _ in range(3)]
            return f"2001:db8:{groups[0]}:{groups[1]}::{groups[2]}"
        network = ("192.0.2", "198.51.100", "203.0.113")[int(kind * 997) % 3]
        return f"{network}.{self._random.randrange(1, 255)}"

    def _open(self, test: Test) -> Request:
        chance = self._random.random()
        if chance < 0.6:
            return self._http(test, f"GET /hello?nocache={self.uuid()}&guid={test.guid} HTTP/1.1", "43")
        return self._download(test) if chance < 0.8 else self._upload(test)

    def _go_on(self) -> Request:
        test = self._random.choice(self._recent) if self._recent else self._new_test()
        chance = self._random.random()
        if chance < 0.40:
            return self._download(test)
        if chance < 0.75:
            return self._upload(test)
        if chance < 0.84:
            return self._http(test, f"GET /ws?nocache={self.uuid()}&guid={test.guid} HTTP/1.1", "0")
        shapes = catalogue.LEGACY_REQUESTS if chance < 0.94 else catalogue.OTHER_REQUESTS
        self._numbers += 7
        return self._http(
            test, self._random.choice(shapes).format(number=self._numbers, uuid=self.uuid(), guid=test.guid), "10"
        )

    def _download(self, test: Test) -> Request:
        size = "25000000" if self._random.random() < 0.8 else "100000"
        return self._http(test, f"GET /download?nocache={self.uuid()}&size={size}&guid={test.guid} HTTP/1.1", size)

    def _upload(self, test: Test) -> Request:
        equals = "=" if self._random.random() < 0.99 else "%3D"
        return self._http(test, f"POST /upload?nocache={self.uuid()}&guid{equals}{test.guid} HTTP/1.1", "16")

    def _http(self, test: Test, text: str, size: str) -> Request:
        status = self._random.choices(_STATUSES, cum_weights=_STATUS_WEIGHTS)[0]
        return Request(test, text, status, size if status == "200" else "0")

    def _hello(self, test: Test) -> Request:
        odd = self._random.random() < self._odd_tokens
        token = self._odd_token(test) if odd else self._token(_claims(test))
        status = "200" if self._random.random() < 0.985 else self._random.choice(("401", "403", "503"))
        return Request(test, f"HI {test.guid}{' ' if token else ''}{token} WS/1.0", status, "0", hi=True)

    def _token(self, payload: object) -> str:
        return self._signed(_base64(_json(payload)))

    def _signed(self, payload: str) -> str:
        return f"{_JWT_HEADER}.{payload}.{_base64(self._random.randbytes(32))}"

    def _odd_token(self, test: Test) -> str:
        claims = _claims(test)
        kind = self._random.randrange(10)
        if kind <= 1:
            return ""
        if kind == 2:
            return self._signed(_base64(_json(claims))[:-3] + "!*~")
        if kind == 3:
            return self._signed(_base64(b"{" + self._random.randbytes(60)))
        if kind == 4:
            return self._signed(_base64(_json(self._random.choice(([1, 2, 3], "data", 7, None)))))
        if kind == 5:
            return self._signed(_base64(_json({"iat": claims["iat"]})))
        if kind == 6:
            return f"{_JWT_HEADER}.{_base64(_json(claims))}"
        data = dict(claims["data"])
        name = self._random.choice(("deviceId", "model", "app", "version"))
        if kind == 7:
            data[name] = self._random.choice(("", 12, 5.4, True, None, ["x"], {"y": 1}))
        else:
            data.pop(name, None)
        return self._token({**claims, "data": data})


def _app_agent(app: str, version: str, model: str) -> str:
    if app in ("ios", "appletv"):
        return f"Speedtest/{version} ({model}; Build/20260114.1; Scale/3.00) CFNetwork/1568.300.101 Darwin/24.2.0"
    return f"Speedtest/{version} ({app}; {model}) Dalvik/2.1.0 (Linux; U; Android 15; {model} Build/AP3A.240905.015)"


def _claims(test: Test) -> dict[str, Any]:
    device = test.device
    data = {"deviceId": device.id, "guid": test.guid, "ip": device.ip, "model": device.model, "app": device.app}
    known = {name: value for name, value in data.items() if value is not None}
    return {"data": {**known, "version": device.version}, "iat": 1772539200, "exp": 1772539800}


def _json(payload: object) -> bytes:
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
