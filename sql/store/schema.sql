-- The store's own tables. What people look at is made by the modules that fill it; this is what
-- the store must know to go on after a crash. No keys and no indexes: one writer, DELETE + INSERT.

CREATE SCHEMA IF NOT EXISTS ops;
CREATE SCHEMA IF NOT EXISTS changes;
CREATE SCHEMA IF NOT EXISTS track;

-- The store's mark: the last batch it has. Appended in the batch's own transaction; the newest
-- row counts, older ones are removed now and then.
CREATE TABLE IF NOT EXISTS ops.mark (
    batch          UBIGINT   NOT NULL,  -- id of the batch in the ledger
    journal_seq    UBIGINT   NOT NULL,  -- everything that ends at or before it is conformed
    event_sequence UBIGINT   NOT NULL,  -- the last event of this and all earlier batches
    as_of          TIMESTAMP NOT NULL   -- the batch's time, UTC
);

-- The mirrored tables and where their copy stands.
CREATE TABLE IF NOT EXISTS ops.mirror_table (
    source       VARCHAR NOT NULL,
    table_schema VARCHAR NOT NULL,      -- as the source names it
    table_name   VARCHAR NOT NULL,
    mirror_name  VARCHAR NOT NULL,      -- the table in the DuckDB schema named like the source
    state        VARCHAR NOT NULL,      -- copying, done, left
    truncated    VARCHAR,               -- the last TRUNCATE since the copy began, as a transaction id
    body         VARCHAR NOT NULL       -- the columns as the mirror keeps them, JSON
);

-- What foreign keys did to rows of tables that are being copied, until their copy is done: rows of
-- a chunk that could not see it are changed likewise.
CREATE TABLE IF NOT EXISTS ops.hidden_change (
    source       VARCHAR NOT NULL,
    table_schema VARCHAR NOT NULL,
    table_name   VARCHAR NOT NULL,      -- the referring table
    number       BIGINT  NOT NULL,      -- the order of the log
    transaction  VARCHAR NOT NULL,      -- of the parent's change
    places       VARCHAR NOT NULL,      -- of the referring columns
    referred     VARCHAR NOT NULL,      -- what they referred by, encoded
    became       VARCHAR,               -- what they refer by now, encoded; NULL: the rows went
    ignores_case BOOLEAN NOT NULL       -- how the two are compared
);

-- XA transactions whose rows are in the journal and that are neither committed nor rolled back.
CREATE TABLE IF NOT EXISTS ops.prepared_xa (
    source    VARCHAR NOT NULL,
    xid       VARCHAR NOT NULL,         -- its identity, encoded
    first_seq UBIGINT NOT NULL,         -- the journal entries that hold its rows: they stay
    seq       UBIGINT NOT NULL
);

-- Sources whose tables were all copied once: from then on their changes are events.
CREATE TABLE IF NOT EXISTS ops.source_ready (
    source VARCHAR NOT NULL
);

-- Entities all of whose sources are ready: from then on their differences are events. What was
-- there at that moment is the baseline, which every target reads from canon.
CREATE TABLE IF NOT EXISTS ops.entity_ready (
    entity VARCHAR NOT NULL
);
