-- Cost prices, on the source server: each holds until the next day on which the employee has one.
SELECT person.code AS worker_no,
       price.date::text AS valid_from,
       (SELECT min(later.date) FROM company_employee_cost_price later
         WHERE later.employee = price.employee AND later.date > price.date)::text AS valid_to,
       price.cost_price::numeric(18,4)::text AS hourly_amount,
       (SELECT money.code FROM company_company company JOIN currency_currency money ON money.id = company.currency
         WHERE company.id = employee.company) AS currency
FROM company_employee_cost_price price
JOIN company_employee employee ON employee.id = price.employee
JOIN party_party person ON person.id = employee.party
WHERE NOT EXISTS (SELECT FROM company_employee_cost_price newer
                   WHERE newer.employee = price.employee AND newer.date = price.date AND newer.id > price.id)
ORDER BY person.code COLLATE "C", price.date;
