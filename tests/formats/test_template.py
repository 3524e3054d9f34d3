from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegel.formats.template import Template

OOKLA = '{client} - {session} [{time}] "{request}" {status:int} {size:int} "{referer}" "{agent}"'


def fields(template: str, line: str, null: str | None = None) -> list[str] | None:
    data = line.encode()
    spans = Template(template, null).match(data)
    return None if spans is None else [data[slice(*span)].decode() for span in spans]


def test_an_access_log_line_gives_its_fields() -> None:
    line = 'ab - - [03/Mar/2026:12:00:05 GMT] "GET /x HTTP/1.1" 200 10 "" "Mozilla (X)"'
    assert fields(OOKLA, line) == [
        "ab",
        "-",
        "03/Mar/2026:12:00:05 GMT",
        "GET /x HTTP/1.1",
        "200",
        "10",
        "",
        "Mozilla (X)",
    ]


def test_the_request_ends_at_the_first_status_and_the_agent_takes_every_quote() -> None:
    """Text inside a user agent must never count as a request, and quotes are escaped nowhere in this log."""
    line = 'a - s [t] "GET /"x" HTTP" 200 1 "r" "agent "quoted" "GET /download" 503 9 "" "end"'
    found = fields(OOKLA, line)
    assert found is not None
    assert found[3:] == ['GET /"x" HTTP', "200", "1", "r", 'agent "quoted" "GET /download" 503 9 "" "end']


@pytest.mark.parametrize(
    ("template", "line", "expected"),
    [
        ("{a}", "", [""]),
        ("{a} {b}", "x y z", ["x", "y z"]),
        ("{a} {b}", " y", ["", "y"]),
        ("{a:int}", "007", ["007"]),
        ("{a:int}", "-5", ["-5"]),
        ("{a:int}", "8" * 19, ["8" * 19]),
        ("{a:int}", "9" * 19, None),
        ("{a:int}", "1" * 20, None),
        ("{a:int}", "", None),
        ("{a:int}", "٣", None),
        ("{a:float}", "0.250", ["0.250"]),
        ("{a:float}", "1e9", ["1e9"]),
        ("{a:float}", "1e999", None),
        ("{a:float}", "nan", None),
        ("{a:float}.", "1.", ["1"]),
        ("{a:hex(4)}", "09aF", ["09aF"]),
        ("{a:hex(4)}", "09aF1", None),
        ("{a:hex} {b}", "0 1", ["0", "1"]),
        ("{{{a}}}", "{x}", ["x"]),
        ("{} {_} {b}", "x y z", ["z"]),
        ("{a}|{_:int}|{b}", "x|y|1|z", ["x|y", "z"]),
        ("{a} {n:int}", "x 1 y 2", ["x 1 y", "2"]),
        ("{a} {n:int}", "x 1 y", None),
        ("{a}\u00e9{b}", "x\u00e8\u00e9y", ["x\u00e8", "y"]),
        ('[{a}] "{b}"', '[x] "y" ', None),
    ],
)
def test_each_rule_of_the_language(template: str, line: str, expected: list[str] | None) -> None:
    assert fields(template, line) == expected


def test_a_typed_field_takes_the_text_that_stands_for_no_value() -> None:
    """Apache writes a dash for a response without bytes; such a line is not malformed."""
    assert fields('"{request}" {bytes:int} {x}', '"GET" - y', null="-") == ["GET", "-", "y"]
    assert fields("{bytes:int}", "-5", null="-") == ["-5"]


def test_columns_have_the_types_of_the_fields() -> None:
    template = Template("{a} {b:int} {c:float} {d:hex(8)} {}")
    assert template.columns == {"a": "VARCHAR", "b": "BIGINT", "c": "DOUBLE", "d": "VARCHAR"}


@pytest.mark.parametrize(
    "text",
    ["", "text", "{a", "a}", "{a}{b}", "{a} {A}", "{a:what}", "{a:int(3)}", "{a:hex(65)}", "{a:hex(0)}", "{1a}", "{_a}",
     "{}", "{a:int}0{b}", "{a:hex}f{b}"],
)  # fmt: skip
def test_a_template_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"field|template|hex|brace|belong|nothing"):
        Template(text)


BIG = 64 * 2**10


@pytest.mark.parametrize(
    "line",
    [
        b'"' * BIG,
        b'" 200 1 ' * (BIG // 8),
        b'" 200 11111111111111111' * (BIG // 23),
        b' - [] "' * (BIG // 7),
        b" - " * (BIG // 3),
        b'a - b [c] "' + b'" 1 ' * (BIG // 4),
        b'a - b [c] "d" 1 2 "' + b'" "' * (BIG // 3),
        b'a - b [c] "d" 1 2 "e" "' + b'"x' * (BIG // 2),
        b'a - b [c] "' + b'" 1 1 "' * (BIG // 7),
        b"1" * BIG,
        b" 1" * (BIG // 2),
    ],
)
@pytest.mark.parametrize("template", [OOKLA, "{a} {b:int} {c:int} {d:float}x{e}", "{a}11{b:int}x{c:float}y{d}"])
def test_no_line_takes_long(template: str, line: bytes) -> None:
    """A visitor writes the request and the user agent: one line must not buy seconds of our time (M4).

    A quadratic matcher needs minutes here; the bound is generous, so that a busy machine passes.
    """
    compiled = Template(template)
    start = time.process_time()
    compiled.match(line)
    assert time.process_time() - start < 1.0


PARTS = st.sampled_from(["a", "-", " - ", " ", "[", "]", '"', '" "', "1", "200", " 200 1 ", "\n", "é", ""])


@given(st.lists(PARTS, max_size=30).map("".join))
def test_fields_and_literals_make_up_the_line(line: str) -> None:
    """No byte of a matched line is lost or taken twice."""
    found = fields(OOKLA, line)
    if found is not None:
        client, session, when, request, status, size, referer, agent = found
        assert f'{client} - {session} [{when}] "{request}" {status} {size} "{referer}" "{agent}"' == line
        assert " - " not in client
        assert " [" not in session
        assert '] "' not in when


@pytest.mark.parametrize(
    ("line", "stop"),
    [
        ('a [t] "GET / HTTP/1.1" 200 5 x', None),
        ("a b c", (0, "{client} [")),
        ("a [t", (3, '{time}] "')),
        ('a [t] "GET / HTTP/1.1" OK 5 x', (7, '{request}" {status:int} {_:int} ')),
        ('[t] "GET', (0, "{client} [")),
    ],
)
def test_a_line_says_how_far_it_fits(line: str, stop: tuple[int, str] | None) -> None:
    """Whoever wrote the template needs the place where the log is of another opinion."""
    template = Template('{client} [{time}] "{request}" {status:int} {_:int} {rest}')
    assert template.stop(line.encode()) == stop


@given(st.lists(PARTS, max_size=12).map("".join))
def test_a_line_fits_to_its_end_exactly_if_it_matches(line: str) -> None:
    data = line.encode()
    template = Template(OOKLA)
    stop = template.stop(data)
    assert (stop is None) == (template.match(data) is not None)
    assert stop is None or 0 <= stop[0] <= len(data)
