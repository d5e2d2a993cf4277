-- entity: time_entry
-- version: 1
-- unit: timesheet_item_id
-- driver: i
-- watch: i = ohrm_timesheet_item.timesheet_item_id, h = ohrm_timesheet.timesheet_id, e = hs_hr_employee.emp_number, j = ohrm_project.(project_id, customer_id), y = ohrm_project_activity.activity_id, g = ohrm_timesheet_action_log.timesheet_action_log_id, u = ohrm_user.id, w = hs_hr_employee.emp_number
-- affects x: SELECT i.timesheet_item_id FROM delta d JOIN ohrm_timesheet_item i ON i.timesheet_id = d.timesheet_id
-- Approval is on the sheet: one change there changes every item. Who approved is the newest
-- APPROVED line of the sheet's log, which knows the day only. The front end saves rows of zero
-- seconds; they are not entries.
SELECT
    CAST(i.timesheet_item_id AS VARCHAR) AS entry_no,
    coalesce(nullif(trim(e.employee_id), ''), 'E' || e.emp_number) AS worker_no,
    'P' || j.project_id AS project_code,
    y.name AS task,
    i.date AS work_date,
    CAST(CAST(i.duration AS DOUBLE) / 3600 AS DECIMAL(12,6)) AS hours,
    'work' AS kind,
    i.comment AS note,
    CASE h.state WHEN 'SUBMITTED' THEN 'submitted' WHEN 'APPROVED' THEN 'approved' WHEN 'REJECTED' THEN 'rejected' ELSE 'draft' END AS approval_status,
    CASE WHEN h.state = 'APPROVED' THEN CAST(g.date_time AS TIMESTAMP) END AS approved_at,
    CASE WHEN h.state = 'APPROVED' THEN coalesce(nullif(trim(w.employee_id), ''), 'E' || w.emp_number) END AS approver_no,
    i.timesheet_item_id AS timesheet_item_id,
    i.timesheet_item_id AS _from_i,
    h.timesheet_id AS _from_h,
    e.emp_number AS _from_e,
    j.project_id AS _from_j_1,
    j.customer_id AS _from_j_2,
    y.activity_id AS _from_y,
    g.timesheet_action_log_id AS _from_g,
    u.id AS _from_u,
    w.emp_number AS _from_w
FROM ohrm_timesheet_item i
JOIN ohrm_timesheet h ON h.timesheet_id = i.timesheet_id
JOIN hs_hr_employee e ON e.emp_number = i.employee_id
LEFT JOIN ohrm_project j ON j.project_id = i.project_id
LEFT JOIN ohrm_project_activity y ON y.activity_id = i.activity_id
LEFT JOIN (
    SELECT x.timesheet_id, max(x.timesheet_action_log_id) AS log_id
    FROM ohrm_timesheet_action_log x
    WHERE x.action = 'APPROVED'
    GROUP BY x.timesheet_id
) a ON a.timesheet_id = i.timesheet_id
LEFT JOIN ohrm_timesheet_action_log g ON g.timesheet_action_log_id = a.log_id
LEFT JOIN ohrm_user u ON u.id = g.performed_by
LEFT JOIN hs_hr_employee w ON w.emp_number = u.emp_number
WHERE i.duration > 0
