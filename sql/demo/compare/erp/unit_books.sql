-- key: org_unit_code
-- What the ERP owns of a unit when HR owns the rest: the books it is kept in.
SELECT k.kst_nr AS org_unit_code, m.kurz AS legal_entity_code, m.waehr AS currency
FROM kst k JOIN mandant m USING (man_nr)
