-- Columns of a table ($1: its oid), with the type that text must be cast to: domains down to
-- their base type, and without length, because an explicit cast to varchar(10) or to a domain
-- over it cuts in silence where the assignment that follows raises an error.
WITH RECURSIVE base AS (
    SELECT a.attnum, t.oid, t.typtype, t.typbasetype, t.typcategory, t.typnotnull AS is_not_null
    FROM pg_attribute a
    JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.attnum, t.oid, t.typtype, t.typbasetype, t.typcategory, b.is_not_null OR t.typnotnull
    FROM base b
    JOIN pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
)
SELECT a.attname::text AS name,
       format_type(b.oid, -1) AS cast_to,
       b.typcategory = 'S' AS is_text,
       a.attnotnull OR b.is_not_null AS is_not_null,
       a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL AS has_default,
       a.attgenerated <> '' OR a.attidentity = 'a' AS is_generated,
       has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS may_select,
       has_column_privilege(a.attrelid, a.attnum, 'INSERT') AS may_insert,
       has_column_privilege(a.attrelid, a.attnum, 'UPDATE') AS may_update
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN base b ON b.attnum = a.attnum AND b.typtype <> 'd'
WHERE a.attrelid = $1
ORDER BY a.attnum
