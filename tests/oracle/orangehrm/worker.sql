-- Workers, on the source server (MariaDB). :as_of is a timestamp in UTC.
SELECT IF(employee.employee_id IS NULL OR TRIM(employee.employee_id) = '', CONCAT('E', employee.emp_number), TRIM(employee.employee_id)) AS worker_no,
       TRIM(REPLACE(CONCAT(employee.emp_firstname, ' ', employee.emp_middle_name, ' ', employee.emp_lastname), '  ', ' ')) AS full_name,
       LOWER(employee.emp_work_email) AS work_email,
       (SELECT CASE WHEN name LIKE '%contract%' OR name LIKE '%freelance%' THEN 'contractor'
                    WHEN name LIKE '%intern%' OR name LIKE '%trainee%' THEN 'intern' ELSE 'employee' END
          FROM ohrm_employment_status WHERE id = employee.emp_status) AS employment_type,
       IF(employee.purged_at IS NOT NULL
            OR EXISTS (SELECT 1 FROM ohrm_emp_termination t WHERE t.id = employee.termination_id AND t.termination_date <= DATE(:as_of)),
          'terminated', IF(employee.joined_date > DATE(:as_of), 'pre_hire', 'active')) AS status,
       CAST(employee.joined_date AS CHAR) AS hire_date,
       (SELECT CAST(t.termination_date AS CHAR) FROM ohrm_emp_termination t WHERE t.id = employee.termination_id) AS termination_date,
       (SELECT job_title FROM ohrm_job_title WHERE id = employee.job_title_code) AS job_title,
       (SELECT IF(unit_id > '', unit_id, CONCAT('U', id)) FROM ohrm_subunit WHERE id = employee.work_station) AS org_unit_code,
       (SELECT IF(TRIM(boss.employee_id) > '', TRIM(boss.employee_id), CONCAT('E', boss.emp_number))
          FROM hs_hr_employee boss, hs_hr_emp_reportto line, ohrm_emp_reporting_method method
         WHERE line.erep_sub_emp_number = employee.emp_number AND boss.emp_number = line.erep_sup_emp_number
           AND method.reporting_method_id = line.erep_reporting_mode AND method.reporting_method_name = 'Direct'
         ORDER BY boss.emp_number LIMIT 1) AS manager_no
FROM hs_hr_employee employee
ORDER BY CAST(worker_no AS BINARY);
