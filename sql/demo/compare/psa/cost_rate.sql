-- key: resource, valid_from
-- table: rate
-- The PSA's `rate` as it must be, over the canonical row.
SELECT worker_no AS resource, valid_from, valid_to, hourly_amount AS hourly_cost, currency
FROM canon.cost_rate
