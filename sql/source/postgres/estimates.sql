-- Rows by table as VACUUM and ANALYZE last counted them; tables never counted are left out.
-- A partitioned root is counted by ANALYZE alone, so its leaves are added up instead.
SELECT c.oid AS id, sum(l.reltuples)::bigint AS rows
FROM pg_catalog.pg_class c
CROSS JOIN LATERAL (
    SELECT c.oid AS relid WHERE c.relkind = 'r'
    UNION ALL
    SELECT p.relid FROM pg_catalog.pg_partition_tree(c.oid) p WHERE c.relkind = 'p' AND p.isleaf
) AS part
JOIN pg_catalog.pg_class l ON l.oid = part.relid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND l.reltuples >= 0
GROUP BY c.oid
