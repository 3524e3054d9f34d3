"""What records are, by the rules of the Ookla preset; a slow and simple oracle against the real thing."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.streams import ENGINE, read
from pegel.formats import End
from pegel.formats.lines import Complete, Lines
from pegel.units import Size

OOKLA = Lines(
    template='{client:hex(40)} - {session} [{time}] "{request}" {status:int} {size:int} "{referer}" "{agent}"',
    record_start="^[0-9a-f]{40} - ",
    until="complete",
    complete=[Complete(column="request", starts="HI ", ends=" WS/1.0")],
    join=["", " "],
)
WHO = "ef62e29e56647db72d4cd297b9f3889434979d43 - 5c1f0a9e-77aa-4b1c"
HI = "HI 3f6d2b7a-0c1d-4e5f-8a9b-0c1d2e3f4a5b eyJhbGciOiJIUzI1NiJ9.eyJkYXRhIjp7fX0.THxuIl7lkbE WS/1.0"


def line(request: str = HI, status: int = 200, agent: str = "Speedtest/5.4.2 (Android 14)") -> str:
    return f'{WHO} [03/Mar/2026:12:00:02 GMT] "{request}" {status} 0 "" "{agent}"'


def requests(text: str, **kwargs: object) -> tuple[list[str], Counter[str]]:
    result = read(OOKLA, text.encode(), **kwargs)  # type: ignore[arg-type]
    return [row[3] for row in result.rows], result.rejects


def test_a_line_is_a_record_with_typed_columns() -> None:
    result = read(OOKLA, (line() + "\n").encode())
    assert result.rows == [
        (WHO[:40], "5c1f0a9e-77aa-4b1c", "03/Mar/2026:12:00:02 GMT", HI, 200, 0, "", "Speedtest/5.4.2 (Android 14)")
    ]
    assert OOKLA.columns()["status"] == "BIGINT"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n\n", "\n\r\n\n"])
def test_a_hello_broken_at_any_place_is_one_record(newline: str) -> None:
    """The break comes from the client's text; where it falls is not ours to choose."""
    text = line()
    for place in range(len(WHO), text.index('" 200')):
        found, rejects = requests(text[:place] + newline + text[place:] + "\n" + line("GET /") + "\n")
        assert found == [HI, "GET /"]
        assert not rejects


@pytest.mark.parametrize("place", [HI.index(" WS/1.0"), HI.index("eyJh") - 1])
def test_a_break_in_place_of_a_blank_puts_the_blank_back(place: int) -> None:
    found, rejects = requests(line(HI[:place] + "\n" + HI[place + 1 :]) + "\n")
    if place == HI.index(" WS/1.0"):
        assert found == [HI]
    else:  # without the blank it is complete too: the line break is dropped
        assert found == [HI[:place] + HI[place + 1 :]]
    assert not rejects


def test_quotes_in_the_agent_are_data() -> None:
    agent = 'Mozilla "quoted" "GET /download?guid=x HTTP/1.1" 503 0 "" "end'
    result = read(OOKLA, (line("GET /", agent=agent) + "\n").encode())
    assert [(row[3], row[4], row[7]) for row in result.rows] == [("GET /", 200, agent)]


def test_a_line_after_a_complete_record_is_foreign_and_disturbs_nobody() -> None:
    found, rejects = requests("before\n" + line("A") + "\nstray 1\nstray 2\n" + line("B") + "\nstray\n")
    assert found == ["A", "B"]
    assert rejects == {"foreign": 4}


def test_a_record_that_never_completes_is_malformed() -> None:
    torn = line()[:120]
    assert requests(torn + "\n" + line("B") + "\n") == (["B"], {"malformed": 1})
    assert requests(torn + "\nmore\nand more\n" + line("B") + "\n") == (["B"], {"malformed": 1})
    assert requests(line("A") + "\n" + torn) == (["A"], {"malformed": 1})


