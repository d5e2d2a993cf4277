-- Trueup's account in a target database. Safe to run again. To make it by hand, run this file as
-- the role Trueup logs in with, or as another one that then grants USAGE on the schema and
-- SELECT, INSERT, UPDATE, DELETE on its tables.
--
-- An event is applied if its number is at or below `cursor.seq` and it has no row in `hole`.
-- Both change in the same transaction as the data, so they are true whatever crashes.

-- Two targets of one database may be opened at the same moment.
SELECT pg_advisory_xact_lock(hashtext('_trueup schema'));

-- Not CREATE SCHEMA IF NOT EXISTS: that asks for the right to create one even if it is there, and
-- an administrator may have made it for us.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = '_trueup') THEN
        CREATE SCHEMA _trueup;
        COMMENT ON SCHEMA _trueup IS
            'Which events of Trueup this database has. Do not edit: rows would be lost or written twice. If Trueup is gone for good, drop it.';
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS _trueup.cursor (
    install   text        NOT NULL,
    target    text        NOT NULL,
    epoch     bigint      NOT NULL,
    holder    text        NOT NULL,
    seq       bigint      NOT NULL,
    backend   integer     NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (install, target)
);
COMMENT ON TABLE _trueup.cursor IS 'How far delivery has come, one row per installation and target.';
COMMENT ON COLUMN _trueup.cursor.install IS 'The installation of Trueup (a UUID in its state folder).';
COMMENT ON COLUMN _trueup.cursor.target IS 'The name of this target in its configuration.';
COMMENT ON COLUMN _trueup.cursor.epoch IS 'Raised by each start; a process with an older one is refused.';
COMMENT ON COLUMN _trueup.cursor.holder IS 'A token that only the state folder of the daemon that was here last knows; a copy of an older one is refused.';
COMMENT ON COLUMN _trueup.cursor.seq IS 'Every event up to this number is applied, but for the holes.';
COMMENT ON COLUMN _trueup.cursor.backend IS 'The server process of the session that raised the epoch.';
COMMENT ON COLUMN _trueup.cursor.opened_at IS 'When the epoch was raised.';

CREATE TABLE IF NOT EXISTS _trueup.hole (
    install text   NOT NULL,
    target  text   NOT NULL,
    seq     bigint NOT NULL,
    entity  text   NOT NULL,
    key     text   NOT NULL,
    PRIMARY KEY (install, target, seq, entity, key)
);
COMMENT ON TABLE _trueup.hole IS
    'Events below the cursor that are not applied: refused by this database, or waiting behind one that was.';
COMMENT ON COLUMN _trueup.hole.seq IS 'The event; 0 for a row of the first fill.';
COMMENT ON COLUMN _trueup.hole.entity IS 'Its kind of business record.';
COMMENT ON COLUMN _trueup.hole.key IS 'The business key of the record.';

CREATE TABLE IF NOT EXISTS _trueup.baseline (
    install     text    NOT NULL,
    target      text    NOT NULL,
    entity      text    NOT NULL,
    through_key text,
    done        boolean NOT NULL,
    PRIMARY KEY (install, target, entity)
);
COMMENT ON TABLE _trueup.baseline IS
    'The first fill: rows that were there before the first event, per kind of business record.';
COMMENT ON COLUMN _trueup.baseline.through_key IS 'Keys up to and including this one have been written.';
COMMENT ON COLUMN _trueup.baseline.done IS 'All of them have.';
