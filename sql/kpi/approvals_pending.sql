-- metric: trueup_approvals_pending
-- help: Time entries and expenses that were handed in and that nobody has approved or rejected, by age.
-- unit: entries
-- labels: kind, age
-- every: 1m
-- Counted: approval_status `submitted`. A draft does not wait for an approver, and where nobody approves
-- (NULL) nothing waits. `kind` is `time` or `expense`.
-- Age: days from the day of the work, or of the receipt, to today (UTC); canonical rows do not say when
-- they were handed in. 0 if that day is in the future; without a day: over 90d.
-- Source: own definition.
SELECT k.kind, b.age, count(e.days) AS value
FROM (VALUES ('time'), ('expense')) k(kind)
CROSS JOIN (
    VALUES ('0-7d', 0, 7), ('8-30d', 8, 30), ('31-60d', 31, 60), ('61-90d', 61, 90), ('over 90d', 91, 999999)
) b(age, first_day, last_day)
LEFT JOIN (
    SELECT a.kind,
           coalesce(CASE WHEN a.since <= CAST($as_of AS DATE) THEN CAST($as_of AS DATE) - a.since
                         WHEN a.since IS NOT NULL THEN 0 END, 91) AS days
    FROM (
        SELECT 'time' AS kind, t.work_date AS since
        FROM canon.time_entry t
        WHERE t.approval_status = 'submitted'
        UNION ALL
        SELECT 'expense', x.incurred_on
        FROM canon.expense x
        WHERE x.approval_status = 'submitted'
    ) a
) e ON e.kind = k.kind AND e.days BETWEEN b.first_day AND b.last_day
GROUP BY k.kind, b.age, b.first_day
ORDER BY k.kind DESC, b.first_day