def test_a_hello_without_its_end_is_not_complete() -> None:
    """`… token" 200 0 "" "x"` would look whole; the rest of the token may be on the next line."""
    found, rejects = requests(line(HI[:-7]) + "\n" + line("B") + "\n")
    assert found == ["B"]
    assert rejects == {"malformed": 1}


def test_a_record_is_given_up_at_the_cap_and_what_follows_are_orphans() -> None:
    parts = ["x" * 1000] * 70
    found, rejects = requests("\n".join([line()[:120], *parts, line("B")]) + "\n")
    assert found == ["B"]
    assert rejects == {"malformed": 1, "orphan_fragment": 70 - 64}
    parts = ["x" * 30000] * 4
    found, rejects = requests("\n".join([line()[:120], *parts, line("B")]) + "\n")
    assert found == ["B"]
    assert rejects == {"malformed": 1, "orphan_fragment": 2}


def test_only_needed_columns_are_made() -> None:
    frames = OOKLA.split((line() + "\n").encode(), End.MORE)
    with ENGINE.batch() as batch:
        table = OOKLA.table(batch, frames.block, frozenset({"status"}))
        assert table.columns == {"_row": "BIGINT", "_reject": "VARCHAR", "status": "BIGINT"}
        assert table.rows() == [(0, None, 200)]


def test_a_text_that_stands_for_no_value_is_null() -> None:
    form = Lines(template="{a} {n:int}", null="-")
    assert read(form, b"- -\nx 5\n").rows == [(None, None), ("x", 5)]


def test_a_pattern_of_many_groups_gives_what_one_search_would() -> None:
    """The expression is run in parts, since RE2 is slow above four groups; that must not show."""
    names = "abcdefghi"
    pattern = "^" + " ".join(rf"(?P<{name}>[^ ]*|\((?:x))" for name in names) + r"( .*)?$"
    form = Lines(pattern=pattern)
    text = b"1 2 3 4 5 6 7 8 9 rest\n1 2\na b c d  f g h i\n"
    result = read(form, text)
    expected = [re.search(pattern, one) for one in text.decode().splitlines()]
    assert result.rows == [found.groups()[:9] for found in expected if found]
    assert result.rejects == {"malformed": 1}


def test_records_until_the_next_one_keep_their_line_breaks() -> None:
    form = Lines(pattern=r"(?s)^\[(?P<level>\w+)\] (?P<text>.*)", record_start=r"^\[\w+\] ")
    result = read(form, b"[ERROR] it broke\n  at one\n\n  at two\r\n[INFO] fine\n")
    assert result.rows == [("ERROR", "it broke\n  at one\n  at two"), ("INFO", "fine")]


