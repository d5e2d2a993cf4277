-- The ledger beside the journal: what was decided, and what is owed to whom.

-- Facts about this install: `install`, `format`.
CREATE TABLE IF NOT EXISTS fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- What is known about each source; a gap stays here until a person had it mended.
CREATE TABLE IF NOT EXISTS source (
    name     TEXT PRIMARY KEY,
    identity TEXT,
    fence    TEXT,                  -- from when on a copy's chunks count; see source::Fence
    gap      TEXT                   -- why changes may be lost; NULL: none
);

-- Of what the tables of a source consisted when they were looked at last (partitions).
CREATE TABLE IF NOT EXISTS source_table (
    source     TEXT NOT NULL,
    table_name TEXT NOT NULL,
    identity   TEXT NOT NULL,       -- of the table
    parts      TEXT NOT NULL,       -- of what it consists of
    PRIMARY KEY (source, table_name)
);

-- Journal entries of a source that are left out, now and in every replay: what the first of them holds
-- cannot be conformed.
CREATE TABLE IF NOT EXISTS standstill (
    source TEXT    NOT NULL,
    first  INTEGER NOT NULL,        -- the entry with which the first transaction that is left out begins
    after  INTEGER NOT NULL,        -- its entries up to here were conformed, in slices; 0: none
    upto   INTEGER                  -- the entry with which the source's log begins anew; NULL: not yet
);

-- Rows of a source's log that the decoder could not read, byte for byte.
CREATE TABLE IF NOT EXISTS unread (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    source     TEXT    NOT NULL,
    table_name TEXT    NOT NULL,
    position   TEXT    NOT NULL,    -- where the log continues after the transaction
    seq        INTEGER NOT NULL,    -- the journal entry that ends it
    at         INTEGER NOT NULL,    -- its commit, microseconds since 1970-01-01 UTC
    why        TEXT    NOT NULL,
    frames     BLOB    NOT NULL     -- as in a journal entry, with the schema in front
);

-- A batch is decided here before the store commits it; a store that is behind replays it with
-- the same borders, the same time and the same mappings.
CREATE TABLE IF NOT EXISTS batch (
    id          INTEGER PRIMARY KEY,
    seq_after   INTEGER NOT NULL,   -- journal entries ending in (seq_after, seq_upto]
    seq_upto    INTEGER NOT NULL,
    as_of       INTEGER NOT NULL,   -- microseconds since 1970-01-01 UTC
    mappings    TEXT    NOT NULL,   -- hash of the mapping set
    event_first INTEGER NOT NULL,   -- the events it made; event_last < event_first if none
    event_last  INTEGER NOT NULL,
    digest      TEXT    NOT NULL    -- sha256 over the events; a replay must reproduce it
);

-- Batches that end within a transaction that is too large for one: the last of its journal entries
-- that they took. The transaction ends with the entry after the batch's seq_upto.
CREATE TABLE IF NOT EXISTS slice (
    batch INTEGER PRIMARY KEY,
    part  INTEGER NOT NULL
);

-- The outbox: events in order, in compressed blocks.
CREATE TABLE IF NOT EXISTS outbox_block (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    bytes BLOB    NOT NULL          -- zstd of JSON lines
);

-- Per target: how it knows this ledger from a copy of it, and what it was last known to have (a
-- copy of its own account).
CREATE TABLE IF NOT EXISTS target (
    name          TEXT PRIMARY KEY,
    epoch         INTEGER NOT NULL,  -- the last one used
    holder        TEXT,              -- the token it holds since we last opened it
    claim         TEXT,              -- the token of an opening whose outcome is not known
    newest_before INTEGER,           -- our last event before the first start since; NULL: none since
    cursor        INTEGER NOT NULL,
    gap           TEXT
);

