-- What an operator, an analyst or an auditor asks about the daemon itself. The views unfold what the
-- process knows at the moment of the question: `trueup_now(topic)` gives a JSON array.

-- One commit for all of it, at each opening of the store.
BEGIN TRANSACTION;

CREATE OR REPLACE VIEW ops.source AS
SELECT s.name AS source, s.kind, s.state, s.lag_seconds, s.lag_bytes, s.position,
    coalesce(s.copy.tables_done, s.copy.tables_total) AS copy_tables_done,
    s.copy.tables_total AS copy_tables_total, s.copy.rows_copied AS copy_rows,
    s.message, s.hint
FROM (
    SELECT unnest(from_json(trueup_now('sources'), '[{"name": "VARCHAR", "kind": "VARCHAR",
        "state": "VARCHAR", "lag_seconds": "DOUBLE", "lag_bytes": "UBIGINT", "position": "VARCHAR",
        "copy": {"tables_done": "UBIGINT", "tables_total": "UBIGINT", "rows_copied": "UBIGINT"},
        "message": "VARCHAR", "hint": "VARCHAR"}]')) AS s
);
COMMENT ON VIEW ops.source IS 'The systems that changes come from, now';
COMMENT ON COLUMN ops.source.source IS 'Name in the configuration; also the schema of its mirror';
COMMENT ON COLUMN ops.source.kind IS 'postgres or mariadb';
COMMENT ON COLUMN ops.source.state IS
    'preparing, copying, streaming, retrying, paused, or gap: changes may be lost';
COMMENT ON COLUMN ops.source.lag_seconds IS
    'Seconds since the end of its log was where we are; 0 when everything is read';
COMMENT ON COLUMN ops.source.lag_bytes IS 'Bytes of its log that are not read yet; PostgreSQL only';
COMMENT ON COLUMN ops.source.position IS 'End of the last transaction in the capture log';
COMMENT ON COLUMN ops.source.copy_tables_done IS 'Tables copied, while there is a copy';
COMMENT ON COLUMN ops.source.copy_tables_total IS 'Tables to be copied, while there is a copy';
COMMENT ON COLUMN ops.source.copy_rows IS 'Rows copied, while there is a copy';
COMMENT ON COLUMN ops.source.message IS 'What is wrong; NULL if nothing is';
COMMENT ON COLUMN ops.source.hint IS 'What to do about it';

CREATE OR REPLACE VIEW ops.freshness AS
SELECT f.source,
    CASE
        WHEN f.lag_seconds IS NULL THEN NULL
        WHEN f.behind_entries = 0
            THEN make_timestamp(epoch_us(now()) - (f.lag_seconds * 1000000)::BIGINT)
        ELSE least(f.last_batch_at,
            make_timestamp(epoch_us(now()) - (f.lag_seconds * 1000000)::BIGINT))
    END AS complete_until,
    f.lag_seconds, f.behind_entries, f.state
FROM (
    SELECT unnest(from_json(trueup_now('freshness'), '[{"source": "VARCHAR", "state": "VARCHAR",
        "lag_seconds": "DOUBLE", "behind_entries": "UBIGINT", "last_batch_at": "TIMESTAMP"}]')) AS f
);
COMMENT ON VIEW ops.freshness IS 'How fresh the store is, by source';
COMMENT ON COLUMN ops.freshness.source IS 'Name in the configuration';
COMMENT ON COLUMN ops.freshness.complete_until IS
    'Everything that the source committed before is in the store, UTC; NULL: not known yet';
COMMENT ON COLUMN ops.freshness.lag_seconds IS 'Seconds that capture is behind the source';
COMMENT ON COLUMN ops.freshness.behind_entries IS
    'Entries of the capture log, of all sources, that the store does not have yet';
COMMENT ON COLUMN ops.freshness.state IS 'As in ops.source: only streaming is good';

CREATE OR REPLACE VIEW ops.entity AS
SELECT e.name AS entity, e.rows, e.ready, e.verified_at, e.mismatches
FROM (
    SELECT unnest(from_json(trueup_now('entities'), '[{"name": "VARCHAR", "rows": "UBIGINT",
        "ready": "BOOLEAN", "verified_at": "TIMESTAMP", "mismatches": "UBIGINT"}]')) AS e
);
COMMENT ON VIEW ops.entity IS 'The canonical entities, now';
COMMENT ON COLUMN ops.entity.entity IS 'Name; its rows are canon.<name>, its past history.<name>';
COMMENT ON COLUMN ops.entity.rows IS 'Rows in canon';
COMMENT ON COLUMN ops.entity.ready IS 'Whether all its sources are copied: its changes are events';
COMMENT ON COLUMN ops.entity.verified_at IS
    'When its rows were last held against a full evaluation, UTC; NULL: not in this process';
COMMENT ON COLUMN ops.entity.mismatches IS 'Rows that were not what that gave';

