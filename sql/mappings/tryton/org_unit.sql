-- entity: org_unit
-- version: 1
-- unit: company_id
-- driver: c
-- watch: c = company_company.id, p = party_party.id, u = currency_currency.id
-- Tryton has no departments: its companies are the units.
SELECT
    p.code AS org_unit_code,
    p.name AS name,
    'legal_entity' AS kind,
    p.code AS legal_entity_code,
    u.code AS currency,
    p.active AS active,
    c.id AS company_id,
    c.id AS _from_c,
    p.id AS _from_p,
    u.id AS _from_u
FROM company_company c
JOIN party_party p ON p.id = c.party
JOIN currency_currency u ON u.id = c.currency
