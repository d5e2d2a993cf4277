-- Entities that are not delivered here any more ($3): nothing of them is owed, and should they come
-- back, their first fill begins anew.
WITH holes AS (
    DELETE FROM _trueup.hole WHERE install = $1 AND target = $2 AND entity = ANY ($3::text[])
)
DELETE FROM _trueup.baseline WHERE install = $1 AND target = $2 AND entity = ANY ($3::text[])
