-- What readers of a new segment need from the one before it (attached as `previous`):
-- the tables in force, where each source stands, and how far its copies are.

INSERT INTO schema_history
SELECT source, table_id, seq, body FROM previous.schema_history AS h
WHERE seq = (SELECT max(seq) FROM previous.schema_history AS n
             WHERE n.source = h.source AND n.table_id = h.table_id);

INSERT INTO source_position SELECT source, position, witness FROM previous.source_position;

INSERT INTO copy_progress
SELECT source, table_name, next_after, state, row_count FROM previous.copy_progress;
