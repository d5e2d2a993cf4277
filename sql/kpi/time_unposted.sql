-- metric: trueup_time_entries_unposted
-- help: Approved time entries that the ERP has not posted, by age since approval.
-- unit: entries
-- labels: age
-- every: 1m
-- Counted: approved, or no approval is needed (approval_status NULL), and the ERP says `unposted` or
-- does not know the entry (posting_status NULL). Time of all kinds, leave too.
-- Age: days from the day of approval to today, both UTC; without a time of approval, from the day of the
-- work; 0 if that day is in the future. Without any day: over 90d.
-- Source: own definition; the count behind the "unposted time" that billing teams look at.
SELECT b.age, count(e.days) AS value
FROM (VALUES ('0-7d', 0, 7), ('8-30d', 8, 30), ('31-60d', 31, 60), ('61-90d', 61, 90), ('over 90d', 91, 999999)
) b(age, first_day, last_day)
LEFT JOIN (
    SELECT coalesce(CASE WHEN a.since <= CAST($as_of AS DATE) THEN CAST($as_of AS DATE) - a.since
                         WHEN a.since IS NOT NULL THEN 0 END, 91) AS days
    FROM (
        SELECT coalesce(CAST(t.approved_at AS DATE), t.work_date) AS since
        FROM canon.time_entry t
        WHERE coalesce(t.approval_status, 'approved') = 'approved'
          AND coalesce(t.posting_status, 'unposted') = 'unposted'
    ) a
) e ON e.days BETWEEN b.first_day AND b.last_day
GROUP BY b.age, b.first_day
ORDER BY b.first_day
