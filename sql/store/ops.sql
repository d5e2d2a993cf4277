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

CREATE OR REPLACE VIEW ops.workflow_run AS
SELECT r.workflow, r.target, r.entity, r.key, r.event, r.started_at, r.done_at,
    CASE WHEN r.done_at IS NULL THEN 'open' ELSE r.outcome END AS state, r.sla_seconds
FROM (
    SELECT unnest(from_json(trueup_now('runs'), '[{"workflow": "VARCHAR", "target": "VARCHAR",
        "entity": "VARCHAR", "key": "VARCHAR", "event": "UBIGINT", "started_at": "TIMESTAMP",
        "done_at": "TIMESTAMP", "outcome": "VARCHAR", "sla_seconds": "BIGINT"}]')) AS r
);
COMMENT ON VIEW ops.workflow_run IS
    'Runs of workflows: from a commit in a source to the acknowledgement of a target';
COMMENT ON COLUMN ops.workflow_run.workflow IS 'Name in the configuration';
COMMENT ON COLUMN ops.workflow_run.target IS 'Where it ends';
COMMENT ON COLUMN ops.workflow_run.entity IS 'Canonical entity';
COMMENT ON COLUMN ops.workflow_run.key IS 'Canonical key; parts joined by |';
COMMENT ON COLUMN ops.workflow_run.event IS 'The event that began it: sequence in ops.event';
COMMENT ON COLUMN ops.workflow_run.started_at IS 'Commit in the source, UTC, by its clock';
COMMENT ON COLUMN ops.workflow_run.done_at IS 'Acknowledgement of the target, UTC; NULL: open';
COMMENT ON COLUMN ops.workflow_run.state IS 'open, done, or gone: the row was deleted first';
COMMENT ON COLUMN ops.workflow_run.sla_seconds IS 'Service level; NULL: none';

CREATE OR REPLACE VIEW ops.service_level AS
SELECT w.workflow, w.target, w.entity, w.sla_seconds,
    count(*) FILTER (r.state = 'done') AS done,
    count(*) FILTER (r.state = 'done' AND r.took_seconds > w.sla_seconds) AS missed,
    round(100.0 * count(*) FILTER (r.state = 'done' AND r.took_seconds <= w.sla_seconds)
        / nullif(count(*) FILTER (r.state = 'done'), 0), 2) AS within_percent,
    quantile_cont(r.took_seconds, 0.5) FILTER (r.state = 'done') AS p50_seconds,
    quantile_cont(r.took_seconds, 0.95) FILTER (r.state = 'done') AS p95_seconds,
    max(r.took_seconds) FILTER (r.state = 'done') AS max_seconds,
    count(*) FILTER (r.state = 'open') AS open,
    count(*) FILTER (r.state = 'open' AND r.took_seconds > w.sla_seconds) AS overdue
FROM (
    SELECT unnest(from_json(trueup_now('workflows'), '[{"workflow": "VARCHAR",
        "target": "VARCHAR", "entity": "VARCHAR", "sla_seconds": "BIGINT"}]'), recursive := true)
) AS w
LEFT JOIN (
    SELECT workflow, target, state,
        greatest(epoch_us(coalesce(done_at, now()::TIMESTAMP)) - epoch_us(started_at), 0)
            / 1000000 AS took_seconds
    FROM ops.workflow_run
) AS r ON r.workflow = w.workflow AND r.target = w.target
GROUP BY w.workflow, w.target, w.entity, w.sla_seconds;
COMMENT ON VIEW ops.service_level IS 'Service levels of workflows, over the runs that are kept';
COMMENT ON COLUMN ops.service_level.workflow IS 'Name in the configuration';
COMMENT ON COLUMN ops.service_level.target IS 'Where it ends';
COMMENT ON COLUMN ops.service_level.entity IS 'Canonical entity';
COMMENT ON COLUMN ops.service_level.sla_seconds IS 'Service level; NULL: none';
COMMENT ON COLUMN ops.service_level.done IS 'Runs that the target acknowledged';
COMMENT ON COLUMN ops.service_level.missed IS 'Those of them that took longer';
COMMENT ON COLUMN ops.service_level.within_percent IS 'Share of those that did not';
COMMENT ON COLUMN ops.service_level.p50_seconds IS 'Half of them took at most so long';
COMMENT ON COLUMN ops.service_level.p95_seconds IS '95 of 100 took at most so long';
COMMENT ON COLUMN ops.service_level.max_seconds IS 'The longest';
COMMENT ON COLUMN ops.service_level.open IS 'Runs that are not acknowledged yet';
COMMENT ON COLUMN ops.service_level.overdue IS 'Those of them that are late already';

