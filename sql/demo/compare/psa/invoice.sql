-- key: document_no
-- table: bill
-- The PSA's `bill` as it must be, over the canonical row.
SELECT document_no, invoice_no AS legal_no, kind, client_no AS customer_no, contract_no AS agreement_no,
       project_code AS engagement, issued_on, due_on, currency, net_amount AS net, gross_amount AS gross,
       paid_amount AS paid, status AS state, paid_on
FROM canon.invoice
