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
WITH rated AS (
    SELECT t.approved_at, t.work_date,
           CASE WHEN n.bill_rate_amount IS NOT NULL THEN n.bill_rate_amount ELSE a.bill_rate_amount END AS rate,
           coalesce(CASE WHEN n.bill_rate_amount IS NOT NULL THEN n.currency ELSE a.currency END,
                    p.currency) AS currency
    FROM canon.time_entry t
    LEFT JOIN canon.project p ON p.project_code = t.project_code
    LEFT JOIN canon.contract c ON c.contract_no = p.contract_no
    LEFT JOIN canon.invoice i ON i.document_no = t.invoice_document_no
    LEFT JOIN canon.assignment n ON n.assignment_no = t.assignment_no
    LEFT JOIN canon.assignment a ON a.project_code = t.project_code AND a.worker_no = t.worker_no
        AND a.bill_rate_amount IS NOT NULL
        AND (a.starts_on IS NULL OR a.starts_on <= t.work_date) AND (a.ends_on IS NULL OR a.ends_on >= t.work_date)
    WHERE coalesce(t.approval_status, 'approved') = 'approved'
      AND t.project_code IS NOT NULL AND t.kind IS DISTINCT FROM 'leave'
      AND coalesce(t.billable, p.billable) AND p.billable IS DISTINCT FROM false
      AND coalesce(c.kind, '') NOT IN ('fixed_price', 'milestone')
      AND CASE WHEN i.status IS NOT NULL THEN i.status IN ('draft', 'validated', 'void')
               ELSE t.posting_status IS DISTINCT FROM 'invoiced' END
    QUALIFY row_number() OVER (
        PARTITION BY t.entry_no ORDER BY a.starts_on DESC NULLS LAST, a.assignment_no DESC) = 1
),
missing AS (
    SELECT coalesce(CASE WHEN m.since <= CAST($as_of AS DATE) THEN CAST($as_of AS DATE) - m.since
                         WHEN m.since IS NOT NULL THEN 0 END, 91) AS days
    FROM (
        SELECT coalesce(CAST(r.approved_at AS DATE), r.work_date) AS since
        FROM rated r
        WHERE r.rate IS NULL OR r.currency IS NULL
    ) m
)
SELECT b.age, count(e.days) AS value
FROM (VALUES ('0-7d', 0, 7), ('8-30d', 8, 30), ('31-60d', 31, 60), ('61-90d', 61, 90), ('over 90d', 91, 999999)
) b(age, first_day, last_day)
LEFT JOIN missing e ON e.days BETWEEN b.first_day AND b.last_day
GROUP BY b.age, b.first_day
ORDER BY b.first_day