-- Events a target does not have yet although its cursor has passed them.
CREATE TABLE IF NOT EXISTS parked (
    target   TEXT    NOT NULL,
    entity   TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    sequence INTEGER NOT NULL,      -- 0 for a baseline row: every key has one of its own
    state    TEXT    NOT NULL,      -- retrying, dead
    class    TEXT    NOT NULL,
    words    TEXT    NOT NULL,      -- the target's own, without row values
    attempts INTEGER NOT NULL,
    next_at  INTEGER NOT NULL,      -- microseconds since 1970-01-01 UTC
    since    INTEGER NOT NULL,
    PRIMARY KEY (target, entity, key, sequence)
) WITHOUT ROWID;

-- What was written to the archive: one folder per seal, with everything that the batches after the
-- one before it made. The digest is of its manifest, which holds those of its files.
CREATE TABLE IF NOT EXISTS seal (
    batch_upto  INTEGER PRIMARY KEY,  -- batches in (batch_after, batch_upto]
    batch_after INTEGER NOT NULL,
    event_upto  INTEGER NOT NULL,     -- the last event of them and of all earlier ones
    at          INTEGER NOT NULL,     -- microseconds since 1970-01-01 UTC
    folder      TEXT    NOT NULL,     -- its name in the archive
    entities    TEXT    NOT NULL,     -- whose rows are in it, in order, joined by a comma
    digest      TEXT    NOT NULL      -- sha256 of seal.json
);

-- Runs of workflows: from a source's commit to the acknowledgement of one target. Written before the
-- target is, so that a crash leaves none out.
CREATE TABLE IF NOT EXISTS workflow_run (
    target   TEXT    NOT NULL,
    workflow TEXT    NOT NULL,
    entity   TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    event    INTEGER NOT NULL,      -- the event that began it
    started  INTEGER NOT NULL,      -- the source's commit, microseconds since 1970-01-01 UTC
    complete INTEGER,               -- the event with all that it requires; NULL: something lacks
    done     INTEGER,               -- the acknowledgement, likewise; NULL: not yet
    outcome  TEXT,                  -- how it ends then: done, or gone: the row was deleted first
    PRIMARY KEY (target, workflow, key, event)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS workflow_run_open ON workflow_run (target) WHERE done IS NULL;
CREATE INDEX IF NOT EXISTS workflow_run_done ON workflow_run (done) WHERE done IS NOT NULL;

-- Rows in which two sides were found to differ, as the last comparison of their entity found them.
CREATE TABLE IF NOT EXISTS drift (
    pair        TEXT    NOT NULL,   -- source:<name> or target:<name>
    entity      TEXT    NOT NULL,   -- canonical entity, or table of the source
    key         TEXT    NOT NULL,
    class       TEXT    NOT NULL,   -- missing, extra, stale, diverged, duplicate
    columns     TEXT    NOT NULL,   -- names of the columns that differ, JSON
    expected    TEXT,               -- the columns as they must be, JSON; NULL: no row
    found       TEXT,               -- the columns as they are, JSON; NULL: no row
    source_rows TEXT,               -- where the expected row comes from, JSON
    first_seen  INTEGER NOT NULL,   -- microseconds since 1970-01-01 UTC
    last_seen   INTEGER NOT NULL,
    PRIMARY KEY (pair, entity, key)
) WITHOUT ROWID;

-- The last comparison of each entity.
CREATE TABLE IF NOT EXISTS comparison (
    pair      TEXT    NOT NULL,
    entity    TEXT    NOT NULL,
    at        INTEGER NOT NULL,     -- microseconds since 1970-01-01 UTC
    row_count INTEGER NOT NULL,     -- rows that were compared
    differing INTEGER NOT NULL,     -- rows that differ; table drift has so many of them as may be
    pending   INTEGER NOT NULL,     -- keys that are left out: parked in the target
    left_out  TEXT    NOT NULL,     -- columns that are not compared, JSON
    PRIMARY KEY (pair, entity)
) WITHOUT ROWID;
