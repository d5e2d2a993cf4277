-- The demo's target: the database of a project-accounting system (PSA), PostgreSQL. The tables
-- are the operator's own, with their own names, surrogate keys and rules; each has a unique key
-- on the business key that Trueup writes by. Foreign keys stand where the reference must exist
-- before the row; references that may come later (a manager, the head of a unit) have none.

CREATE TABLE org (
    org_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code       varchar(20)  NOT NULL UNIQUE,
    title      varchar(120) NOT NULL,
    level      varchar(20),
    parent     varchar(20),
    head       varchar(20),
    currency   char(3),
    active     boolean      NOT NULL
);

CREATE TABLE resource (
    resource_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    employee_code varchar(20)  NOT NULL UNIQUE,
    display_name  varchar(160) NOT NULL,
    email         varchar(160),
    kind          varchar(20),
    start_on      date,
    end_on        date,
    active        boolean      NOT NULL,
    title         varchar(80),
    org_code      varchar(20),
    manager_code  varchar(20),
    hours_week    numeric(5,2)
);

CREATE TABLE customer (
    customer_no  varchar(20)  PRIMARY KEY,
    name         varchar(160) NOT NULL,
    tax_no       varchar(40),
    country      char(2),
    currency     char(3)      NOT NULL,
    terms_days   integer,
    state        varchar(12)  NOT NULL,
    successor_no varchar(20)
);

CREATE TABLE agreement (
    agreement_no varchar(20)  PRIMARY KEY,
    customer_no  varchar(20)  NOT NULL REFERENCES customer,
    title        varchar(160) NOT NULL,
    model        varchar(20)  NOT NULL,
    state        varchar(12)  NOT NULL,
    start_on     date,
    end_on       date,
    cap          numeric(18,2),
    currency     char(3)      NOT NULL,
    po_no        varchar(40)
);

CREATE TABLE engagement (
    code         varchar(20)  PRIMARY KEY,
    title        varchar(160) NOT NULL,
    customer_no  varchar(20)  REFERENCES customer,
    agreement_no varchar(20)  REFERENCES agreement,
    org_code     varchar(20),
    manager_code varchar(20),
    state        varchar(12)  NOT NULL,
    start_on     date,
    end_on       date,
    budget_hours numeric(12,2),
    budget       numeric(18,2),
    currency     char(3)      NOT NULL,
    billable     boolean      NOT NULL
);

CREATE TABLE allocation (
    allocation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_no  varchar(40)  NOT NULL UNIQUE,
    engagement   varchar(20)  NOT NULL REFERENCES engagement,
    resource     varchar(20)  NOT NULL REFERENCES resource (employee_code),
    role         varchar(60),
    start_on     date,
    end_on       date,
    hours        numeric(12,2),
    percent      numeric(7,2),
    price        numeric(18,4),
    billable     boolean      NOT NULL
);

CREATE TABLE time_record (
    record_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_no  varchar(40)  NOT NULL UNIQUE,
    resource     varchar(20)  NOT NULL REFERENCES resource (employee_code),
    engagement   varchar(20)  REFERENCES engagement,
    task         varchar(100),
    day          date         NOT NULL,
    minutes      integer      NOT NULL CHECK (minutes >= 0),
    kind         varchar(12)  NOT NULL,
    billable     boolean      NOT NULL,
    note         text,
    state        varchar(12)  NOT NULL,
    approved_at  timestamptz,
    approver     varchar(20),
    billing      varchar(12)  NOT NULL,
    cost         numeric(18,4),
    bill_no      varchar(20)
);

CREATE TABLE expense_item (
    external_no  varchar(40)  PRIMARY KEY,
    resource     varchar(20)  NOT NULL REFERENCES resource (employee_code),
    engagement   varchar(20)  REFERENCES engagement,
    category     varchar(12)  NOT NULL,
    day          date         NOT NULL,
    amount       numeric(18,2) NOT NULL,
    tax          numeric(18,2),
    currency     char(3)      NOT NULL,
    refund       boolean      NOT NULL,
    billable     boolean      NOT NULL,
    purpose      text,
    state        varchar(12)  NOT NULL,
    approved_at  timestamptz,
    billing      varchar(12)  NOT NULL
);

CREATE TABLE bill (
    document_no  varchar(20)  PRIMARY KEY,
    legal_no     varchar(20)  UNIQUE,
    kind         varchar(12)  NOT NULL,
    customer_no  varchar(20)  NOT NULL REFERENCES customer,
    agreement_no varchar(20),
    engagement   varchar(20),
    issued_on    date,
    due_on       date,
    currency     char(3)      NOT NULL,
    net          numeric(18,2) NOT NULL,
    gross        numeric(18,2) NOT NULL,
    paid         numeric(18,2) NOT NULL,
    state        varchar(16)  NOT NULL,
    paid_on      date
);

CREATE TABLE bill_line (
    document_no  varchar(20)  NOT NULL REFERENCES bill,
    line_no      integer      NOT NULL,
    kind         varchar(12)  NOT NULL,
    text         text,
    engagement   varchar(20),
    time_no      varchar(40),
    quantity     numeric(18,6) NOT NULL,
    price        numeric(18,6) NOT NULL,
    net          numeric(18,2) NOT NULL,
    PRIMARY KEY (document_no, line_no)
);

CREATE TABLE rate (
    resource     varchar(20)  NOT NULL REFERENCES resource (employee_code),
    valid_from   date         NOT NULL,
    valid_to     date,
    hourly_cost  numeric(18,4) NOT NULL,
    currency     char(3)      NOT NULL,
    PRIMARY KEY (resource, valid_from)
);
