-- The columns of a table ($1) of the schema public: name, type under all domains, and the rank in
-- the primary key. Generated columns are left out: they are in no log.
WITH RECURSIVE spalte AS (
    SELECT a.attnum, a.attname::text AS name, a.atttypid AS type
    FROM pg_attribute a
    WHERE a.attrelid = format('public.%I', $1::text)::regclass
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
), typ AS (
    SELECT s.attnum, s.type, 0 AS depth FROM spalte s
    UNION ALL
    SELECT t.attnum, p.typbasetype, t.depth + 1
    FROM typ t JOIN pg_type p ON p.oid = t.type AND p.typtype = 'd'
)
SELECT s.name,
       (SELECT p.typname::text FROM typ t JOIN pg_type p ON p.oid = t.type
        WHERE t.attnum = s.attnum ORDER BY t.depth DESC LIMIT 1) AS type,
       (SELECT k.rank FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (attnum, rank)
        WHERE i.indrelid = format('public.%I', $1::text)::regclass AND i.indisprimary
          AND k.attnum = s.attnum) AS rank
FROM spalte s
ORDER BY s.attnum
