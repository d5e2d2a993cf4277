-- Unique indexes of a table ($1: its oid). `is_plain`: usable to find a row by its columns alone,
-- that is over whole columns, over all rows, valid, and judged at once. The name is also the
-- constraint's, as it stands in the server's errors.
SELECT c.relname::text AS name,
       coalesce(array_agg(a.attname::text ORDER BY k.place) FILTER (WHERE a.attname IS NOT NULL),
                '{}') AS columns,
       i.indpred IS NULL AND i.indexprs IS NULL AND i.indimmediate AND i.indisvalid AS is_plain
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0
WHERE i.indrelid = $1 AND i.indisunique AND k.place <= i.indnkeyatts
GROUP BY c.relname, i.indpred, i.indexprs, i.indimmediate, i.indisvalid
ORDER BY c.relname
