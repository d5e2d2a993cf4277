-- key: document_no, line_no
-- table: bill_line
-- The PSA's `bill_line` as it must be, over the canonical row.
SELECT document_no, line_no, kind, description AS text, project_code AS engagement, entry_no AS time_no, quantity,
       unit_price_amount AS price, net_amount AS net
FROM canon.invoice_line
