-- entity: time_entry
-- version: 1
-- unit: line_id
-- driver: l
-- watch: l = timesheet_line.id, t = timesheet_work.id, w = project_work.id, v = project_work.id, y = project_work.id, z = project_work.id, e = company_employee.id, p = party_party.id, c = company_company.id, u = currency_currency.id, i = account_invoice_line.id
-- Time is booked on a timesheet work, which refers to a work item as 'project.work,<id>'; the
-- project is the nearest item of that type, up to three levels above. Durations are intervals
-- (a day is 24 hours). The row's price is that of an hour; numbers without bounds are text in the
-- mirror. Nobody approves time in Tryton. Billed is what an invoice line refers to.
SELECT
    CAST(l.id AS VARCHAR) AS entry_no,
    p.code AS worker_no,
    'P' || CASE WHEN w.type = 'project' THEN w.id WHEN v.type = 'project' THEN v.id
                WHEN y.type = 'project' THEN y.id WHEN z.type = 'project' THEN z.id END AS project_code,
    CASE WHEN w.id IS NULL THEN t.name WHEN w.type <> 'project' THEN w.name END AS task,
    l.date AS work_date,
    CAST(epoch(l.duration) / 3600 AS DECIMAL(12,6)) AS hours,
    'work' AS kind,
    CASE WHEN w.type = 'project' THEN w.project_invoice_method WHEN v.type = 'project' THEN v.project_invoice_method
         WHEN y.type = 'project' THEN y.project_invoice_method WHEN z.type = 'project' THEN z.project_invoice_method
         END <> 'manual' AS billable,
    l.description AS note,
    CASE WHEN l.invoice_line IS NULL THEN 'unposted' ELSE 'invoiced' END AS posting_status,
    CAST(TRY_CAST(l.cost_price AS DECIMAL(18,4)) * CAST(epoch(l.duration) / 3600 AS DECIMAL(12,6)) AS DECIMAL(18,4)) AS cost_amount,
    u.code AS currency,
    'I' || i.invoice AS invoice_document_no,
    l.id AS line_id,
    l.id AS _from_l,
    t.id AS _from_t,
    w.id AS _from_w,
    v.id AS _from_v,
    y.id AS _from_y,
    z.id AS _from_z,
    e.id AS _from_e,
    p.id AS _from_p,
    c.id AS _from_c,
    u.id AS _from_u,
    i.id AS _from_i
FROM timesheet_line l
JOIN timesheet_work t ON t.id = l.work
JOIN company_employee e ON e.id = l.employee
JOIN party_party p ON p.id = e.party
JOIN company_company c ON c.id = l.company
JOIN currency_currency u ON u.id = c.currency
LEFT JOIN account_invoice_line i ON i.id = l.invoice_line
LEFT JOIN project_work w ON t.origin = 'project.work,' || w.id
LEFT JOIN project_work v ON v.id = w.parent
LEFT JOIN project_work y ON y.id = v.parent
LEFT JOIN project_work z ON z.id = y.parent
