-- entity: invoice
-- key: document_no
-- refs: client_no -> client, contract_no -> contract soft, project_code -> project soft
-- An invoice or credit note to a client. The legal number appears when it is issued and may be
-- absent before, so the key is the number of the document in the ERP.
CREATE TABLE invoice (
    document_no VARCHAR NOT NULL,      -- Number of the document, stable from draft on. Owner: ERP.
    invoice_no VARCHAR,                -- Legal invoice number; NULL until issued. Owner: ERP.
    kind VARCHAR,                      -- invoice or credit_note. Owner: ERP.
    client_no VARCHAR,                 -- Client number. Owner: ERP.
    contract_no VARCHAR,               -- Contract it is issued under. Owner: ERP.
    project_code VARCHAR,              -- Project, if it is for one only. Owner: ERP.
    issued_on DATE,                    -- Date of issue. Owner: ERP.
    due_on DATE,                       -- Due date. Owner: ERP.
    currency VARCHAR,                  -- ISO 4217 code. Owner: ERP.
    net_amount DECIMAL(18,2),          -- Sum without tax, in `currency`. Owner: ERP.
    tax_amount DECIMAL(18,2),          -- Tax, in `currency`. Owner: ERP.
    gross_amount DECIMAL(18,2),        -- Sum with tax, in `currency`. Owner: ERP.
    paid_amount DECIMAL(18,2),         -- Paid so far, in `currency`. Owner: ERP.
    status VARCHAR,                    -- draft, validated, issued, partially_paid, paid, void or credited. Owner: ERP.
    paid_on DATE                       -- Day the last payment settled it; NULL until then. Owner: ERP.
);
