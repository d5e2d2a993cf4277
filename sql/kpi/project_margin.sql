-- metric: trueup_project_margin_ratio
-- help: Margin of the projects that were invoiced in the last 365 days, whole life to date, by currency.
-- unit: ratio
-- labels: currency
-- every: 5m
-- (invoiced − labour cost − expenses) / invoiced, all net, over all projects of a currency together.
-- Projects: those with an invoice, not only a credit note, issued in the 365 days that end today (UTC).
-- Of these, everything from the beginning counts, because work and its invoice fall into different periods.
-- Invoiced: documents that are issued, partially_paid, paid or credited, dated up to today; by line, a line
-- without a project belongs to the document's; a document without lines counts as a whole. A credit note
-- takes off, whichever sign its amounts have. What names no project is left out.
-- Labour cost: time up to today that is approved or needs no approval, billable or not: its cost_amount,
-- else hours × the worker's cost rate on that day.
-- Expenses: approved or in need of no approval, up to today, billable or not, without the tax in them.
-- A project with a cost that nobody knows, or with money in two currencies, is left out: its margin would
-- be wrong. margin_unknown.sql counts these. No row for a currency without (positive) revenue.
-- Source: the common definition (revenue − labour cost − direct expenses) / revenue; revenue is what was
-- invoiced, because canonical rows know no recognised revenue.
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
    SELECT min(m.currency) AS currency, sum(m.revenue) AS revenue, sum(m.cost) AS cost
    FROM money m
    WHERE m.project_code IS NOT NULL
    GROUP BY m.project_code
    HAVING bool_or(m.recent)
       AND count(m.currency) = count(*) AND count(m.cost) = count(*) AND min(m.currency) = max(m.currency)
)
SELECT p.currency, CAST(round((sum(p.revenue) - sum(p.cost)) / sum(p.revenue), 6) AS DECIMAL(18,6)) AS value
FROM project p
GROUP BY p.currency
HAVING sum(p.revenue) > 0
ORDER BY p.currency