def test_a_record_that_grows_over_the_cap_is_too_long() -> None:
    form = Lines(template="{a} - {b}", record_start="^. - ", max_record=Size(20))
    result = read(form, b"1 - aaaaaa\nbbbbb\nccccccccccc\nddd\n2 - x\n")
    assert result.rows == [("2", "x")]
    assert result.rejects == {"too_long": 1, "orphan_fragment": 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either"),
        ({"template": "{a}", "pattern": "(?P<a>.)"}, "either"),
        ({"template": "{a}", "until": "complete"}, "needs"),
        ({"template": "{a}", "complete": [Complete(column="a", ends="x")]}, "until"),
        ({"template": "{a}", "join": ["", " "]}, "join"),
        ({"template": "{a}", "join": []}, "join"),
        ({"template": "{a}", "max_record": Size(0)}, "max_record"),
        ({"pattern": "(.)"}, "named group"),
        ({"pattern": "(?P<a>.)\\1"}, "linear"),
        ({"template": "{a}", "record_start": "("}, "linear"),
        (
            {"template": "{a}", "record_start": "^x", "until": "complete", "complete": [Complete(column="b", ends="")]},
            "no field",
        ),
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Lines(**options)  # type: ignore[arg-type]


CAP = 60
SMALL = Lines(
    template='{id:hex(2)} - "{request}" {status:int} "{agent}"',
    record_start="^[0-9]{2} - ",
    until="complete",
    complete=[Complete(column="request", starts="HI ", ends=" WS")],
    join=["", " "],
    max_record=Size(CAP),
)
SHAPE = re.compile(rb'(?s)([0-9]{2}) - "(.*?)" (-?[0-9]{1,18}) "(.*)"\Z')


def whole(text: bytes) -> tuple[object, ...] | None:
    found = SHAPE.match(text)
    if found is None or (found[2].startswith(b"HI ") and not found[2].endswith(b" WS")):
        return None
    return (found[1].decode(), found[2].decode(), int(found[3]), found[4].decode())


def oracle(data: bytes) -> tuple[list[tuple[object, ...]], Counter[str]]:
    """The rules as they are written, one line after another."""
    rows, rejects, lost, text, size = [], Counter[str](), False, b"", 0

    def give_up() -> None:
        nonlocal lost, text
        if text:
            rejects["malformed"] += 1
            text = b""
        lost = True

    for raw in data.split(b"\n"):
        if len(raw) > CAP:
            rejects["too_long"] += 1
            give_up()
            continue
        one = raw.removesuffix(b"\r")
        if not one:
            size += len(raw) + 1
            continue
        if re.match(rb"[0-9]{2} - ", one):
            if text:
                rejects["malformed"] += 1
            tries, size = [one], len(one)
        elif text and size + 1 + len(one) <= CAP:
            tries, size = [text + one, text + b" " + one], size + len(raw) + 1
        else:
            if text:
                give_up()
            rejects["orphan_fragment" if lost else "foreign"] += 1
            continue
        done = [found for found in map(whole, tries) if found]
        rows += done[:1]
        text, lost = (b"" if done else tries[0]), False
    give_up()
    return rows, rejects


TOKENS = st.sampled_from(
    [
        "12 - ",
        '"',
        '"GET" ',
        '"HI x',
        " WS",
        '" ',
        "200 ",
        '"agent"',
        '""',
        "\n",
        "\n",
        " ",
        "stray",
        "x" * 25,
        "x" * 61,
        '34 - "GET" 404 ""\n',
        '56 - "HI a\nb WS" 200 "y"\n',
        '78 - "HI a\nb\nWS" 200 "y"\n',
        "\r\n",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(TOKENS, max_size=16).map("".join))
def test_records_are_those_of_the_rules(text: str) -> None:
    data = text.encode()
    result = read(SMALL, data)
    rows, rejects = oracle(data)
    assert result.rows == rows
    assert result.rejects == rejects


@pytest.mark.parametrize(
    ("options", "text", "why"),
    [
        ({"template": "{a} {b:int}"}, "x y", "the template fits up to byte 0; what follows is not {a} {b:int}"),
        ({"pattern": "(?P<a>[0-9]+)"}, "x", "the pattern is not found in it"),
        ({"template": "{a} {b}", "record_start": "^!"}, "x y", "it does not begin as record_start says"),
        ({"template": "{a} {b:int}"}, "x 5", ""),
    ],
)
def test_a_text_that_is_no_record_says_why(options: dict[str, str], text: str, why: str) -> None:
    assert Lines(**options).why(text.encode()) == why  # type: ignore[arg-type]


def test_of_several_lines_the_one_that_fits_furthest_says_why() -> None:
    """What follows a record that is cut off was written by somebody else."""
    rule = Complete(column="request", starts="HI ", ends=" WS/1.0")
    form = Lines(template='{t} "{request}" {n:int}', record_start="^t", until="complete", complete=[rule])
    assert form.why(b't "HI x" 5\nsomething else\n') == 'request begins with "HI " and does not end with " WS/1.0"'


def test_the_text_of_a_record_can_be_had_for_people() -> None:
    form = Lines(template="{a} {b:int}")
    frames = form.split(b"x 5\ny 6\n", End.FINAL)
    assert [form.text(frames.block, row) for row in range(frames.records)] == [b"x 5", b"y 6"]
