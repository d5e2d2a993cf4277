-- entity: cost_rate
-- key: worker_no, valid_from
-- refs: worker_no -> worker
-- What an hour of a worker costs the firm, over time. Restricted: it can reveal pay.
CREATE TABLE cost_rate (
    worker_no VARCHAR NOT NULL,        -- Staff number. Owner: HR or ERP.
    valid_from DATE NOT NULL,          -- First day the rate applies. Owner: HR or ERP.
    valid_to DATE,                     -- First day it no longer applies; NULL while open. Owner: HR or ERP.
    hourly_amount DECIMAL(18,4),       -- Cost of an hour, in `currency`. Owner: HR or ERP. PII.
    currency VARCHAR                   -- ISO 4217 code. Owner: HR or ERP.
);
