-- entity: project
-- key: project_code
-- refs: client_no -> client, contract_no -> contract, org_unit_code -> org_unit soft, manager_no -> worker soft
-- A piece of work that time and expenses are booked on. It may move to another client; its code
-- stays.
CREATE TABLE project (
    project_code VARCHAR NOT NULL,     -- Project code. Owner: ERP or PSA.
    name VARCHAR,                      -- Title. Owner: PSA.
    client_no VARCHAR,                 -- Client number; NULL for internal work. Owner: ERP.
    contract_no VARCHAR,               -- Contract it is invoiced under. Owner: ERP.
    org_unit_code VARCHAR,             -- Unit that answers for its result. Owner: ERP.
    manager_no VARCHAR,                -- Staff number of the project manager. Owner: PSA.
    status VARCHAR,                    -- planned, open, on_hold, closed or cancelled. Owner: PSA.
    starts_on DATE,                    -- First planned day. Owner: PSA.
    ends_on DATE,                      -- Last planned day; NULL if open. Owner: PSA.
    budget_hours DECIMAL(12,2),        -- Budget in hours. Owner: PSA.
    budget_amount DECIMAL(18,2),       -- Budget in `currency`. Owner: PSA.
    currency VARCHAR,                  -- ISO 4217 code. Owner: ERP.
    billable BOOLEAN                   -- Whether its time is invoiced. Owner: PSA.
);
