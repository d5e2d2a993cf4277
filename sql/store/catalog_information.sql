-- The SQL standard's information_schema over our own tables (see catalog.sql). DuckDB's own lists what
-- is internal, too, and nobody can change it: schema `pg_information` stands for it.

CREATE SCHEMA IF NOT EXISTS pg_information;

CREATE OR REPLACE VIEW pg_information.schemata AS
SELECT pg.current_database() AS catalog_name, nspname AS schema_name, 'trueup' AS schema_owner,
    NULL::VARCHAR AS default_character_set_catalog, NULL::VARCHAR AS default_character_set_schema,
    NULL::VARCHAR AS default_character_set_name, NULL::VARCHAR AS sql_path
FROM pg.pg_namespace;

CREATE OR REPLACE VIEW pg_information.tables AS
SELECT pg.current_database() AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
    CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'BASE TABLE' END AS table_type,
    NULL::VARCHAR AS self_referencing_column_name, NULL::VARCHAR AS reference_generation,
    NULL::VARCHAR AS user_defined_type_catalog, NULL::VARCHAR AS user_defined_type_schema,
    NULL::VARCHAR AS user_defined_type_name, 'NO' AS is_insertable_into, 'NO' AS is_typed,
    NULL::VARCHAR AS commit_action
FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace;

CREATE OR REPLACE VIEW pg_information.views AS
SELECT pg.current_database() AS table_catalog, schemaname AS table_schema, viewname AS table_name,
    definition AS view_definition, 'NONE' AS check_option, 'NO' AS is_updatable,
    'NO' AS is_insertable_into
FROM pg.pg_views;

CREATE OR REPLACE VIEW pg_information.columns AS
SELECT pg.current_database() AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
    a.attname AS column_name, a.attnum::INTEGER AS ordinal_position,
    NULL::VARCHAR AS column_default, CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END AS is_nullable,
    t.spelled AS data_type, NULL::INTEGER AS character_maximum_length,
    NULL::INTEGER AS character_octet_length,
    CASE t.typname WHEN 'int2' THEN 16 WHEN 'int4' THEN 32 WHEN 'int8' THEN 64 WHEN 'float4' THEN 24
        WHEN 'float8' THEN 53
        WHEN 'numeric' THEN CASE WHEN a.atttypmod > 0 THEN (a.atttypmod - 4) // 65536 END
        END AS numeric_precision,
    CASE WHEN t.typcategory = 'N' THEN CASE t.typname WHEN 'numeric' THEN 10 ELSE 2 END
        END AS numeric_precision_radix,
    CASE WHEN t.typname IN ('int2', 'int4', 'int8') THEN 0
        WHEN t.typname = 'numeric' AND a.atttypmod > 0 THEN (a.atttypmod - 4) % 65536
        END AS numeric_scale,
    CASE WHEN t.typcategory = 'D' THEN CASE t.typname WHEN 'date' THEN 0 ELSE 6 END
        END AS datetime_precision,
    NULL::VARCHAR AS interval_type, NULL::VARCHAR AS character_set_name,
    NULL::VARCHAR AS collation_name, NULL::VARCHAR AS domain_name,
    pg.current_database() AS udt_catalog, 'pg_catalog' AS udt_schema, t.typname AS udt_name,
    'NO' AS is_self_referencing, 'NO' AS is_identity, NULL::VARCHAR AS identity_generation,
    'NEVER' AS is_generated, NULL::VARCHAR AS generation_expression, 'NO' AS is_updatable
FROM pg.pg_attribute AS a
JOIN pg.pg_class AS c ON c.oid = a.attrelid
JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg.pg_type AS t ON t.oid = a.atttypid;

-- Nothing of these exists.
CREATE OR REPLACE VIEW pg_information.table_constraints AS
SELECT '' AS constraint_catalog, '' AS constraint_schema, '' AS constraint_name, '' AS table_catalog,
    '' AS table_schema, '' AS table_name, '' AS constraint_type, 'NO' AS is_deferrable,
    'NO' AS initially_deferred, 'YES' AS enforced WHERE false;
CREATE OR REPLACE VIEW pg_information.key_column_usage AS
SELECT '' AS constraint_catalog, '' AS constraint_schema, '' AS constraint_name, '' AS table_catalog,
    '' AS table_schema, '' AS table_name, '' AS column_name, 0 AS ordinal_position,
    0 AS position_in_unique_constraint WHERE false;
CREATE OR REPLACE VIEW pg_information.constraint_column_usage AS
SELECT '' AS table_catalog, '' AS table_schema, '' AS table_name, '' AS column_name,
    '' AS constraint_catalog, '' AS constraint_schema, '' AS constraint_name WHERE false;
CREATE OR REPLACE VIEW pg_information.referential_constraints AS
SELECT '' AS constraint_catalog, '' AS constraint_schema, '' AS constraint_name,
    '' AS unique_constraint_catalog, '' AS unique_constraint_schema, '' AS unique_constraint_name,
    '' AS match_option, '' AS update_rule, '' AS delete_rule WHERE false;
CREATE OR REPLACE VIEW pg_information.check_constraints AS
SELECT '' AS constraint_catalog, '' AS constraint_schema, '' AS constraint_name, '' AS check_clause
WHERE false;
CREATE OR REPLACE VIEW pg_information.routines AS
SELECT '' AS specific_catalog, '' AS specific_schema, '' AS specific_name, '' AS routine_catalog,
    '' AS routine_schema, '' AS routine_name, '' AS routine_type, '' AS data_type WHERE false;
CREATE OR REPLACE VIEW pg_information.parameters AS
SELECT '' AS specific_schema, '' AS specific_name, 0 AS ordinal_position, '' AS parameter_mode,
    '' AS parameter_name, '' AS data_type WHERE false;
CREATE OR REPLACE VIEW pg_information.sequences AS
SELECT '' AS sequence_catalog, '' AS sequence_schema, '' AS sequence_name, '' AS data_type WHERE false;
CREATE OR REPLACE VIEW pg_information.triggers AS
SELECT '' AS trigger_catalog, '' AS trigger_schema, '' AS trigger_name, '' AS event_object_schema,
    '' AS event_object_table WHERE false;

-- What JDBC takes the columns of a key apart with.
CREATE OR REPLACE MACRO pg_information._pg_expandarray(of) AS
    unnest(list_transform(of, lambda value, place: {'x': value, 'n': place}));
