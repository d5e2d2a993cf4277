-- Time entries, on the source server. Hours are rounded to six places, which tells seconds apart;
-- the cost is the price of an hour times those hours.
WITH RECURSIVE up (item, work) AS (
    SELECT id, id FROM project_work
    UNION ALL
    SELECT up.item, child.parent FROM up JOIN project_work child ON child.id = up.work
    WHERE child.type <> 'project' AND child.parent IS NOT NULL
), belongs AS (
    SELECT up.item, up.work AS project, w.project_invoice_method AS method
    FROM up JOIN project_work w ON w.id = up.work WHERE w.type = 'project'
), booking AS (
    SELECT id, name, CASE WHEN origin LIKE 'project.work,%' THEN substr(origin, 14)::integer END AS item FROM timesheet_work
)
SELECT line.id::text AS entry_no,
       (SELECT code FROM party_party WHERE id = (SELECT party FROM company_employee WHERE id = line.employee)) AS worker_no,
       'P' || belongs.project AS project_code,
       CASE WHEN item.id IS NULL THEN booking.name WHEN item.type = 'task' THEN item.name END AS task,
       line.date::text AS work_date,
       round(extract(epoch FROM line.duration) / 3600, 6)::text AS hours,
       'work' AS kind,
       (belongs.method <> 'manual')::text AS billable,
       line.description AS note,
       CASE WHEN line.invoice_line IS NULL THEN 'unposted' ELSE 'invoiced' END AS posting_status,
       round(round(line.cost_price, 4) * round(extract(epoch FROM line.duration) / 3600, 6), 4)::text AS cost_amount,
       (SELECT money.code FROM company_company company JOIN currency_currency money ON money.id = company.currency
         WHERE company.id = line.company) AS currency,
       'I' || (SELECT invoice FROM account_invoice_line WHERE id = line.invoice_line) AS invoice_document_no
FROM timesheet_line line
JOIN booking ON booking.id = line.work
LEFT JOIN project_work item ON item.id = booking.item
LEFT JOIN belongs ON belongs.item = item.id
ORDER BY line.id::text COLLATE "C";
