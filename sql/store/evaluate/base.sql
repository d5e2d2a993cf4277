-- Where evaluation keeps its results.
CREATE SCHEMA IF NOT EXISTS contrib;
CREATE SCHEMA IF NOT EXISTS canon;
CREATE SCHEMA IF NOT EXISTS history;
CREATE SCHEMA IF NOT EXISTS ops;
-- Mappings that are left out. They stop nothing else; each comes back with a full evaluation.
CREATE TABLE IF NOT EXISTS ops.parked (
    source      VARCHAR NOT NULL,
    entity      VARCHAR NOT NULL,
    state       VARCHAR NOT NULL,  -- unfit: its tables or columns are not there; failed: while it
                                   -- ran; waiting: nothing is wrong, the evaluation is to come
    cause       VARCHAR,           -- why, unless it only waits
    contributes BOOLEAN NOT NULL,  -- what it contributed before is whole and counts on
    batch       UBIGINT            -- in which batch it failed
);
