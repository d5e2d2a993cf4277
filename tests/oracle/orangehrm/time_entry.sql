-- Time entries, on the source server (MariaDB). State and approver come from the sheet.
WITH staff AS (
    SELECT emp_number, IF(TRIM(employee_id) > '', TRIM(employee_id), CONCAT('E', emp_number)) AS number FROM hs_hr_employee
), approved AS (
    SELECT log.* FROM ohrm_timesheet_action_log log WHERE log.action = 'APPROVED' AND NOT EXISTS (
        SELECT 1 FROM ohrm_timesheet_action_log later WHERE later.timesheet_id = log.timesheet_id AND later.action = 'APPROVED'
           AND later.timesheet_action_log_id > log.timesheet_action_log_id)
)
SELECT CAST(item.timesheet_item_id AS CHAR) AS entry_no,
       staff.number AS worker_no,
       (SELECT CONCAT('P', project_id) FROM ohrm_project WHERE project_id = item.project_id) AS project_code,
       (SELECT name FROM ohrm_project_activity WHERE activity_id = item.activity_id) AS task,
       CAST(item.date AS CHAR) AS work_date,
       CAST(CAST(CAST(item.duration AS DECIMAL(20,6)) / 3600 AS DECIMAL(12,6)) AS CHAR) AS hours,
       'work' AS kind,
       item.comment AS note,
       CASE sheet.state WHEN 'SUBMITTED' THEN 'submitted' WHEN 'APPROVED' THEN 'approved' WHEN 'REJECTED' THEN 'rejected' ELSE 'draft' END AS approval_status,
       IF(sheet.state = 'APPROVED', CONCAT(approved.date_time, ' 00:00:00'), NULL) AS approved_at,
       IF(sheet.state = 'APPROVED', (SELECT number FROM staff JOIN ohrm_user ON ohrm_user.emp_number = staff.emp_number
            WHERE ohrm_user.id = approved.performed_by), NULL) AS approver_no
FROM ohrm_timesheet_item item
JOIN ohrm_timesheet sheet ON sheet.timesheet_id = item.timesheet_id
JOIN staff ON staff.emp_number = item.employee_id
LEFT JOIN approved ON approved.timesheet_id = sheet.timesheet_id
WHERE item.duration > 0
ORDER BY CAST(entry_no AS BINARY);
