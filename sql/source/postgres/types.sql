-- What types ($1: oids, $2: their modifiers) really are, in the order asked: how people write
-- them, and the type and modifier under all domains. A type that is gone is shown as ???.
WITH RECURSIVE asked AS (
    SELECT place, type, modifier
    FROM unnest($1::pg_catalog.oid[], $2::pg_catalog.int4[]) WITH ORDINALITY AS u (type, modifier, place)
), chain AS (
    SELECT place, type AS base, modifier, 0 AS depth FROM asked
    UNION ALL
    SELECT c.place, t.typbasetype, t.typtypmod, c.depth + 1
    FROM chain c
    JOIN pg_catalog.pg_type t ON t.oid = c.base AND t.typtype = 'd'
)
SELECT DISTINCT ON (place)
       pg_catalog.format_type(a.type, a.modifier) AS source_type, c.base, c.modifier
FROM chain c
JOIN asked a USING (place)
ORDER BY place, depth DESC
