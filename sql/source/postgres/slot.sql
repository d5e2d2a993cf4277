-- Our slot ($1) and who holds it.
SELECT s.plugin::text, s.database::text, s.active_pid, a.application_name,
       s.wal_status, s.confirmed_flush_lsn::text AS confirmed,
       s.safe_wal_size
FROM pg_catalog.pg_replication_slots s
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
WHERE s.slot_name = $1
