-- Who the server is and what it can do. The identity survives restarts and renames, and changes
-- when the cluster or the database is made anew.
SELECT (pg_catalog.pg_control_system()).system_identifier::text || '/' || d.oid AS identity,
       pg_catalog.pg_is_in_recovery() AS is_standby,
       pg_catalog.current_setting('wal_level') AS wal_level,
       pg_catalog.current_setting('server_version_num')::int AS version,
       pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datname::text AS database,
       -- Where its log ends; a standby does not say.
       CASE WHEN NOT pg_catalog.pg_is_in_recovery()
            THEN pg_catalog.pg_current_wal_insert_lsn()::text END AS log_end
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()
