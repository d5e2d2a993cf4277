-- Bytes of log that the server keeps because we have not confirmed them ($1: the slot). Not what it
-- keeps for transactions of its own that are still open: nobody but them can end that.
SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.confirmed_flush_lsn)::bigint
FROM pg_catalog.pg_replication_slots s
WHERE s.slot_name = $1
