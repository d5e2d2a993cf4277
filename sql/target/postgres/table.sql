-- One target table as the session's role sees it. $1: its schema, or NULL for the search path;
-- $2: its name. By the catalog, because to_regclass fails for a schema one may not use.
SELECT c.oid,
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relkind::text AS kind,
       current_user::text AS role,
       has_schema_privilege(n.oid, 'USAGE') AS may_use,
       has_table_privilege(c.oid, 'DELETE') AS may_delete
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE CASE
          WHEN $1::text IS NULL THEN c.oid = to_regclass(quote_ident($2::text))::oid
          ELSE n.nspname = $1 AND c.relname = $2
      END
