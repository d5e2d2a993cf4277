-- A PSA's own tables, named its own way. Rows refer to each other as such systems have it.
CREATE TABLE org (
    code   text PRIMARY KEY,
    title  text NOT NULL,
    level  text,
    parent text,
    active boolean
);

CREATE TABLE resource (
    employee_code text PRIMARY KEY,
    display_name  text NOT NULL,
    email         text,
    kind          text,
    active        boolean NOT NULL,
    start_on      date,
    end_on        date,
    title         text,
    org_code      text,
    manager_code  text
);

CREATE TABLE customer (
    customer_no text PRIMARY KEY,
    name        text NOT NULL,
    state       text NOT NULL
);

CREATE TABLE engagement (
    code        text PRIMARY KEY,
    title       text NOT NULL,
    customer_no text REFERENCES customer,
    state       text
);

CREATE TABLE allocation (
    external_no text PRIMARY KEY,
    engagement  text NOT NULL REFERENCES engagement,
    resource    text NOT NULL REFERENCES resource,
    role        text
);

CREATE TABLE time_record (
    external_no text PRIMARY KEY,
    resource    text NOT NULL REFERENCES resource,
    engagement  text REFERENCES engagement,
    task        text,
    day         date NOT NULL,
    seconds     integer NOT NULL,
    note        text,
    state       text NOT NULL,
    approved_at timestamp,
    approver    text
);
