-- key: agreement_no
-- table: agreement
-- The PSA's `agreement` as it must be, over the canonical row.
SELECT contract_no AS agreement_no, client_no AS customer_no, name AS title, kind AS model, status AS state,
       starts_on AS start_on, ends_on AS end_on, value_amount AS cap, currency, purchase_order_no AS po_no
FROM canon.contract
