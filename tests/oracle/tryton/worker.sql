-- Workers as Tryton itself would tell them, on the source server. :as_of is a timestamp in UTC.
WITH today AS (SELECT CAST(:as_of AS timestamp)::date AS day)
SELECT person.code AS worker_no,
       person.name AS full_name,
       (SELECT lower(cm.value) FROM party_contact_mechanism cm
         WHERE cm.party = person.id AND cm.type = 'email' AND cm.active ORDER BY cm.id LIMIT 1) AS work_email,
       CASE
           WHEN employee.end_date IS NOT NULL AND employee.end_date <= today.day THEN 'terminated'
           WHEN employee.start_date IS NOT NULL AND employee.start_date > today.day THEN 'pre_hire'
           ELSE 'active'
       END AS status,
       employee.start_date::text AS hire_date,
       employee.end_date::text AS termination_date,
       firm.code AS org_unit_code,
       (SELECT boss_party.code FROM company_employee boss JOIN party_party boss_party ON boss_party.id = boss.party
         WHERE boss.id = employee.supervisor) AS manager_no,
       firm.code AS legal_entity_code,
       company.hours_per_work_week::numeric(5,2)::text AS capacity_hours_week
FROM today, company_employee employee, party_party person, company_company company, party_party firm
WHERE person.id = employee.party AND company.id = employee.company AND firm.id = company.party
ORDER BY person.code COLLATE "C";
