-- entity: assignment
-- key: assignment_no
-- refs: project_code -> project, worker_no -> worker
-- A worker staffed on a project for a time. One worker may be staffed on one project more than
-- once (roles, tasks, periods), and some systems keep no dates, so the key is the number its
-- owner gave it.
CREATE TABLE assignment (
    assignment_no VARCHAR NOT NULL,    -- Number of the assignment. Owner: PSA or ERP.
    project_code VARCHAR,              -- Project code. Owner: as the key.
    worker_no VARCHAR,                 -- Staff number. Owner: as the key.
    role VARCHAR,                      -- Role or task on the project. Owner: PSA.
    starts_on DATE,                    -- First day. Owner: PSA.
    ends_on DATE,                      -- Last day; NULL if open. Owner: PSA.
    planned_hours DECIMAL(12,2),       -- Hours planned in all. Owner: PSA.
    allocation_percent DECIMAL(7,2),   -- Share of the worker's capacity, 100 = all of it. Owner: PSA.
    bill_rate_amount DECIMAL(18,4),    -- Price of an hour, in `currency`. Owner: ERP.
    currency VARCHAR,                  -- ISO 4217 code. Owner: ERP.
    billable BOOLEAN                   -- Whether its time is invoiced. Owner: PSA.
);
