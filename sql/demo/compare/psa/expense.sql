-- key: external_no
-- table: expense_item
-- The PSA's `expense_item` as it must be, over the canonical row.
SELECT expense_no AS external_no, worker_no AS resource, project_code AS engagement, category, incurred_on AS day,
       amount, tax_amount AS tax, currency, reimbursable AS refund, billable, note AS purpose,
       approval_status AS state, timezone('UTC', approved_at) AS approved_at, posting_status AS billing
FROM canon.expense
