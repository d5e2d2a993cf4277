-- What kind of server this is, and whether our account can live there. CASE decides in order: to
-- name a table in a schema one may not use is an error.
WITH account AS (
    SELECT (SELECT oid FROM pg_namespace WHERE nspname = '_trueup') AS schema
)
SELECT current_setting('server_version_num')::integer AS version,
       current_setting('server_version') AS version_text,
       pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS is_read_only,
       current_setting('server_encoding') AS encoding,
       current_user::text AS role,
       schema IS NOT NULL AS has_account,
       CASE
           WHEN schema IS NULL THEN has_database_privilege(current_database(), 'CREATE')
           WHEN NOT has_schema_privilege(schema, 'USAGE') THEN false
           WHEN to_regclass('_trueup.cursor') IS NULL
                OR to_regclass('_trueup.hole') IS NULL
                OR to_regclass('_trueup.baseline') IS NULL
           THEN has_schema_privilege(schema, 'CREATE')
           ELSE (SELECT bool_and(has_table_privilege(c.oid, p.name))
                 FROM pg_class c
                 CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p(name)
                 WHERE c.relnamespace = schema AND c.relname IN ('cursor', 'hole', 'baseline'))
       END AS may_account
FROM account
