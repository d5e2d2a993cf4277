-- entity: worker
-- version: 1
-- unit: emp_number
-- driver: e
-- watch: e = hs_hr_employee.emp_number, t = ohrm_emp_termination.id, u = ohrm_subunit.id, j = ohrm_job_title.id, s = ohrm_employment_status.id, m = hs_hr_employee.emp_number
-- affects r: SELECT erep_sub_emp_number FROM delta
-- affects g: SELECT r.erep_sub_emp_number FROM delta d JOIN hs_hr_emp_reportto r ON r.erep_reporting_mode = d.reporting_method_id
-- The staff number is `employee_id`, a text that may be empty: then 'E' and the row's own number.
-- Supervisors are many and of kinds: the manager is the direct one with the lowest number.
-- Kinds of employment are named by the user. Terminated from the day of termination on; a purged
-- person stays, as terminated.
SELECT
    coalesce(nullif(trim(e.employee_id), ''), 'E' || e.emp_number) AS worker_no,
    concat_ws(' ', nullif(e.emp_firstname, ''), nullif(e.emp_middle_name, ''), e.emp_lastname) AS full_name,
    lower(e.emp_work_email) AS work_email,
    CASE WHEN s.id IS NULL THEN NULL
         WHEN lower(s.name) LIKE '%contract%' OR lower(s.name) LIKE '%freelance%' THEN 'contractor'
         WHEN lower(s.name) LIKE '%intern%' OR lower(s.name) LIKE '%trainee%' THEN 'intern'
         ELSE 'employee' END AS employment_type,
    CASE WHEN e.purged_at IS NOT NULL OR t.termination_date <= CAST($as_of AS DATE) THEN 'terminated'
         WHEN e.joined_date > CAST($as_of AS DATE) THEN 'pre_hire'
         ELSE 'active' END AS status,
    e.joined_date AS hire_date,
    t.termination_date AS termination_date,
    j.job_title AS job_title,
    coalesce(nullif(u.unit_id, ''), 'U' || u.id) AS org_unit_code,
    coalesce(nullif(trim(m.employee_id), ''), 'E' || m.emp_number) AS manager_no,
    CASE WHEN e.purged_at IS NOT NULL OR t.termination_date <= CAST($as_of AS DATE) THEN NULL
         ELSE CAST(least(CASE WHEN e.joined_date > CAST($as_of AS DATE) THEN e.joined_date END, t.termination_date) AS TIMESTAMP) END AS _next_at,
    e.emp_number AS emp_number,
    e.emp_number AS _from_e,
    t.id AS _from_t,
    u.id AS _from_u,
    j.id AS _from_j,
    s.id AS _from_s,
    m.emp_number AS _from_m
FROM hs_hr_employee e
LEFT JOIN ohrm_emp_termination t ON t.id = e.termination_id
LEFT JOIN ohrm_subunit u ON u.id = e.work_station
LEFT JOIN ohrm_job_title j ON j.id = e.job_title_code
LEFT JOIN ohrm_employment_status s ON s.id = e.emp_status
LEFT JOIN (
    SELECT r.erep_sub_emp_number AS sub, min(r.erep_sup_emp_number) AS sup
    FROM hs_hr_emp_reportto r JOIN ohrm_emp_reporting_method g ON g.reporting_method_id = r.erep_reporting_mode
    WHERE g.reporting_method_name = 'Direct'
    GROUP BY r.erep_sub_emp_number
) b ON b.sub = e.emp_number
LEFT JOIN hs_hr_employee m ON m.emp_number = b.sup
