-- Tables that could be mirrored, with what the log identifies their rows by.
-- $1: one table's oid, or NULL for all.
-- Views, foreign, temporary and unlogged tables are not in the log. The changes of a partition are
-- published under its root, unless it is mirrored itself.
SELECT c.oid AS id,
       n.nspname::text AS schema,
       c.relname::text AS name,
       c.relkind = 'p' AS is_partitioned,
       c.relreplident::text AS identity,
       -- DEFAULT and FULL: the primary key; USING INDEX: that index, because deletes and key
       -- changes carry its columns only. Deferrable keys may be violated within a transaction.
       (SELECT array_agg(a.attname::text ORDER BY k.rank)
        FROM pg_catalog.pg_index i
        CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, rank)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND k.rank <= i.indnkeyatts
          AND CASE c.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END) AS key,
       -- A leaf whose identity differs from its root's would send other key columns; one that sends the
       -- whole row sends the key, if there is one.
       CASE WHEN c.relkind = 'p' THEN
           (SELECT min(l.oid::pg_catalog.regclass::text)
            FROM pg_catalog.pg_partition_tree(c.oid) p
            JOIN pg_catalog.pg_class l ON l.oid = p.relid
            WHERE p.isleaf AND l.relreplident <> c.relreplident
              AND NOT (l.relreplident = 'f'
                       AND EXISTS (SELECT FROM pg_catalog.pg_index i
                                   WHERE i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident))))
       END AS odd_leaf,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS is_readable,
       c.relrowsecurity AS has_row_security,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS is_owned,
       -- Of what it consists: another text after ATTACH, DETACH, DROP and TRUNCATE of single partitions,
       -- which the log does not tell.
       CASE WHEN c.relkind = 'p' THEN
           (SELECT md5(string_agg(l.oid || ':' || l.relfilenode, ' ' ORDER BY l.oid))
            FROM pg_catalog.pg_partition_tree(c.oid) p
            JOIN pg_catalog.pg_class l ON l.oid = p.relid
            WHERE p.isleaf)
       END AS parts,
       -- The tables that it is a partition of.
       CASE WHEN c.relispartition THEN
           ARRAY(SELECT a.relid::pg_catalog.oid FROM pg_catalog.pg_partition_ancestors(c.oid) a
                 WHERE a.relid <> c.oid)
       END AS ancestors,
       -- Without a key the mirror has two columns of its own (DuckDB minds no case), and its time.
       EXISTS (SELECT FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 AND lower(a.attname) IN ('_row', '_nth')) AS has_our_names
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND c.relpersistence = 'p'
  AND n.nspname <> 'information_schema'
  AND n.nspname NOT LIKE 'pg\_%'
  AND ($1::pg_catalog.oid IS NULL OR c.oid = $1)
ORDER BY 2, 3
