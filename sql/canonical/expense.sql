-- entity: expense
-- key: expense_no
-- refs: worker_no -> worker, project_code -> project, approver_no -> worker soft, invoice_document_no -> invoice soft
-- Money a worker spent for the firm. Approval and posting have different owners, as with time.
CREATE TABLE expense (
    expense_no VARCHAR NOT NULL,       -- Number of the expense. Owner: expense system or ERP.
    worker_no VARCHAR,                 -- Staff number. Owner: as the key.
    project_code VARCHAR,              -- Project code; NULL for overhead. Owner: as the key.
    category VARCHAR,                  -- travel, lodging, meal, material or other. Owner: as the key.
    incurred_on DATE,                  -- Day of the receipt. Owner: as the key.
    amount DECIMAL(18,2),              -- Gross amount, in `currency`. Owner: as the key.
    tax_amount DECIMAL(18,2),          -- Tax contained in it, in `currency`. Owner: ERP.
    currency VARCHAR,                  -- ISO 4217 code. Owner: as the key.
    reimbursable BOOLEAN,              -- Whether it is paid back to the worker. Owner: expense system.
    billable BOOLEAN,                  -- Whether the client pays it. Owner: PSA.
    receipt_ref VARCHAR,               -- Reference of the receipt. Owner: expense system.
    note VARCHAR,                      -- Purpose, in the worker's words. Owner: expense system. PII.
    approval_status VARCHAR,           -- draft, submitted, approved or rejected. Owner: expense system.
    approved_at TIMESTAMP,             -- When it was approved, UTC. Owner: expense system.
    approver_no VARCHAR,               -- Staff number of who approved it. Owner: expense system.
    posting_status VARCHAR,            -- unposted, posted or invoiced. Owner: ERP.
    invoice_document_no VARCHAR        -- Invoice that bills it. Owner: ERP.
);
