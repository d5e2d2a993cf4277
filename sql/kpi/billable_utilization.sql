-- metric: trueup_billable_utilization_ratio
-- help: Billable hours over available hours of active workers in the last 30 full days, by basis.
-- unit: ratio
-- labels: basis
-- every: 5m
-- Period: the 30 days before today (UTC), today not among them.
-- Workers: status `active` and capacity_hours_week above 0; others count neither above nor below the line.
-- Of each, only the days of the period from hire_date to termination_date count.
-- Billable hours: time of these workers on these days, not rejected, on a project, not leave; the entry
-- says billable, or says nothing and its project does; a project that is not billable has none.
-- Available hours of a worker:
--   2080            2080 × days / 365 × capacity / 40
--   2000            2000 × days / 365 × capacity / 40
--   calendar_gross  capacity / 5 × Mondays to Fridays; holidays of the calendar are not taken off
--   calendar_net    calendar_gross − hours of kind leave, not rejected; never below 0
-- Source: billable_hours / available_hours is Ruddr's glossary; 2080 before 2000 hours, before vacation,
-- T. Lah (TPSA); available hours without time off, Monitask. They disagree, so `basis` says which.
WITH worker AS (
    SELECT w.worker_no, w.capacity_hours_week AS capacity, w.hire_date, w.termination_date
    FROM canon.worker w
    WHERE w.status = 'active' AND w.capacity_hours_week > 0
),
period AS (
    SELECT CAST(r.day AS DATE) AS day
    FROM range(CAST(CAST($as_of AS DATE) - 30 AS TIMESTAMP), CAST(CAST($as_of AS DATE) AS TIMESTAMP),
               INTERVAL 1 DAY) r(day)
),
worker_day AS (
    SELECT w.worker_no, w.capacity, p.day
    FROM worker w
    JOIN period p ON p.day >= coalesce(w.hire_date, p.day) AND p.day <= coalesce(w.termination_date, p.day)
),
calendar AS (
    SELECT d.worker_no, count(*) * d.capacity / 40 AS full_time_days,
           count(*) FILTER (WHERE isodow(d.day) <= 5) * d.capacity / 5 AS gross
    FROM worker_day d
    GROUP BY d.worker_no, d.capacity
),
booked AS (
    SELECT t.worker_no,
           coalesce(sum(t.hours) FILTER (WHERE t.kind = 'leave'), 0) AS leave,
           coalesce(sum(t.hours) FILTER (WHERE t.kind IS DISTINCT FROM 'leave' AND t.project_code IS NOT NULL
               AND coalesce(t.billable, p.billable) AND p.billable IS DISTINCT FROM false), 0) AS billable
    FROM canon.time_entry t
    JOIN worker_day d ON d.worker_no = t.worker_no AND d.day = t.work_date
    LEFT JOIN canon.project p ON p.project_code = t.project_code
    WHERE coalesce(t.approval_status, 'approved') <> 'rejected'
    GROUP BY t.worker_no
),
total AS (
    SELECT sum(coalesce(b.billable, 0)) AS billable, sum(c.full_time_days) / 365 AS full_time_years,
           sum(c.gross) AS gross,
           sum(CASE WHEN c.gross > coalesce(b.leave, 0) THEN c.gross - coalesce(b.leave, 0) ELSE 0 END) AS net
    FROM calendar c
    LEFT JOIN booked b ON b.worker_no = c.worker_no
)
SELECT a.basis, CAST(round(a.billable / a.available, 6) AS DECIMAL(18,6)) AS value
FROM (
    SELECT '2080' AS basis, t.billable, 2080 * t.full_time_years AS available FROM total t
    UNION ALL
    SELECT '2000', t.billable, 2000 * t.full_time_years FROM total t
    UNION ALL
    SELECT 'calendar_gross', t.billable, t.gross FROM total t
    UNION ALL
    SELECT 'calendar_net', t.billable, t.net FROM total t
) a
WHERE a.available > 0
