-- One journal segment: what the sources sent, in the only order there is across sources.
-- Everything that must agree with an entry lies beside it and is written in its transaction;
-- what a later reader needs from earlier segments is carried over when a segment begins.

CREATE TABLE entry (
    seq      INTEGER PRIMARY KEY,   -- counts up over all segments, never used twice
    source   TEXT    NOT NULL,
    kind     INTEGER NOT NULL,      -- 0 log, 1 copy, 2 control
    first    INTEGER NOT NULL,      -- the entry with which this transaction begins (= seq if it fits one)
    ends     INTEGER NOT NULL,      -- 1: the transaction is whole with this entry
    position TEXT,                  -- where the source's log continues after it; NULL unless it ends
    at       INTEGER NOT NULL,      -- when it was journaled, microseconds since 1970-01-01 UTC
    bytes    BLOB    NOT NULL
);

-- Transactions larger than one entry: what of them must stay is looked for often.
CREATE INDEX entry_spanning ON entry (seq, first) WHERE first < seq;

-- Tables as they were from an entry on. Bodies are JSON of `change::Table`.
CREATE TABLE schema_history (
    source   TEXT    NOT NULL,
    table_id TEXT    NOT NULL,      -- text: 64 bits unsigned
    seq      INTEGER NOT NULL,
    body     TEXT    NOT NULL
);

-- Up to where each source is journaled and may be confirmed, keepalives included.
CREATE TABLE source_position (
    source   TEXT PRIMARY KEY,
    position TEXT NOT NULL,
    witness  TEXT                   -- what the last transaction before it looked like
);

-- How far each table's copy is journaled.
CREATE TABLE copy_progress (
    source     TEXT NOT NULL,
    table_name TEXT NOT NULL,
    next_after BLOB,                -- key after which the next chunk begins; NULL: from the start
    state      INTEGER NOT NULL,    -- 0 chunks are missing, 1 all chunks are in, 2 done; + 4 resync
    row_count  INTEGER NOT NULL,
    PRIMARY KEY (source, table_name)
);
