-- entity: org_unit
-- version: 1
-- unit: kst_nr
-- driver: k
-- watch: k = kst.kst_nr, c = mandant.man_nr
-- The ERP has cost centres only; HR names them as its units.
SELECT
    k.kst_nr AS org_unit_code,
    k.bez AS name,
    CASE k.typ_cd WHEN 'G' THEN 'legal_entity' WHEN 'B' THEN 'division' WHEN 'A' THEN 'department' WHEN 'T' THEN 'team' END AS kind,
    k.kst_ober AS parent_code,
    k.ltr_persnr AS manager_no,
    c.kurz AS legal_entity_code,
    c.waehr AS currency,
    k.aktiv_kz = 'J' AS active,
    k.kst_nr AS kst_nr,
    k.kst_nr AS _from_k,
    c.man_nr AS _from_c
FROM kst k
JOIN mandant c ON c.man_nr = k.man_nr
