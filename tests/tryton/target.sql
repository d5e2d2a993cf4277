-- A PSA's own tables, named its own way. Rows refer to each other as such systems have it.
CREATE TABLE org (
    code     text PRIMARY KEY,
    title    text NOT NULL,
    level    text,
    currency char(3),
    active   boolean
);

CREATE TABLE resource (
    employee_code text PRIMARY KEY,
    display_name  text NOT NULL,
    email         text,
    active        boolean NOT NULL,
    start_on      date,
    end_on        date,
    org_code      text,
    manager_code  text,
    hours_week    numeric(5,2)
);

CREATE TABLE customer (
    customer_no  text PRIMARY KEY,
    name         text NOT NULL,
    state        text NOT NULL,
    successor_no text
);

CREATE TABLE engagement (
    code        text PRIMARY KEY,
    title       text NOT NULL,
    customer_no text REFERENCES customer,
    org_code    text,
    state       text,
    start_on    date,
    end_on      date,
    billable    boolean
);

CREATE TABLE allocation (
    external_no text PRIMARY KEY,
    engagement  text REFERENCES engagement,
    resource    text NOT NULL REFERENCES resource,
    role        text,
    percent     numeric(7,2)
);

CREATE TABLE time_record (
    external_no text PRIMARY KEY,
    resource    text NOT NULL REFERENCES resource,
    engagement  text REFERENCES engagement,
    task        text,
    day         date NOT NULL,
    seconds     integer NOT NULL,
    billable    boolean,
    note        text,
    billing     text,
    cost        numeric(18,4),
    currency    char(3),
    bill_no     text
);

CREATE TABLE rate (
    resource    text NOT NULL REFERENCES resource,
    valid_from  date NOT NULL,
    valid_to    date,
    hourly_cost numeric(18,4),
    currency    char(3),
    PRIMARY KEY (resource, valid_from)
);

CREATE TABLE bill (
    document_no text PRIMARY KEY,
    legal_no    text UNIQUE,
    kind        text NOT NULL,
    customer_no text NOT NULL REFERENCES customer,
    issued_on   date,
    currency    char(3),
    net         numeric(18,2),
    tax         numeric(18,2),
    gross       numeric(18,2),
    state       text
);
