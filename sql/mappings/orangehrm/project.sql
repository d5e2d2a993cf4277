-- entity: project
-- version: 1
-- unit: project_id
-- driver: j
-- watch: j = ohrm_project.(project_id, customer_id), c = ohrm_customer.customer_id
-- The customer is part of the row's key: a project that moves to another client is a delete and
-- an insert there, but one project with a new client here, because its code is its number alone.
SELECT
    'P' || j.project_id AS project_code,
    j.name AS name,
    'C' || c.customer_id AS client_no,
    CASE WHEN j.is_deleted = 1 THEN 'closed' ELSE 'open' END AS status,
    j.project_id AS project_id,
    j.project_id AS _from_j_1,
    j.customer_id AS _from_j_2,
    c.customer_id AS _from_c
FROM ohrm_project j
LEFT JOIN ohrm_customer c ON c.customer_id = j.customer_id
