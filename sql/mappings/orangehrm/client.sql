-- entity: client
-- version: 1
-- unit: customer_id
-- driver: c
-- watch: c = ohrm_customer.customer_id
-- Deleted customers stay as rows, and come back now and then.
SELECT
    'C' || c.customer_id AS client_no,
    c.name AS name,
    CASE WHEN c.is_deleted = 1 THEN 'closed' ELSE 'active' END AS status,
    c.customer_id AS customer_id,
    c.customer_id AS _from_c
FROM ohrm_customer c
