-- entity: org_unit
-- version: 1
-- unit: orgeh
-- driver: o
-- watch: o = org_einh.(orgeh, beg), t = t_orgtyp.typ_id
-- affects x: SELECT orgeh FROM delta
-- affects y: SELECT c.orgeh FROM delta d JOIN org_einh c ON c.ober_orgeh = d.orgeh
-- affects q: SELECT c.orgeh FROM delta d JOIN org_einh c ON c.ober_orgeh = d.orgeh
-- A unit is known by the ERP's cost centre. It has slices of time; the newest one begun counts,
-- or the first one if none has. So an ended or a future unit exists, inactive, and no unit needs
-- a row to appear by itself. The day changes at midnight UTC.
SELECT
    o.kurz AS org_unit_code,
    o.bez AS name,
    CASE t.kurz WHEN 'GES' THEN 'legal_entity' WHEN 'BER' THEN 'division' WHEN 'ABT' THEN 'department' WHEN 'TEA' THEN 'team' END AS kind,
    q.kurz AS parent_code,
    'M' || lpad(CAST(o.ltr_pernr AS VARCHAR), 5, '0') AS manager_no,
    o.beg <= CAST($as_of AS DATE) AND o.bis >= CAST($as_of AS DATE) AS active,
    CAST(least(n.next_on, b.next_on) AS TIMESTAMP) AS _next_at,
    o.orgeh AS orgeh,
    o.orgeh AS _from_o_1,
    o.beg AS _from_o_2,
    t.typ_id AS _from_t
FROM org_einh o
JOIN (
    SELECT x.orgeh,
           coalesce(max(CASE WHEN x.beg <= CAST($as_of AS DATE) THEN x.beg END), min(x.beg)) AS beg,
           min(CASE WHEN x.beg > CAST($as_of AS DATE) THEN x.beg
                    WHEN x.bis >= CAST($as_of AS DATE) AND x.bis < DATE '9999-12-31' THEN x.bis + 1 END) AS next_on
    FROM org_einh x
    GROUP BY x.orgeh
) n ON n.orgeh = o.orgeh AND n.beg = o.beg
JOIN t_orgtyp t ON t.typ_id = o.typ_id
LEFT JOIN (
    SELECT y.orgeh,
           coalesce(max(CASE WHEN y.beg <= CAST($as_of AS DATE) THEN y.beg END), min(y.beg)) AS beg,
           min(CASE WHEN y.beg > CAST($as_of AS DATE) THEN y.beg END) AS next_on
    FROM org_einh y
    GROUP BY y.orgeh
) b ON b.orgeh = o.ober_orgeh
LEFT JOIN org_einh q ON q.orgeh = b.orgeh AND q.beg = b.beg
