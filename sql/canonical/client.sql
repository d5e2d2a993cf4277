-- entity: client
-- key: client_no
-- refs: merged_into_no -> client soft
-- An organisation or person the firm works for. A client merged into another stays, with the
-- number of the one that goes on.
CREATE TABLE client (
    client_no VARCHAR NOT NULL,        -- Client number that ERP, CRM and PSA know. Owner: ERP or CRM.
    name VARCHAR,                      -- Name as invoiced. Owner: CRM. PII if a person.
    tax_no VARCHAR,                    -- Tax or VAT number. Owner: ERP.
    country VARCHAR,                   -- ISO 3166-1 alpha-2 code. Owner: ERP.
    currency VARCHAR,                  -- ISO 4217 code invoices are issued in. Owner: ERP.
    payment_terms_days INTEGER,        -- Days from issue to due date. Owner: ERP.
    status VARCHAR,                    -- prospect, active, blocked, closed or merged. Owner: ERP.
    merged_into_no VARCHAR             -- Number of the client this one was merged into. Owner: ERP.
);
