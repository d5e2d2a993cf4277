-- entity: org_unit
-- key: org_unit_code
-- refs: parent_code -> org_unit soft, manager_no -> worker soft
-- A unit of the organisation, from legal entity down to team. Unit and manager refer to each
-- other, and so do parents and children while a tree is rebuilt: both references are soft.
CREATE TABLE org_unit (
    org_unit_code VARCHAR NOT NULL,    -- Code of the unit. Owner: HR.
    name VARCHAR,                      -- Name of the unit. Owner: HR.
    kind VARCHAR,                      -- legal_entity, division, department or team. Owner: HR.
    parent_code VARCHAR,               -- Code of the unit above; NULL at the top. Owner: HR.
    manager_no VARCHAR,                -- Staff number of the head of the unit. Owner: HR.
    legal_entity_code VARCHAR,         -- Company the unit belongs to. Owner: ERP.
    currency VARCHAR,                  -- ISO 4217 code the unit keeps its books in. Owner: ERP.
    active BOOLEAN                     -- Whether the unit is in use. Owner: HR.
);
