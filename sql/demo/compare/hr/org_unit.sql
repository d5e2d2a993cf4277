-- key: org_unit_code
-- Units by their newest slice that has begun or, if none has, their first.
SELECT u.kurz AS org_unit_code,
       u.bez AS name,
       CASE t.kurz WHEN 'GES' THEN 'legal_entity' WHEN 'BER' THEN 'division' WHEN 'ABT' THEN 'department' WHEN 'TEA' THEN 'team' END AS kind,
       (SELECT MAX(o.kurz) FROM org_einh o WHERE o.orgeh = u.ober_orgeh) AS parent_code,
       CONCAT('M', LPAD(u.ltr_pernr, 5, '0')) AS manager_no,
       IF(EXISTS (SELECT 1 FROM org_einh x WHERE x.orgeh = u.orgeh AND UTC_DATE() BETWEEN x.beg AND x.bis), 'true', 'false') AS active
FROM org_einh u JOIN t_orgtyp t ON t.typ_id = u.typ_id
WHERE u.beg = COALESCE((SELECT MAX(x.beg) FROM org_einh x WHERE x.orgeh = u.orgeh AND x.beg <= UTC_DATE()),
                       (SELECT MIN(x.beg) FROM org_einh x WHERE x.orgeh = u.orgeh))
