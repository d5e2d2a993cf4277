-- The oldest transactions that write, prepared ones included: who a fence waits for.
SELECT w.xid, w.who, w.age_secs
FROM (
    SELECT a.backend_xid::text AS xid, pg_catalog.age(a.backend_xid) AS age,
           'pid ' || a.pid || coalesce(', application ' || nullif(a.application_name, ''), '')
               || coalesce(', user ' || a.usename, '') AS who,
           extract(epoch FROM clock_timestamp() - a.xact_start)::bigint AS age_secs
    FROM pg_catalog.pg_stat_activity a
    WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
    UNION ALL
    SELECT p.transaction::text, pg_catalog.age(p.transaction),
           'prepared transaction ' || pg_catalog.quote_literal(p.gid) || ', user ' || p.owner,
           extract(epoch FROM clock_timestamp() - p.prepared)::bigint
    FROM pg_catalog.pg_prepared_xacts p
) w
ORDER BY w.age DESC
LIMIT 1
