-- One target table as the session's role sees it. $1: the name, quoted, with or without schema.
SELECT c.oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relkind::text AS kind,
       current_user::text AS role,
       has_table_privilege(c.oid, 'DELETE') AS may_delete
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass($1)::oid
