-- entity: cost_rate
-- version: 1
-- unit: employee_id
-- driver: e
-- watch: e = company_employee.id, p = party_party.id, c = company_company.id, u = currency_currency.id
-- affects x: SELECT employee FROM delta WHERE employee IS NOT NULL
-- affects r: SELECT employee FROM delta WHERE employee IS NOT NULL
-- A price holds until the employee's next one; of two for one day, the later row. All prices of
-- an employee are one unit. Future days are there before they come.
SELECT
    p.code AS worker_no,
    h.date AS valid_from,
    h.next_date AS valid_to,
    TRY_CAST(r.cost_price AS DECIMAL(18,4)) AS hourly_amount,
    u.code AS currency,
    e.id AS employee_id,
    e.id AS _from_e,
    p.id AS _from_p,
    c.id AS _from_c,
    u.id AS _from_u
FROM company_employee e
JOIN (
    SELECT x.employee, x.date, max(x.id) AS id, lead(x.date) OVER (PARTITION BY x.employee ORDER BY x.date) AS next_date
    FROM company_employee_cost_price x
    GROUP BY x.employee, x.date
) h ON h.employee = e.id
JOIN company_employee_cost_price r ON r.id = h.id
JOIN party_party p ON p.id = e.party
JOIN company_company c ON c.id = e.company
JOIN currency_currency u ON u.id = c.currency
