-- entity: project
-- version: 1
-- unit: work_id
-- driver: w
-- watch: w = project_work.id, p = party_party.id, s = project_work_status.id, t = timesheet_work.id, c = company_company.id, b = party_party.id, u = currency_currency.id
-- A project is a work item of type `project`; tasks are in its time and staffing. The dates are
-- those between which time may be booked, kept on the row that refers back as 'project.work,<id>'.
-- States are rows with names in the user's language: one with all progress made is closed.
SELECT
    'P' || w.id AS project_code,
    w.name AS name,
    p.code AS client_no,
    b.code AS org_unit_code,
    CASE WHEN s.progress >= 1 THEN 'closed' ELSE 'open' END AS status,
    t.timesheet_start_date AS starts_on,
    t.timesheet_end_date AS ends_on,
    u.code AS currency,
    w.project_invoice_method <> 'manual' AS billable,
    w.id AS work_id,
    w.id AS _from_w,
    p.id AS _from_p,
    s.id AS _from_s,
    t.id AS _from_t,
    c.id AS _from_c,
    b.id AS _from_b,
    u.id AS _from_u
FROM project_work w
JOIN project_work_status s ON s.id = w.status
JOIN company_company c ON c.id = w.company
JOIN party_party b ON b.id = c.party
JOIN currency_currency u ON u.id = c.currency
LEFT JOIN party_party p ON p.id = w.party
LEFT JOIN timesheet_work t ON t.origin = 'project.work,' || w.id AND t.company = w.company
WHERE w.type = 'project'
