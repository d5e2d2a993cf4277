-- key: code
-- table: org
-- The PSA's `org` as it must be, over the canonical row.
SELECT org_unit_code AS code, name AS title, kind AS level, parent_code AS parent, manager_no AS head, currency, active
FROM canon.org_unit
