-- entity: worker
-- version: 1
-- unit: employee_id
-- driver: e
-- watch: e = company_employee.id, p = party_party.id, s = company_employee.id, t = party_party.id, c = company_company.id, b = party_party.id, m = party_contact_mechanism.id
-- affects x: SELECT e.id FROM delta d JOIN company_employee e ON e.party = d.party
-- Tryton keeps a person as a party and the employment as an employee. The staff number is the
-- party's code; a pack for one company (two employments of one party would share the number).
-- Who leaves on a day is terminated from that day on. The e-mail is the first active one entered.
SELECT
    p.code AS worker_no,
    p.name AS full_name,
    lower(m.value) AS work_email,
    CASE WHEN e.end_date <= CAST($as_of AS DATE) THEN 'terminated'
         WHEN e.start_date > CAST($as_of AS DATE) THEN 'pre_hire'
         ELSE 'active' END AS status,
    e.start_date AS hire_date,
    e.end_date AS termination_date,
    b.code AS org_unit_code,
    t.code AS manager_no,
    b.code AS legal_entity_code,
    c.hours_per_work_week AS capacity_hours_week,
    CASE WHEN e.end_date <= CAST($as_of AS DATE) THEN NULL
         ELSE CAST(least(CASE WHEN e.start_date > CAST($as_of AS DATE) THEN e.start_date END, e.end_date) AS TIMESTAMP) END AS _next_at,
    e.id AS employee_id,
    e.id AS _from_e,
    p.id AS _from_p,
    s.id AS _from_s,
    t.id AS _from_t,
    c.id AS _from_c,
    b.id AS _from_b,
    m.id AS _from_m
FROM company_employee e
JOIN party_party p ON p.id = e.party
JOIN company_company c ON c.id = e.company
JOIN party_party b ON b.id = c.party
LEFT JOIN company_employee s ON s.id = e.supervisor
LEFT JOIN party_party t ON t.id = s.party
LEFT JOIN (
    SELECT x.party, min(x.id) AS id
    FROM party_contact_mechanism x
    WHERE x.type = 'email' AND x.active
    GROUP BY x.party
) f ON f.party = e.party
LEFT JOIN party_contact_mechanism m ON m.id = f.id
