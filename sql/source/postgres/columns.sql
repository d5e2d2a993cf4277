-- The columns of tables ($1: oids) as the log sends them: generated columns are not in it
-- (before PostgreSQL 18 never, from 18 on only if a publication asks for them; ours does not).
SELECT a.attrelid AS id, a.attname::text AS name, a.atttypid AS type, a.atttypmod AS modifier
FROM pg_catalog.pg_attribute a
WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attrelid, a.attnum
