-- key: code
-- table: engagement
-- The PSA's `engagement` as it must be, over the canonical row.
SELECT project_code AS code, name AS title, client_no AS customer_no, contract_no AS agreement_no,
       org_unit_code AS org_code, manager_no AS manager_code, status AS state, starts_on AS start_on,
       ends_on AS end_on, budget_hours, budget_amount AS budget, currency, billable
FROM canon.project
