-- entity: org_unit
-- version: 1
-- unit: orgeh
-- driver: o
-- watch: o = org_einh.(orgeh, beg)
-- affects x: SELECT orgeh FROM delta
-- affects t: SELECT x.orgeh FROM delta d JOIN org_einh x ON x.typ_id = d.typ_id
-- affects q: SELECT x.orgeh FROM delta d JOIN org_einh x ON x.ober_orgeh = d.orgeh
-- A unit is known by the ERP's cost centre, its short name, which all its slices bear. Of its
-- slices the newest that has begun counts, or the first if none has: an ended or a future unit
-- exists, inactive. One row a unit: the driver is its first slice. The day changes at midnight UTC.
SELECT
    coalesce(list_filter(n.slices, lambda slice: slice.beg <= CAST($as_of AS DATE))[-1], n.slices[1]).code AS org_unit_code,
    coalesce(list_filter(n.slices, lambda slice: slice.beg <= CAST($as_of AS DATE))[-1], n.slices[1]).name AS name,
    CASE coalesce(list_filter(n.slices, lambda slice: slice.beg <= CAST($as_of AS DATE))[-1], n.slices[1]).kind
        WHEN 'GES' THEN 'legal_entity' WHEN 'BER' THEN 'division' WHEN 'ABT' THEN 'department' WHEN 'TEA' THEN 'team' END AS kind,
    coalesce(list_filter(n.slices, lambda slice: slice.beg <= CAST($as_of AS DATE))[-1], n.slices[1]).parent AS parent_code,
    coalesce(list_filter(n.slices, lambda slice: slice.beg <= CAST($as_of AS DATE))[-1], n.slices[1]).head AS manager_no,
    len(list_filter(n.slices, lambda slice: slice.beg <= CAST($as_of AS DATE) AND slice.bis >= CAST($as_of AS DATE))) > 0 AS active,
    CAST(list_min(list_filter(n.borders,
        lambda day: day > CAST($as_of AS DATE) AND day < DATE '9999-12-31')) AS TIMESTAMP) AS _next_at,
    o.orgeh AS orgeh,
    o.orgeh AS _from_o_1,
    o.beg AS _from_o_2
FROM org_einh o
JOIN (
    SELECT x.orgeh, min(x.beg) AS first_day,
           list({'beg': x.beg, 'bis': x.bis, 'code': x.kurz, 'name': x.bez, 'kind': t.kurz, 'parent': p.code,
                 'head': 'M' || lpad(CAST(x.ltr_pernr AS VARCHAR), 5, '0')} ORDER BY x.beg) AS slices,
           flatten(list([x.beg, x.bis + 1] ORDER BY x.beg)) AS borders
    FROM org_einh x
    JOIN t_orgtyp t ON t.typ_id = x.typ_id
    LEFT JOIN (SELECT q.orgeh, max(q.kurz) AS code FROM org_einh q GROUP BY q.orgeh) p ON p.orgeh = x.ober_orgeh
    GROUP BY x.orgeh
) n ON n.orgeh = o.orgeh AND n.first_day = o.beg
