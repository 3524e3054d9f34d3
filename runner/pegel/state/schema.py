"""The tables of state.db and how an older file becomes a newer one.

A migration is a list of statements that runs in one transaction and raises `user_version` by one. A
published migration never changes; a new one is appended.
"""

from __future__ import annotations

import sqlite3

from pegel.errors import StateError

_FIRST = """
create table meta (name text primary key, value) without rowid;

create table sources (
    name text primary key,
    watermark integer,          -- us; never goes back
    started text not null,      -- beginning | end
    first_time integer          -- us; earliest record read after a start at the end
) without rowid;

create table partitions (
    source text, partition text,
    newest integer,             -- us; latest event time, bounded by the wall clock when it was read
    active integer not null,    -- us; wall clock when bytes were last used up
    primary key (source, partition)
) without rowid;

create table streams (
    source text, stream text,
    position integer not null,  -- number in the order of reading
    offset integer not null,    -- first byte that is not consumed
    cursor text not null,       -- JSON, in the source's own words; never record text
    done integer not null,
    primary key (source, stream)
) without rowid;

create table metrics (
    id integer primary key autoincrement,
    name text not null,
    definition text not null,   -- JSON; a change of it starts a new id
    since integer,              -- us; windows that start earlier are not of this definition
    until integer,              -- us; set when a newer definition takes over
    not_before integer,         -- us; windows that start earlier are partial and never emitted
    watermark integer,          -- us; windows that end up to here are closed
    swept integer not null default 0 -- us; idle series were looked for at this watermark
);

create table series (
    id integer primary key autoincrement,
    metric integer not null,
    labels text not null,       -- JSON list of label values; canonical, never NULL
    last integer not null,      -- us; about when it last had a record (coarse)
    retired integer,            -- us; its slot is free, its total waits
    emitted text,               -- info: JSON of the values emitted last
    emitted_at integer,         -- us; info: window of that emission
    unique (metric, labels)
);

create table runs (
    metric integer, pane integer, epoch integer, part integer, series integer, seq integer,
    members blob not null,      -- sorted signed 64-bit hashes, little endian; or a sketch where seq = -1
    primary key (metric, pane, epoch, part, series, seq)
) without rowid;

create table buckets (
    metric integer, pane integer, series integer, part integer, bucket integer,
    n integer not null,
    primary key (metric, pane, series, part, bucket)
) without rowid;

create table keys (
    metric integer, epoch integer, key blob not null,
    primary key (metric, epoch)
) without rowid;

create table outbox (
    sink text, metric text, pane integer,
    points blob not null,       -- packed; replaced while nothing of it has left
    count integer not null,
    created integer not null,   -- us, wall clock
    primary key (sink, metric, pane)
) without rowid;

create table requests (
    id integer primary key autoincrement,
    sink text not null,
    payload blob not null,      -- zlib; frozen before its first byte leaves
    count integer not null,     -- points
    created integer not null,   -- us, wall clock
    boot integer not null,      -- epoch of the runner that froze it; another one's is ambiguous
    attempts integer not null default 0
);
create index requests_by_sink on requests (sink, id);

create table dead (
    id integer primary key autoincrement,
    sink text not null,
    reason text not null,
    payload blob not null,
    count integer not null,
    created integer not null
);

create table counters (
    name text, labels text,     -- labels: canonical JSON
    value integer not null,
    primary key (name, labels)
) without rowid;
"""

# Nobody could retry the first dead letters: they were bytes for a sink, and only `local` ever refused any.
_SENDING = """
drop table dead;

create table claimed (          -- what is in a request: to be kept apart if it is refused, or overtaken
    request integer, metric text, pane integer,
    points blob not null,       -- packed
    count integer not null,
    primary key (request, metric, pane)
) without rowid;

create table fenced (           -- windows of which a former value may still arrive
    sink text, metric text, pane integer,
    until integer not null,     -- us, wall clock
    points blob,                -- packed; the newest that was sent since, NULL if nothing was
    count integer not null,
    primary key (sink, metric, pane)
) without rowid;

create table letters (          -- points that a sink can never store
    sink text, metric text, pane integer, reason text,
    points blob not null,       -- packed
    count integer not null,
    created integer not null,   -- us, wall clock
    primary key (sink, metric, pane, reason)
) without rowid;
"""

# After days without a sink what waits is hundreds of megabytes, which no question about it may read.
_IN_ORDER = """
alter table outbox add column size integer not null default 0;

update outbox set size = length(points);

create index outbox_in_order on outbox (sink, pane, metric, count, size, created);
"""

_OWNERS = """
-- of states from before back-fills nobody knows which window was shown first: none of theirs may be claimed
insert or ignore into meta
    select 'first_window:' || name, -4611686018427387904 from metrics where watermark is not null;
"""

_TOTALS = """
create table sampled (          -- series of totals, as a sink of samples knows them
    sink text, metric text,
    labels text,                -- canonical JSON
    time integer,               -- us; of the newest sample, NULL if there is none
    active integer not null,    -- us; end of the window with which it grew last
    live integer not null,      -- it has a sample with every window
    origin integer not null,    -- the definition that counts it
    sent text,                  -- JSON of the values of the newest sample, NULL if there is none
    due text,                   -- JSON of newer values that have no sample yet, NULL if there are none
    former text,                -- what `sent` was before the request that is under way
    primary key (sink, metric, labels)
) without rowid;

create index live_samples on sampled (sink, metric) where live;
"""

_CROWDS = """
create table crowds (           -- members of the sets of rolling metrics; of older panes, who was last seen there
    metric integer, pane integer, epoch integer, part integer, seq integer,
    members blob not null,      -- sorted, then the series of each (`pegel.crowd.Crowd.pack`)
    primary key (metric, pane, epoch, part, seq)
) without rowid;
"""

_TOUCHED = """
create table touched (          -- streams whose source waits until their effect is safe
    source text, stream text,
    first integer not null, last integer not null, -- us; event times in it
    turn integer not null,      -- number of the newest commit with records of it
    done integer not null,
    closed integer,             -- number of the commit with which all its windows had closed
    primary key (source, stream)
) without rowid;
"""

# What waits in states from before is older than every commit: it holds back what is to be released until it is sent.
_TURNS = """
-- the number of the oldest commit of which something is in it
alter table outbox add column turn integer not null default 0;

alter table requests add column turn integer not null default 0;

create index outbox_by_turn on outbox (sink, turn);

create index requests_by_turn on requests (sink, turn);
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _SENDING, _IN_ORDER, _OWNERS, _TOTALS, _CROWDS, _TOUCHED, _TURNS)


def migrate(connection: sqlite3.Connection, to: int = len(MIGRATIONS)) -> None:
    """Bring the file to this program's schema (or to an older one, if it is older yet), one version a transaction.

    Raises:
        StateError: The file was written by a newer program.
    """
    (version,) = connection.execute("pragma user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StateError(
            f"state.db has schema {version}, this program knows up to {len(MIGRATIONS)};"
            " use the newer pegel that wrote it"
        )
    for number, script in enumerate(MIGRATIONS[version:to], version + 1):
        connection.execute("begin immediate")
        try:
            for statement in script.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"pragma user_version = {number}")
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")
