-- entity: invoice_line
-- act: somebody removes a line of a bill from the PSA
DELETE FROM bill_line
WHERE (document_no, line_no) IN (SELECT document_no, line_no FROM bill_line ORDER BY document_no, line_no LIMIT 1)
RETURNING document_no || '|' || line_no