CREATE OR REPLACE VIEW ops.drift AS
SELECT d.pair, d.entity, d.key, d.class, d.columns, d.expected::JSON AS expected,
    d.found::JSON AS found, d.source_rows::JSON AS source_rows, d.first_seen, d.last_seen
FROM (
    SELECT unnest(from_json(trueup_now('drift'), '[{"pair": "VARCHAR", "entity": "VARCHAR",
        "key": "VARCHAR", "class": "VARCHAR", "columns": ["VARCHAR"], "expected": "VARCHAR",
        "found": "VARCHAR", "source_rows": "VARCHAR", "first_seen": "TIMESTAMP",
        "last_seen": "TIMESTAMP"}]')) AS d
);
COMMENT ON VIEW ops.drift IS
    'Rows in which two sides differ, as their last comparison found them';
COMMENT ON COLUMN ops.drift.pair IS
    'source:<name>: a source and its mirror; target:<name>: the canonical rows and a target';
COMMENT ON COLUMN ops.drift.entity IS 'Canonical entity, or table of the source';
COMMENT ON COLUMN ops.drift.key IS 'Key of the row; parts joined by |';
COMMENT ON COLUMN ops.drift.class IS
    'missing, extra, stale: as it once was, diverged: as it never was, duplicate';
COMMENT ON COLUMN ops.drift.columns IS 'Names of the columns that differ';
COMMENT ON COLUMN ops.drift.expected IS 'The row as it must be; NULL: there must be none';
COMMENT ON COLUMN ops.drift.found IS 'The row as it is; NULL: there is none';
COMMENT ON COLUMN ops.drift.source_rows IS 'The rows of the sources that it comes from';
COMMENT ON COLUMN ops.drift.first_seen IS 'When it was first found to differ, UTC';
COMMENT ON COLUMN ops.drift.last_seen IS 'When it was last found to differ, UTC';

CREATE OR REPLACE VIEW ops.comparison AS
SELECT c.pair, c.entity, c.compared_at, c.rows, c.differing, c.pending, c.left_out, c.message
FROM (
    SELECT unnest(from_json(trueup_now('comparisons'), '[{"pair": "VARCHAR",
        "entity": "VARCHAR", "compared_at": "TIMESTAMP", "rows": "UBIGINT",
        "differing": "UBIGINT", "pending": "UBIGINT", "left_out": ["VARCHAR"],
        "message": "VARCHAR"}]')) AS c
);
COMMENT ON VIEW ops.comparison IS 'When each entity was last compared, and what came of it';
COMMENT ON COLUMN ops.comparison.pair IS 'As in ops.drift';
COMMENT ON COLUMN ops.comparison.entity IS 'As in ops.drift';
COMMENT ON COLUMN ops.comparison.compared_at IS 'UTC';
COMMENT ON COLUMN ops.comparison.rows IS 'Rows that were compared';
COMMENT ON COLUMN ops.comparison.differing IS 'Rows that differ; ops.drift has them';
COMMENT ON COLUMN ops.comparison.pending IS 'Keys that are left out: the target has them parked';
COMMENT ON COLUMN ops.comparison.left_out IS
    'Columns that are not compared: their types have no text that is the same everywhere';
COMMENT ON COLUMN ops.comparison.message IS 'Why the last comparison of the pair failed';

COMMENT ON TABLE ops.resync IS 'Tables that are or were copied again, and what that mended';
COMMENT ON COLUMN ops.resync.source IS 'Name in the configuration';
COMMENT ON COLUMN ops.resync.table_name IS 'As the source names it, with its schema';
COMMENT ON COLUMN ops.resync.state IS 'running, done, or stopped: given up before its end';
COMMENT ON COLUMN ops.resync.began_at IS 'UTC';
COMMENT ON COLUMN ops.resync.ended_at IS 'UTC; NULL: running';
COMMENT ON COLUMN ops.resync.rows_read IS 'Rows of the source that were held against the mirror';
COMMENT ON COLUMN ops.resync.rows_mended IS
    'Those that the mirror did not have, or not as they are';
COMMENT ON COLUMN ops.resync.rows_removed IS 'Rows of the mirror that the source does not have';

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

COMMENT ON TABLE ops.unproven IS
    'Tables that changed in a way that no log tells, or that could not be read: they are copied again, and proven by its end';
COMMENT ON COLUMN ops.unproven.source IS 'Name in the configuration';
COMMENT ON COLUMN ops.unproven.table_name IS 'As the source names it, with its schema';
COMMENT ON COLUMN ops.unproven.columns IS 'Which changed, or why not even that is known';
COMMENT ON COLUMN ops.unproven.copying IS 'A copy that began after the change is under way';
