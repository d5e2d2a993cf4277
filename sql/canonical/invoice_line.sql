-- entity: invoice_line
-- key: document_no, line_no
-- refs: document_no -> invoice, project_code -> project soft, entry_no -> time_entry soft, expense_no -> expense soft
-- A line of an invoice, with what it bills.
CREATE TABLE invoice_line (
    document_no VARCHAR NOT NULL,      -- Number of the document. Owner: ERP.
    line_no INTEGER NOT NULL,          -- Number of the line in the document. Owner: ERP.
    kind VARCHAR,                      -- time, expense, milestone or other. Owner: ERP.
    description VARCHAR,               -- Text as printed. Owner: ERP.
    project_code VARCHAR,              -- Project code. Owner: ERP.
    entry_no VARCHAR,                  -- Time entry it bills, if one. Owner: ERP.
    expense_no VARCHAR,                -- Expense it bills, if one. Owner: ERP.
    quantity DECIMAL(18,6),            -- Quantity; hours for time. Owner: ERP.
    unit_price_amount DECIMAL(18,6),   -- Price of one, in `currency`. Owner: ERP.
    net_amount DECIMAL(18,2),          -- Amount without tax, in `currency`. Owner: ERP.
    currency VARCHAR                   -- ISO 4217 code. Owner: ERP.
);
