-- metric: trueup_projects_margin_unknown
-- help: Projects invoiced in the last 365 days whose margin cannot be told, by reason.
-- unit: rows
-- labels: reason
-- every: 5m
-- These projects are left out of project_margin.sql, which says what each part is. Reasons, the first
-- that applies:
--   cost      a time entry without cost_amount and without a cost rate on that day, an expense without an
--             amount, or money without a currency
--   currency  money in two currencies: they are not added, and canonical rows know no exchange rates
-- Source: own definition.
WITH billed AS (
    SELECT i.document_no, i.kind, i.issued_on,
           coalesce(l.project_code, i.project_code) AS project_code,
           coalesce(l.currency, i.currency) AS currency,
           coalesce(CASE WHEN l.document_no IS NULL THEN i.net_amount ELSE l.net_amount END, 0) AS net
    FROM canon.invoice i
    LEFT JOIN canon.invoice_line l ON l.document_no = i.document_no
    WHERE i.status IN ('issued', 'partially_paid', 'paid', 'credited')
      AND (i.issued_on IS NULL OR i.issued_on <= CAST($as_of AS DATE))
),
signed AS (
    SELECT b.project_code, b.currency,
           CASE WHEN b.kind = 'credit_note' AND sum(b.net) OVER (PARTITION BY b.document_no) > 0
                THEN -b.net ELSE b.net END AS revenue,
           b.kind IS DISTINCT FROM 'credit_note' AND b.issued_on > CAST($as_of AS DATE) - 365 AS recent
    FROM billed b
),
rate AS (
    SELECT d.worker_no, d.work_date, arg_max({'hourly': r.hourly_amount, 'currency': r.currency}, r.valid_from) AS price
    FROM (SELECT DISTINCT t.worker_no, t.work_date FROM canon.time_entry t WHERE t.cost_amount IS NULL) d
    JOIN canon.cost_rate r ON r.worker_no = d.worker_no
        AND r.valid_from <= d.work_date AND (r.valid_to IS NULL OR r.valid_to > d.work_date)
    GROUP BY d.worker_no, d.work_date
),
labour AS (
    SELECT t.project_code,
           CASE WHEN t.cost_amount IS NOT NULL THEN t.currency ELSE r.price.currency END AS currency,
           CASE WHEN t.cost_amount IS NOT NULL THEN t.cost_amount ELSE t.hours * r.price.hourly END AS cost
    FROM canon.time_entry t
    LEFT JOIN rate r ON r.worker_no = t.worker_no AND r.work_date = t.work_date
    WHERE coalesce(t.approval_status, 'approved') = 'approved' AND t.hours <> 0
      AND (t.work_date IS NULL OR t.work_date <= CAST($as_of AS DATE))
),
money AS (
    SELECT s.project_code, s.currency, s.revenue, 0 AS cost, s.recent FROM signed s
    UNION ALL
    SELECT l.project_code, l.currency, 0, l.cost, false FROM labour l
    UNION ALL
    SELECT x.project_code, x.currency, 0, x.amount - coalesce(x.tax_amount, 0), false
    FROM canon.expense x
    WHERE coalesce(x.approval_status, 'approved') = 'approved'
      AND (x.incurred_on IS NULL OR x.incurred_on <= CAST($as_of AS DATE))
),
project AS (
    SELECT CASE WHEN count(m.currency) < count(*) OR count(m.cost) < count(*) THEN 'cost'
                WHEN min(m.currency) <> max(m.currency) THEN 'currency' END AS reason
    FROM money m
    WHERE m.project_code IS NOT NULL
    GROUP BY m.project_code
    HAVING bool_or(m.recent)
)
SELECT r.reason, count(p.reason) AS value
FROM (VALUES ('cost'), ('currency')) r(reason)
LEFT JOIN project p ON p.reason = r.reason
GROUP BY r.reason
ORDER BY r.reason
