-- key: external_no
-- table: time_record
-- The PSA's `time_record` as it must be, over the canonical row.
SELECT entry_no AS external_no, worker_no AS resource, project_code AS engagement, task, work_date AS day,
       CAST(round(hours * 60, 0) AS BIGINT) AS minutes, kind, billable, note, approval_status AS state,
       timezone('UTC', approved_at) AS approved_at, approver_no AS approver, posting_status AS billing,
       cost_amount AS cost, invoice_document_no AS bill_no
FROM canon.time_entry
