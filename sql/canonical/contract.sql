-- entity: contract
-- key: contract_no
-- refs: client_no -> client
-- What was agreed with a client: the frame that projects are invoiced under.
CREATE TABLE contract (
    contract_no VARCHAR NOT NULL,      -- Contract number. Owner: CRM, then ERP.
    client_no VARCHAR,                 -- Client number. Owner: ERP.
    name VARCHAR,                      -- Title. Owner: ERP.
    kind VARCHAR,                      -- time_and_material, fixed_price, retainer or milestone. Owner: ERP.
    status VARCHAR,                    -- draft, active, closed or cancelled. Owner: ERP.
    starts_on DATE,                    -- First day. Owner: ERP.
    ends_on DATE,                      -- Last day; NULL without end. Owner: ERP.
    value_amount DECIMAL(18,2),        -- Agreed value or cap, in `currency`. Owner: ERP.
    currency VARCHAR,                  -- ISO 4217 code. Owner: ERP.
    purchase_order_no VARCHAR          -- The client's order number. Owner: ERP.
);
