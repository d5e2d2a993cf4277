-- key: org_unit_code
-- Cost centres as units.
SELECT k.kst_nr AS org_unit_code,
       k.bez AS name,
       CASE k.typ_cd WHEN 'G' THEN 'legal_entity' WHEN 'B' THEN 'division' WHEN 'A' THEN 'department' WHEN 'T' THEN 'team' END AS kind,
       k.kst_ober AS parent_code,
       k.ltr_persnr AS manager_no,
       m.kurz AS legal_entity_code,
       m.waehr AS currency,
       k.aktiv_kz = 'J' AS active
FROM kst k JOIN mandant m USING (man_nr)
