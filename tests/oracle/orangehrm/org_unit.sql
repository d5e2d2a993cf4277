-- Units, on the source server (MariaDB). The parent is the innermost unit around this one.
SELECT IF(unit.unit_id > '', unit.unit_id, CONCAT('U', unit.id)) AS org_unit_code,
       unit.name,
       IF(unit.level = 0, 'legal_entity', 'department') AS kind,
       (SELECT IF(outer_unit.unit_id > '', outer_unit.unit_id, CONCAT('U', outer_unit.id)) FROM ohrm_subunit outer_unit
         WHERE unit.lft BETWEEN outer_unit.lft AND outer_unit.rgt AND outer_unit.id <> unit.id
         ORDER BY outer_unit.lft DESC LIMIT 1) AS parent_code,
       'true' AS active
FROM ohrm_subunit unit
ORDER BY CAST(org_unit_code AS BINARY);
