-- entity: assignment
-- version: 1
-- unit: project_id, emp_number
-- driver: a
-- watch: a = ohrm_project_admin.(project_id, emp_number), e = hs_hr_employee.emp_number, j = ohrm_project.(project_id, customer_id)
-- OrangeHRM knows only who administers a project: no dates, no shares.
SELECT
    'P' || j.project_id || '/' || coalesce(nullif(trim(e.employee_id), ''), 'E' || e.emp_number) AS assignment_no,
    'P' || j.project_id AS project_code,
    coalesce(nullif(trim(e.employee_id), ''), 'E' || e.emp_number) AS worker_no,
    'admin' AS role,
    a.project_id AS project_id,
    a.emp_number AS emp_number,
    a.project_id AS _from_a_1,
    a.emp_number AS _from_a_2,
    e.emp_number AS _from_e,
    j.project_id AS _from_j_1,
    j.customer_id AS _from_j_2
FROM ohrm_project_admin a
JOIN hs_hr_employee e ON e.emp_number = a.emp_number
JOIN ohrm_project j ON j.project_id = a.project_id
