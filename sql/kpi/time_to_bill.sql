-- metric: trueup_time_to_bill_seconds
-- help: Time from the approval of a time entry to the date of the invoice that bills it, last 90 days.
-- unit: seconds
-- labels: quantile
-- every: 5m
-- Entries: with a time of approval, billed by an invoice (no credit note) that is issued, partially_paid,
-- paid or credited and dated in the 90 days that end today (UTC). Each entry counts once, however long.
-- Seconds: from approved_at to midnight UTC at which the date of issue begins, at least 0: an invoice of
-- the same day is 0. Quantiles between two entries are interpolated. No row if nothing was billed.
-- Source: own definition.
WITH billed AS (
    SELECT greatest(date_diff('second', t.approved_at, CAST(i.issued_on AS TIMESTAMP)), 0) AS seconds
    FROM canon.time_entry t
    JOIN canon.invoice i ON i.document_no = t.invoice_document_no
    WHERE t.approved_at IS NOT NULL
      AND i.status IN ('issued', 'partially_paid', 'paid', 'credited') AND i.kind IS DISTINCT FROM 'credit_note'
      AND i.issued_on > CAST($as_of AS DATE) - 90 AND i.issued_on <= CAST($as_of AS DATE)
)
SELECT '0.5' AS quantile, CAST(round(quantile_cont(b.seconds, 0.5)) AS BIGINT) AS value
FROM billed b
HAVING count(*) > 0
UNION ALL
SELECT '0.9', CAST(round(quantile_cont(b.seconds, 0.9)) AS BIGINT)
FROM billed b
HAVING count(*) > 0
