-- Project administrators, on the source server (MariaDB).
SELECT CONCAT('P', admin.project_id, '/', staff.number) AS assignment_no,
       CONCAT('P', admin.project_id) AS project_code,
       staff.number AS worker_no,
       'admin' AS role
FROM ohrm_project_admin admin,
     (SELECT emp_number, IF(TRIM(employee_id) > '', TRIM(employee_id), CONCAT('E', emp_number)) AS number FROM hs_hr_employee) staff
WHERE staff.emp_number = admin.emp_number AND admin.project_id IN (SELECT project_id FROM ohrm_project)
ORDER BY CAST(assignment_no AS BINARY);
