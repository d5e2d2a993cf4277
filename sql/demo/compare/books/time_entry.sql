-- key: entry_no
-- table: time_posting
-- The books' `time_posting` as it must be, over the canonical row.
SELECT entry_no, worker_no, project_code AS project, work_date AS work_day,
       CAST(round(hours, 2) AS DECIMAL(8,2)) AS hours,
       coalesce(approval_status = 'approved', false) AS approved, timezone('UTC', approved_at) AS approved_at,
       cost_amount AS cost, currency
FROM canon.time_entry
