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

-- The transaction in whose middle the store is: one that is too large for a batch is taken in slices.
-- At most one row, none most of the time. Until it is gone, mirror and canon are a mixture that no
-- moment of the source ever was.
CREATE TABLE IF NOT EXISTS ops.open_transaction (
    source          VARCHAR   NOT NULL,
    first_entry     UBIGINT   NOT NULL,  -- the journal entries of its parts
    last_entry      UBIGINT   NOT NULL,
    conformed_entry UBIGINT   NOT NULL,  -- its parts up to this entry are conformed
    batch_first     UBIGINT   NOT NULL,  -- the batch of its first slice
    since           TIMESTAMP NOT NULL   -- that batch's time, UTC
);

-- The mirrored tables and where their copy stands.
CREATE TABLE IF NOT EXISTS ops.mirror_table (
    source       VARCHAR NOT NULL,
    table_schema VARCHAR NOT NULL,      -- as the source names it
    table_name   VARCHAR NOT NULL,
    mirror_name  VARCHAR NOT NULL,      -- the table in the DuckDB schema named like the source
    state        VARCHAR NOT NULL,      -- copying, done, resync, outdated, left
    truncated    VARCHAR,               -- the last TRUNCATE since the copy began, as a transaction id
    body         VARCHAR NOT NULL       -- the columns as the mirror keeps them, JSON
);

-- Tables that are or were copied again, and what that mended.
CREATE TABLE IF NOT EXISTS ops.resync (
    source       VARCHAR   NOT NULL,
    table_name   VARCHAR   NOT NULL,    -- as the source names it, with its schema
    state        VARCHAR   NOT NULL,    -- running, done, stopped: given up before its end
    began_at     TIMESTAMP NOT NULL,    -- UTC
    ended_at     TIMESTAMP,             -- UTC; NULL: running
    rows_read    BIGINT    NOT NULL,    -- rows of the source that were held against the mirror
    rows_mended  BIGINT    NOT NULL,    -- those that the mirror did not have, or not as they are
    rows_removed BIGINT    NOT NULL     -- rows of the mirror that the source does not have
);

-- Tables whose columns changed in a way that no log tells, or whose rows could not be read: cells of their
-- mirrors are guesses until they were copied again. Mappings that wait for their columns wait until then.
CREATE TABLE IF NOT EXISTS ops.unproven (
    source       VARCHAR NOT NULL,
    table_name   VARCHAR NOT NULL,      -- as the source names it, with its schema
    columns      VARCHAR NOT NULL,      -- which changed
    copying      BOOLEAN NOT NULL       -- a resync that began after the change is under way
);

-- While a table is copied again: the transaction that was the first to show its columns as they are. A
-- chunk that does not see it was read before, and does not change the mirror's columns.
CREATE TABLE IF NOT EXISTS ops.reshaped (
    source      VARCHAR NOT NULL,
    table_name  VARCHAR NOT NULL,
    transaction VARCHAR NOT NULL
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

-- The event log: what changed about every canonical row, in order. Only appended to.
CREATE TABLE IF NOT EXISTS ops.event (
    sequence    UBIGINT   NOT NULL,  -- place in the order of all events; the queue's number
    id          UUID      NOT NULL,  -- of install, entity, key and sequence; never used twice
    type        VARCHAR   NOT NULL,  -- trueup.<entity>.<created|updated|deleted>
    entity      VARCHAR   NOT NULL,
    key         VARCHAR   NOT NULL,  -- the canonical key; parts of a composite key joined by |
    time        TIMESTAMP NOT NULL,  -- commit of the newest source change that went into it, UTC
    batch       UBIGINT   NOT NULL,  -- the batch that made it
    correlation VARCHAR   NOT NULL,  -- the same for all events of one business chain
    old         JSON,                -- the row before; NULL if it was created
    new         JSON,                -- the row after; NULL if it was deleted
    changed     JSON      NOT NULL,  -- names of the attributes that differ, if both are there
    install     VARCHAR   NOT NULL   -- the install that made it; a CloudEvent's source names it
);

-- The same as CloudEvents 1.0, structured mode.
CREATE OR REPLACE VIEW ops.cloud_event AS
SELECT sequence, id, type, entity || '/' || key AS subject, time,
    json_object(
        'specversion', '1.0',
        'id', id::VARCHAR,
        'source', 'urn:trueup:' || install,
        'type', type,
        'subject', entity || '/' || key,
        'time', rtrim(rtrim(strftime(time, '%Y-%m-%dT%H:%M:%S.%f'), '0'), '.') || 'Z',
        'datacontenttype', 'application/json',
        'correlationid', correlation,
        'sequence', lpad(sequence::VARCHAR, 20, '0'),
        'data', json_object('old', old, 'new', new, 'changed', changed)
    ) AS event
FROM ops.event;
