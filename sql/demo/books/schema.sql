-- The demo's second target: the project accounting of the ERP's successor, PostgreSQL. It takes the
-- time that was worked, to post it; it knows people and projects by their numbers only.

CREATE TABLE time_posting (
    posting_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_no    varchar(40)   NOT NULL UNIQUE,
    worker_no   varchar(20)   NOT NULL,
    project     varchar(20),
    work_day    date          NOT NULL,
    hours       numeric(8,2)  NOT NULL,
    approved    boolean       NOT NULL,
    approved_at timestamptz,
    cost        numeric(18,4),
    currency    char(3)
);
