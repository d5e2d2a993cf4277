-- Where evaluation keeps its results.
CREATE SCHEMA IF NOT EXISTS contrib;
CREATE SCHEMA IF NOT EXISTS canon;
CREATE SCHEMA IF NOT EXISTS history;
CREATE SCHEMA IF NOT EXISTS ops;
-- Mappings that are left out until a person has mended them. `compiled` is false if the mapping
-- does not fit the mirror's tables (it comes back by itself when it does), true if it failed while
-- it ran.
CREATE TABLE IF NOT EXISTS ops.parked (
    source VARCHAR, entity VARCHAR, cause VARCHAR, compiled BOOLEAN
);
