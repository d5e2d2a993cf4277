-- Projects, on the source server.
SELECT 'P' || work.id AS project_code,
       work.name,
       (SELECT code FROM party_party WHERE id = work.party) AS client_no,
       (SELECT firm.code FROM company_company company JOIN party_party firm ON firm.id = company.party
         WHERE company.id = work.company) AS org_unit_code,
       (SELECT CASE WHEN progress >= 1 THEN 'closed' ELSE 'open' END FROM project_work_status WHERE id = work.status) AS status,
       booking.timesheet_start_date::text AS starts_on,
       booking.timesheet_end_date::text AS ends_on,
       (SELECT money.code FROM company_company company JOIN currency_currency money ON money.id = company.currency
         WHERE company.id = work.company) AS currency,
       (work.project_invoice_method <> 'manual')::text AS billable
FROM project_work work
LEFT JOIN timesheet_work booking
       ON split_part(booking.origin, ',', 1) = 'project.work' AND split_part(booking.origin, ',', 2)::integer = work.id
WHERE work.type = 'project'
ORDER BY ('P' || work.id) COLLATE "C";
