-- Companies, the only units Tryton has, on the source server.
SELECT firm.code AS org_unit_code, firm.name, 'legal_entity' AS kind, firm.code AS legal_entity_code,
       (SELECT code FROM currency_currency WHERE id = company.currency) AS currency,
       firm.active::text AS active
FROM company_company company, party_party firm
WHERE firm.id = company.party
ORDER BY firm.code COLLATE "C";
