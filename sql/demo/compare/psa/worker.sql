-- key: employee_code
-- table: resource
-- The PSA's `resource` as it must be, over the canonical row.
SELECT worker_no AS employee_code, full_name AS display_name, work_email AS email, employment_type AS kind,
       hire_date AS start_on, termination_date AS end_on, status = 'active' OR status = 'leave' AS active, job_title AS title,
       org_unit_code AS org_code, manager_no AS manager_code, capacity_hours_week AS hours_week
FROM canon.worker
