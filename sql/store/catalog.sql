-- PostgreSQL's catalogs as its tools read them, over our own tables: schema `pg`. The SQL listener
-- says `pg.` where a client says `pg_catalog.`. Object ids are DuckDB's; types have PostgreSQL's
-- numbers. What we do not have (indexes, policies, publications …) is there and empty.

-- One commit for all of it, at each opening of the store.
BEGIN TRANSACTION;
CREATE SCHEMA IF NOT EXISTS pg;

CREATE OR REPLACE VIEW pg.pg_namespace AS
SELECT oid, schema_name AS nspname, 10::BIGINT AS nspowner,
    NULL::VARCHAR[] AS nspacl, comment AS description
FROM duckdb_schemas()
WHERE database_name = current_database()
    AND schema_name NOT IN ('pg', 'track', 'contrib', 'information_schema', 'pg_catalog');

CREATE OR REPLACE VIEW pg.pg_class AS
SELECT o.oid, o.relname, n.oid AS relnamespace, o.relkind, 10::BIGINT AS relowner, o.comment,
    o.reltuples, 2::BIGINT AS relam, 0::BIGINT AS reloftype, 0::BIGINT AS reltoastrelid,
    0::BIGINT AS reltablespace, 0::BIGINT AS relfilenode, 0 AS relpages, 0::SMALLINT AS relchecks,
    false AS relhasindex, false AS relhasrules, false AS relhastriggers, false AS relisshared,
    false AS relrowsecurity, false AS relforcerowsecurity, false AS relispartition,
    true AS relispopulated, 'p' AS relpersistence, 'd' AS relreplident,
    NULL::VARCHAR[] AS reloptions, NULL::VARCHAR[] AS relacl, NULL::VARCHAR AS relpartbound,
    o.relnatts
FROM (
    SELECT table_oid AS oid, schema_oid, table_name AS relname, 'r' AS relkind, comment,
        estimated_size::FLOAT AS reltuples, column_count::SMALLINT AS relnatts
    FROM duckdb_tables() WHERE database_name = current_database() AND NOT temporary
    UNION ALL
    SELECT view_oid, schema_oid, view_name, 'v', comment, -1, column_count::SMALLINT
    FROM duckdb_views() WHERE database_name = current_database() AND NOT temporary
) AS o
JOIN pg.pg_namespace AS n ON n.oid = o.schema_oid;

-- DuckDB's types by PostgreSQL's numbers and names.
CREATE OR REPLACE VIEW pg.pg_type AS
SELECT oid, typname, 11::BIGINT AS typnamespace, typlen, 'b' AS typtype, typcategory,
    0::BIGINT AS typrelid, 0::BIGINT AS typelem, 0::BIGINT AS typarray, 0::BIGINT AS typbasetype,
    -1 AS typtypmod, false AS typnotnull, 0::BIGINT AS typcollation, ',' AS typdelim, spelled
FROM (VALUES
    (16::BIGINT, 'bool', 1, 'B', 'boolean'),
    (17, 'bytea', -1, 'U', 'bytea'),
    (20, 'int8', 8, 'N', 'bigint'),
    (21, 'int2', 2, 'N', 'smallint'),
    (23, 'int4', 4, 'N', 'integer'),
    (25, 'text', -1, 'S', 'text'),
    (114, 'json', -1, 'U', 'json'),
    (700, 'float4', 4, 'N', 'real'),
    (701, 'float8', 8, 'N', 'double precision'),
    (1082, 'date', 4, 'D', 'date'),
    (1083, 'time', 8, 'D', 'time without time zone'),
    (1114, 'timestamp', 8, 'D', 'timestamp without time zone'),
    (1184, 'timestamptz', 8, 'D', 'timestamp with time zone'),
    (1186, 'interval', 16, 'T', 'interval'),
    (1700, 'numeric', -1, 'N', 'numeric'),
    (2950, 'uuid', 16, 'U', 'uuid')
) AS t (oid, typname, typlen, typcategory, spelled);

CREATE OR REPLACE VIEW pg.pg_attribute AS
SELECT table_oid AS attrelid, column_name AS attname, column_index::SMALLINT AS attnum,
    CASE
        WHEN data_type = 'BOOLEAN' THEN 16
        WHEN data_type IN ('TINYINT', 'SMALLINT', 'UTINYINT') THEN 21
        WHEN data_type IN ('INTEGER', 'USMALLINT') THEN 23
        WHEN data_type IN ('BIGINT', 'UINTEGER') THEN 20
        WHEN data_type = 'FLOAT' THEN 700
        WHEN data_type = 'DOUBLE' THEN 701
        WHEN data_type LIKE 'DECIMAL%' OR data_type IN ('UBIGINT', 'HUGEINT') THEN 1700
        WHEN data_type = 'DATE' THEN 1082
        WHEN data_type = 'TIME' THEN 1083
        WHEN data_type = 'TIMESTAMP' THEN 1114
        WHEN data_type = 'TIMESTAMP WITH TIME ZONE' THEN 1184
        ELSE 25
    END::BIGINT AS atttypid,
    CASE WHEN data_type LIKE 'DECIMAL%'
        THEN (numeric_precision * 65536 + numeric_scale + 4)::INTEGER ELSE -1 END AS atttypmod,
    NOT is_nullable AS attnotnull, false AS atthasdef, false AS attisdropped,
    '' AS attidentity, '' AS attgenerated, 'p' AS attstorage, '' AS attcompression,
    -1 AS attstattarget, 0::BIGINT AS attcollation, -1::SMALLINT AS attlen, comment
