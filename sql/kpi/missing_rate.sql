-- metric: trueup_time_entries_missing_rate
-- help: Approved billable time entries, not invoiced, that no bill rate is known for, by age.
-- unit: entries
-- labels: age
-- every: 5m
-- Leakage: work that nobody can put a price on is not in unbilled_wip.sql. Which entries are looked at,
-- how a rate is found, and the age are as there. No rate: neither the assignment that the entry names
-- nor one of the worker on the project on that day has a bill rate, or the rate has no currency and
-- neither has the project. A rate of 0 is a rate.
-- Source: own definition; what users of such systems call revenue leakage.
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
missing AS (
    SELECT coalesce(CASE WHEN m.since <= CAST($as_of AS DATE) THEN CAST($as_of AS DATE) - m.since
                         WHEN m.since IS NOT NULL THEN 0 END, 91) AS days
    FROM rated m
    WHERE m.rate IS NULL OR m.currency IS NULL
)
SELECT b.age, count(e.days) AS value
FROM (VALUES ('0-7d', 0, 7), ('8-30d', 8, 30), ('31-60d', 31, 60), ('61-90d', 61, 90), ('over 90d', 91, 999999)
) b(age, first_day, last_day)
LEFT JOIN missing e ON e.days BETWEEN b.first_day AND b.last_day
GROUP BY b.age, b.first_day
ORDER BY b.first_day
