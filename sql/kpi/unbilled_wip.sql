-- metric: trueup_unbilled_wip_amount
-- help: Approved billable time at its bill rate and approved billable expenses, not invoiced, by age.
-- unit: amount
-- labels: currency, age
-- every: 5m
-- Approved: approval_status `approved`, or NULL where nobody approves. Only work on a project.
-- Not invoiced: the invoice that bills it is a draft, validated or void; if no such invoice is known, the
-- ERP's posting_status is not `invoiced`. A credited invoice was issued: what it billed is open again when
-- the ERP takes the invoice off the entry.
-- Time: hours × bill rate, rounded to cents per entry. Billable as the entry says, else as its project
-- says; a project that is not billable has none, and leave never is. Time under a contract of kind
-- fixed_price or milestone is not invoiced by the hour and left out. Time without any rate is left out
-- here and counted by missing_rate.sql.
-- Bill rate: of the assignment that the entry names; else of the worker's assignment on the project
-- whose days contain the day of the work, the one that began last. Its currency, else the project's.
-- Expenses: amount − tax contained in it, in the expense's own currency.
-- Age: as in time_unposted.sql. Every currency of a project or of an open item has a row for each age.
-- Source: own definition (the sum of the bill amounts of what is approved and not invoiced).
WITH entry AS (
    SELECT t.entry_no, t.worker_no, t.project_code, t.assignment_no, t.approved_at, t.work_date, t.hours, p.currency
    FROM canon.time_entry t
    LEFT JOIN canon.project p ON p.project_code = t.project_code
    LEFT JOIN canon.contract c ON c.contract_no = p.contract_no
    LEFT JOIN canon.invoice i ON i.document_no = t.invoice_document_no
    WHERE coalesce(t.approval_status, 'approved') = 'approved'
      AND t.project_code IS NOT NULL AND t.kind IS DISTINCT FROM 'leave'
      AND coalesce(t.billable, p.billable) AND p.billable IS DISTINCT FROM false
      AND coalesce(c.kind, '') NOT IN ('fixed_price', 'milestone')
      AND CASE WHEN i.status IS NOT NULL THEN i.status IN ('draft', 'validated', 'void')
               ELSE t.posting_status IS DISTINCT FROM 'invoiced' END
),
dated AS (
    SELECT e.entry_no, arg_max({'rate': a.bill_rate_amount, 'currency': a.currency},
                               {'begins': coalesce(a.starts_on, DATE '0001-01-01'), 'no': a.assignment_no}) AS price
    FROM entry e
    JOIN canon.assignment a ON a.project_code = e.project_code AND a.worker_no = e.worker_no
    WHERE a.bill_rate_amount IS NOT NULL
      AND (a.starts_on IS NULL OR a.starts_on <= e.work_date) AND (a.ends_on IS NULL OR a.ends_on >= e.work_date)
    GROUP BY e.entry_no
),
rated AS (
    SELECT coalesce(CAST(e.approved_at AS DATE), e.work_date) AS since, e.hours,
           CASE WHEN n.bill_rate_amount IS NOT NULL THEN n.bill_rate_amount ELSE d.price.rate END AS rate,
           coalesce(CASE WHEN n.bill_rate_amount IS NOT NULL THEN n.currency ELSE d.price.currency END,
                    e.currency) AS currency
    FROM entry e
    LEFT JOIN canon.assignment n ON n.assignment_no = e.assignment_no
    LEFT JOIN dated d ON d.entry_no = e.entry_no
),
item AS (
    SELECT r.currency, r.since, CAST(coalesce(r.hours, 0) * r.rate AS DECIMAL(18,2)) AS amount
    FROM rated r
    WHERE r.rate IS NOT NULL AND r.currency IS NOT NULL
    UNION ALL
    SELECT x.currency, coalesce(CAST(x.approved_at AS DATE), x.incurred_on),
           coalesce(x.amount, 0) - coalesce(x.tax_amount, 0)
    FROM canon.expense x
    LEFT JOIN canon.invoice i ON i.document_no = x.invoice_document_no
    WHERE coalesce(x.approval_status, 'approved') = 'approved'
      AND x.project_code IS NOT NULL AND x.billable AND x.currency IS NOT NULL
      AND CASE WHEN i.status IS NOT NULL THEN i.status IN ('draft', 'validated', 'void')
               ELSE x.posting_status IS DISTINCT FROM 'invoiced' END
),
aged AS (
    SELECT m.currency, m.amount,
           coalesce(CASE WHEN m.since <= CAST($as_of AS DATE) THEN CAST($as_of AS DATE) - m.since
                         WHEN m.since IS NOT NULL THEN 0 END, 91) AS days
    FROM item m
)
SELECT c.currency, b.age, coalesce(sum(e.amount), 0) AS value
FROM (
    SELECT p.currency FROM canon.project p WHERE p.currency IS NOT NULL
    UNION
    SELECT m.currency FROM item m
) c
CROSS JOIN (
    VALUES ('0-7d', 0, 7), ('8-30d', 8, 30), ('31-60d', 31, 60), ('61-90d', 61, 90), ('over 90d', 91, 999999)
) b(age, first_day, last_day)
LEFT JOIN aged e ON e.currency = c.currency AND e.days BETWEEN b.first_day AND b.last_day
GROUP BY c.currency, b.age, b.first_day
ORDER BY c.currency, b.first_day
