-- The event log of some batches. Everything as text that other engines have no type for.
SELECT sequence, id::VARCHAR AS id, type, entity, key, time, batch, correlation,
    old::VARCHAR AS old, new::VARCHAR AS new, changed::VARCHAR AS changed, install
FROM ops.event
WHERE batch > {after} AND batch <= {upto}
ORDER BY sequence
