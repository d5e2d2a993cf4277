-- entity: time_entry
-- key: entry_no
-- refs: worker_no -> worker, project_code -> project, assignment_no -> assignment soft, approver_no -> worker soft, invoice_document_no -> invoice soft
-- Time worked on a day. Approval and posting have different owners over time, so they are two
-- columns.
CREATE TABLE time_entry (
    entry_no VARCHAR NOT NULL,         -- Number of the entry in the system that recorded it. Owner: PSA or ERP.
    worker_no VARCHAR,                 -- Staff number. Owner: as the key.
    project_code VARCHAR,              -- Project code; NULL for time off projects. Owner: as the key.
    assignment_no VARCHAR,             -- Assignment it is booked under, where known. Owner: PSA.
    task VARCHAR,                      -- Task or activity, as named by its owner. Owner: PSA.
    work_date DATE,                    -- Local day of the work. Owner: as the key.
    hours DECIMAL(12,6),               -- Hours worked; six places hold a second. Owner: as the key.
    kind VARCHAR,                      -- work, travel, leave or other. Owner: as the key.
    billable BOOLEAN,                  -- Whether it is to be invoiced. Owner: PSA.
    note VARCHAR,                      -- What was done, in the worker's words. Owner: as the key. PII.
    approval_status VARCHAR,           -- draft, submitted, approved or rejected; NULL where nobody approves. Owner: PSA.
    approved_at TIMESTAMP,             -- When it was approved, UTC. Owner: PSA.
    approver_no VARCHAR,               -- Staff number of who approved it. Owner: PSA.
    posting_status VARCHAR,            -- unposted, posted or invoiced. Owner: ERP.
    cost_amount DECIMAL(18,4),         -- Cost of the entry, in `currency`. Owner: ERP.
    currency VARCHAR,                  -- ISO 4217 code. Owner: ERP.
    invoice_document_no VARCHAR        -- Invoice that bills it. Owner: ERP.
);