CREATE OR REPLACE VIEW ops.delivery AS
SELECT t.name AS target, t.state, t.queue_events, t.oldest_seconds, t.cursor AS settled_event,
    t.parked, t.dead, t.message, t.hint
FROM (
    SELECT unnest(from_json(trueup_now('targets'), '[{"name": "VARCHAR", "state": "VARCHAR",
        "queue_events": "UBIGINT", "oldest_seconds": "DOUBLE", "cursor": "UBIGINT",
        "parked": "UBIGINT", "dead": "UBIGINT", "message": "VARCHAR", "hint": "VARCHAR"}]')) AS t
);
COMMENT ON VIEW ops.delivery IS 'The systems that events go to, now';
COMMENT ON COLUMN ops.delivery.target IS 'Name in the configuration';
COMMENT ON COLUMN ops.delivery.state IS
    'opening, baseline, delivering, retrying, paused, or gap: a person must act';
COMMENT ON COLUMN ops.delivery.queue_events IS 'Events that it has not settled';
COMMENT ON COLUMN ops.delivery.oldest_seconds IS 'Age of the oldest of them';
COMMENT ON COLUMN ops.delivery.settled_event IS
    'Everything up to this event of ops.event is applied, but for what is parked';
COMMENT ON COLUMN ops.delivery.parked IS 'Events that wait for another try or another row';
COMMENT ON COLUMN ops.delivery.dead IS 'Events that need a person: ops.dead_letter';
COMMENT ON COLUMN ops.delivery.message IS 'What is wrong; NULL if nothing is';
COMMENT ON COLUMN ops.delivery.hint IS 'What to do about it';

CREATE OR REPLACE VIEW ops.dead_letter AS
SELECT d.target, d.entity, d.key, d.sequence AS event, d.class, d.words, d.attempts, d.since
FROM (
    SELECT unnest(from_json(trueup_now('dead_letters'), '[{"target": "VARCHAR",
        "entity": "VARCHAR", "key": "VARCHAR", "sequence": "UBIGINT", "class": "VARCHAR",
        "words": "VARCHAR", "attempts": "UINTEGER", "since": "TIMESTAMP"}]')) AS d
);
COMMENT ON VIEW ops.dead_letter IS 'Events that a target refuses and that need a person';
COMMENT ON COLUMN ops.dead_letter.target IS 'Who refuses it';
COMMENT ON COLUMN ops.dead_letter.entity IS 'Canonical entity';
COMMENT ON COLUMN ops.dead_letter.key IS 'Canonical key; parts joined by |';
COMMENT ON COLUMN ops.dead_letter.event IS 'Sequence in ops.event; 0 for a row of the first copy';
COMMENT ON COLUMN ops.dead_letter.class IS 'rejected, dependency, unique, transient …';
COMMENT ON COLUMN ops.dead_letter.words IS 'The words of the target, without row values';
COMMENT ON COLUMN ops.dead_letter.attempts IS 'How often it was tried';
COMMENT ON COLUMN ops.dead_letter.since IS 'When it was first refused, UTC';

CREATE OR REPLACE VIEW ops.kpi AS
SELECT k.kpi, k.metric, k.help, k.unit, k.every_seconds, k.state, k.computed_at, k.took_seconds,
    k.series, k.message, k.hint
FROM (
    SELECT unnest(from_json(trueup_now('kpis'), '[{"kpi": "VARCHAR", "metric": "VARCHAR",
        "help": "VARCHAR", "unit": "VARCHAR", "every_seconds": "UBIGINT", "state": "VARCHAR",
        "computed_at": "TIMESTAMP", "took_seconds": "DOUBLE", "series": "UBIGINT",
        "message": "VARCHAR", "hint": "VARCHAR"}]')) AS k
);
COMMENT ON VIEW ops.kpi IS 'The key figures and how their computation is';
COMMENT ON COLUMN ops.kpi.kpi IS 'Name: that of its file in sql/kpi';
COMMENT ON COLUMN ops.kpi.metric IS 'Its metric at /metrics';
COMMENT ON COLUMN ops.kpi.help IS 'What it says';
COMMENT ON COLUMN ops.kpi.unit IS 'What it counts in';
COMMENT ON COLUMN ops.kpi.every_seconds IS 'How often it is computed';
COMMENT ON COLUMN ops.kpi.state IS 'computed, failing, or waiting for an entity that it reads';
COMMENT ON COLUMN ops.kpi.computed_at IS 'When it was last computed, UTC';
COMMENT ON COLUMN ops.kpi.took_seconds IS 'How long that took';
COMMENT ON COLUMN ops.kpi.series IS 'Series it then had';
COMMENT ON COLUMN ops.kpi.message IS 'Why it fails';
COMMENT ON COLUMN ops.kpi.hint IS 'What to do about it';

COMMIT;
