-- What `check` looks at besides tables, slot and publication.
SELECT pg_catalog.current_setting('max_replication_slots')::int AS slots_max,
       (SELECT count(*) FROM pg_catalog.pg_replication_slots) AS slots_used,
       pg_catalog.current_setting('max_wal_senders')::int AS senders_max,
       (SELECT count(*) FROM pg_catalog.pg_stat_replication) AS senders_used,
       pg_catalog.current_setting('max_slot_wal_keep_size') AS keep_size,
       (SELECT count(*) FROM pg_catalog.pg_prepared_xacts) AS prepared,
       r.rolname::text AS role,
       r.rolreplication OR r.rolsuper AS may_replicate,
       r.rolbypassrls OR r.rolsuper AS passes_row_security,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') AS may_create
FROM pg_catalog.pg_roles r
WHERE r.rolname = current_user
