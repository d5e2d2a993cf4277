-- entity: worker
-- key: worker_no
-- refs: manager_no -> worker soft, org_unit_code -> org_unit soft
-- A person who works for the firm, employed or contracted. One row per staff number for ever:
-- who leaves stays as `terminated`. The manager is a worker and the unit has a manager, so both
-- references may arrive later.
CREATE TABLE worker (
    worker_no VARCHAR NOT NULL,        -- Staff number that HR, ERP and PSA all know. Owner: HR.
    full_name VARCHAR,                 -- Given name and family name as printed. Owner: HR. PII.
    work_email VARCHAR,                -- Work e-mail address, lower case. Owner: HR or directory. PII.
    employment_type VARCHAR,           -- employee, contractor, intern or other. Owner: HR.
    status VARCHAR,                    -- pre_hire, active, leave or terminated, on the day of evaluation. Owner: HR.
    hire_date DATE,                    -- First day of the current employment. Owner: HR.
    termination_date DATE,             -- Last day of employment; NULL while none is set. Owner: HR.
    job_title VARCHAR,                 -- Job held on the day of evaluation. Owner: HR.
    org_unit_code VARCHAR,             -- Unit the worker belongs to on the day of evaluation. Owner: HR.
    manager_no VARCHAR,                -- Staff number of the direct manager. Owner: HR.
    legal_entity_code VARCHAR,         -- Company that employs or contracts the worker. Owner: HR.
    cost_center VARCHAR,               -- Cost centre that carries the worker's cost. Owner: ERP.
    capacity_hours_week DECIMAL(5,2)   -- Contracted hours a week. Owner: HR.
);
