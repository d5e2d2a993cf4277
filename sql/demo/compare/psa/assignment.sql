-- key: external_no
-- table: allocation
-- The PSA's `allocation` as it must be, over the canonical row.
SELECT assignment_no AS external_no, project_code AS engagement, worker_no AS resource, role, starts_on AS start_on,
       ends_on AS end_on, planned_hours AS hours, allocation_percent AS percent, bill_rate_amount AS price, billable
FROM canon.assignment
