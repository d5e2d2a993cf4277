-- entity: org_unit
-- version: 1
-- unit: subunit_id
-- driver: u
-- watch: u = ohrm_subunit.id, p = ohrm_subunit.id
-- The tree is a nested set: inserting one unit rewrites the numbers of all to its right, but only
-- a new parent is a change. The parent is the unit one level up that encloses this one.
SELECT
    coalesce(nullif(u.unit_id, ''), 'U' || u.id) AS org_unit_code,
    u.name AS name,
    CASE WHEN u.level = 0 THEN 'legal_entity' ELSE 'department' END AS kind,
    coalesce(nullif(p.unit_id, ''), 'U' || p.id) AS parent_code,
    true AS active,
    u.id AS subunit_id,
    u.id AS _from_u,
    p.id AS _from_p
FROM ohrm_subunit u
LEFT JOIN ohrm_subunit p ON p.lft < u.lft AND p.rgt > u.rgt AND p.level + 1 = u.level
