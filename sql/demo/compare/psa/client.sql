-- key: customer_no
-- table: customer
-- The PSA's `customer` as it must be, over the canonical row.
SELECT client_no AS customer_no, name, tax_no, country, currency, payment_terms_days AS terms_days, status AS state,
       merged_into_no AS successor_no
FROM canon.client