FROM duckdb_columns() WHERE database_name = current_database();

CREATE OR REPLACE VIEW pg.pg_database AS
SELECT 1::BIGINT AS oid, current_database() AS datname, 10::BIGINT AS datdba, 6 AS encoding,
    'C' AS datcollate, 'C' AS datctype, NULL::VARCHAR AS daticulocale, 'c' AS datlocprovider,
    NULL::VARCHAR[] AS datacl, true AS datallowconn, false AS datistemplate;
CREATE OR REPLACE VIEW pg.pg_roles AS
SELECT 10::BIGINT AS oid, 'trueup' AS rolname, false AS rolsuper, true AS rolinherit,
    false AS rolcreaterole, false AS rolcreatedb, true AS rolcanlogin, -1 AS rolconnlimit,
    NULL::TIMESTAMP AS rolvaliduntil, false AS rolreplication, false AS rolbypassrls;
CREATE OR REPLACE VIEW pg.pg_am AS SELECT 2::BIGINT AS oid, 'heap' AS amname;

-- Nothing of these exists.
CREATE OR REPLACE VIEW pg.pg_auth_members AS
SELECT 0::BIGINT AS roleid, 0::BIGINT AS member WHERE false;
CREATE OR REPLACE VIEW pg.pg_attrdef AS
SELECT 0::BIGINT AS oid, 0::BIGINT AS adrelid, 0::SMALLINT AS adnum, '' AS adbin WHERE false;
CREATE OR REPLACE VIEW pg.pg_collation AS SELECT 0::BIGINT AS oid, '' AS collname WHERE false;
CREATE OR REPLACE VIEW pg.pg_policy AS
SELECT 0::BIGINT AS polrelid, '' AS polname, true AS polpermissive, NULL::BIGINT[] AS polroles,
    '' AS polqual, '' AS polwithcheck, '' AS polcmd WHERE false;
CREATE OR REPLACE VIEW pg.pg_statistic_ext AS
SELECT 0::BIGINT AS oid, 0::BIGINT AS stxrelid, 0::BIGINT AS stxnamespace, '' AS stxname,
    NULL::VARCHAR[] AS stxkind, 0 AS stxstattarget WHERE false;
CREATE OR REPLACE VIEW pg.pg_publication AS
SELECT 0::BIGINT AS oid, '' AS pubname, false AS puballtables WHERE false;
CREATE OR REPLACE VIEW pg.pg_publication_namespace AS
SELECT 0::BIGINT AS pnpubid, 0::BIGINT AS pnnspid WHERE false;
CREATE OR REPLACE VIEW pg.pg_publication_rel AS
SELECT 0::BIGINT AS prpubid, 0::BIGINT AS prrelid, '' AS prqual, NULL::SMALLINT[] AS prattrs
WHERE false;
CREATE OR REPLACE VIEW pg.pg_inherits AS
SELECT 0::BIGINT AS inhrelid, 0::BIGINT AS inhparent, 0 AS inhseqno, false AS inhdetachpending
WHERE false;
CREATE OR REPLACE VIEW pg.pg_rewrite AS
SELECT 0::BIGINT AS oid, 0::BIGINT AS ev_class, '' AS rulename WHERE false;

CREATE OR REPLACE MACRO pg.pg_get_userbyid(role) AS 'trueup';
CREATE OR REPLACE MACRO pg.pg_table_is_visible(relation) AS true;
CREATE OR REPLACE MACRO pg.pg_relation_is_publishable(relation) AS false;
CREATE OR REPLACE MACRO pg.pg_encoding_to_char(encoding) AS 'UTF8';
CREATE OR REPLACE MACRO pg.pg_get_expr(node, relation) AS node, (node, relation, pretty) AS node;
CREATE OR REPLACE MACRO pg.pg_get_statisticsobjdef_columns(statistics) AS '';
CREATE OR REPLACE MACRO pg.pg_get_ruledef(rule, pretty) AS '';
CREATE OR REPLACE MACRO pg.array_upper(of, dimension) AS len(of);
CREATE OR REPLACE MACRO pg.pg_backend_pid() AS 0;
CREATE OR REPLACE MACRO pg.version() AS 'PostgreSQL 15.0, spoken by Trueup';
-- Inner columns have names of their own: an argument is a text that would find them first.
CREATE OR REPLACE MACRO pg.obj_description(object, catalog) AS
    (SELECT max(words_) FROM (SELECT oid AS object_, description AS words_ FROM pg.pg_namespace)
     WHERE object_ = object AND catalog = 'pg_namespace');
CREATE OR REPLACE MACRO pg.col_description(relation, number) AS
    (SELECT max(words_)
     FROM (SELECT attrelid AS relation_, attnum AS number_, comment AS words_ FROM pg.pg_attribute)
     WHERE relation_ = relation AND number_ = number);
CREATE OR REPLACE MACRO pg.pg_get_viewdef(view, pretty) AS
    (SELECT max(words_) FROM (SELECT view_oid AS view_, sql AS words_ FROM duckdb_views())
     WHERE view_ = view);
CREATE OR REPLACE MACRO pg.format_type(type, modifier) AS
    CASE WHEN type = 1700 AND modifier > 0
        THEN 'numeric(' || ((modifier - 4) // 65536) || ',' || ((modifier - 4) % 65536) || ')'
        ELSE (SELECT max(words_) FROM (SELECT oid AS type_, spelled AS words_ FROM pg.pg_type)
              WHERE type_ = type) END;

COMMIT;
