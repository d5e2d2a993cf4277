-- Our publication ($1): what it covers in effect, and whether it does so completely.
SELECT p.puballtables AS all_tables,
       -- Row filters and column lists exist from PostgreSQL 15 on, hence by JSON.
       p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel r
                           WHERE r.prpubid = p.oid
                             AND (to_jsonb(r) ->> 'prqual' IS NOT NULL
                                  OR to_jsonb(r) ->> 'prattrs' IS NOT NULL)) AS is_complete,
       ARRAY(SELECT t.schemaname::text FROM pg_catalog.pg_publication_tables t
             WHERE t.pubname = p.pubname ORDER BY t.schemaname, t.tablename) AS schemas,
       ARRAY(SELECT t.tablename::text FROM pg_catalog.pg_publication_tables t
             WHERE t.pubname = p.pubname ORDER BY t.schemaname, t.tablename) AS names,
       pg_catalog.pg_has_role(p.pubowner, 'USAGE') AS is_owned,
       -- From PostgreSQL 18 on.
       coalesce(to_jsonb(p) ->> 'pubgencols' <> 'n', false) AS has_generated
FROM pg_catalog.pg_publication p
WHERE p.pubname = $1
