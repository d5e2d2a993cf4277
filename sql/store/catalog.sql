-- PostgreSQL's catalogs as its tools read them, over our own tables: schema `pg`, which comes before
-- DuckDB's own catalogs where the SQL listener looks names up. Object ids are DuckDB's; types, the
-- catalogs themselves and their schemas have PostgreSQL's numbers. What we do not have (keys, indexes,
-- policies, publications ...) is there and empty. Functions are in catalog_functions.sql, and
-- information_schema in catalog_information.sql; store.rs makes one commit of all three.

CREATE SCHEMA IF NOT EXISTS pg;

-- Who asks, and what they call the database: answer_session.sql says it before each statement.
CREATE OR REPLACE MACRO pg.current_database() AS
    coalesce(getvariable('pg_session').database, system.main.current_database());
CREATE OR REPLACE MACRO pg.current_catalog() AS pg.current_database();
CREATE OR REPLACE MACRO pg.current_user() AS coalesce(getvariable('pg_session').user, 'trueup');
CREATE OR REPLACE MACRO pg.current_role() AS pg.current_user();
CREATE OR REPLACE MACRO pg.session_user() AS pg.current_user();
CREATE OR REPLACE MACRO pg.user() AS pg.current_user();

CREATE OR REPLACE VIEW pg.pg_namespace AS
SELECT oid, schema_name AS nspname, 10::BIGINT AS nspowner,
    NULL::VARCHAR[] AS nspacl, comment AS description
FROM duckdb_schemas()
WHERE database_name = system.main.current_database() AND schema_name
    NOT IN ('pg', 'pg_information', 'track', 'contrib', 'information_schema', 'pg_catalog')
UNION ALL
VALUES (11, 'pg_catalog', 10, NULL, 'PostgreSQL''s catalogs'),
    (13000, 'information_schema', 10, NULL, 'the SQL standard''s catalogs');

CREATE OR REPLACE VIEW pg.pg_class AS
SELECT o.oid, o.relname, n.oid AS relnamespace, o.relkind, 10::BIGINT AS relowner, o.comment,
    o.reltuples, 2::BIGINT AS relam, 0::BIGINT AS reloftype, 0::BIGINT AS reltoastrelid,
    0::BIGINT AS reltablespace, 0::BIGINT AS relfilenode, 0 AS relpages, 0::SMALLINT AS relchecks,
    false AS relhasindex, false AS relhasrules, false AS relhastriggers, false AS relisshared,
    false AS relrowsecurity, false AS relforcerowsecurity, false AS relispartition,
    false AS relhassubclass, true AS relispopulated, 'p' AS relpersistence, 'n' AS relreplident,
    NULL::VARCHAR[] AS reloptions, NULL::VARCHAR[] AS relacl, NULL::VARCHAR AS relpartbound,
    o.relnatts
FROM (
    SELECT table_oid AS oid, schema_oid, table_name AS relname, 'r' AS relkind, comment,
        estimated_size::FLOAT AS reltuples, column_count::SMALLINT AS relnatts
    FROM duckdb_tables() WHERE database_name = system.main.current_database() AND NOT temporary
    UNION ALL
    SELECT view_oid, schema_oid, view_name, 'v', comment, -1, column_count::SMALLINT
    FROM duckdb_views() WHERE database_name = system.main.current_database() AND NOT temporary
) AS o
JOIN pg.pg_namespace AS n ON n.oid = o.schema_oid;

-- DuckDB's types by PostgreSQL's numbers and names, and those that only the catalogs themselves use.
CREATE OR REPLACE VIEW pg.pg_type AS
SELECT oid, typname, 11::BIGINT AS typnamespace, 10::BIGINT AS typowner, typlen::SMALLINT AS typlen,
    typlen BETWEEN 1 AND 8 AS typbyval, 'b' AS typtype, typcategory, false AS typispreferred,
    true AS typisdefined, ',' AS typdelim, 0::BIGINT AS typrelid, 0::BIGINT AS typelem, typarray,
    NULL::BIGINT AS typinput, NULL::BIGINT AS typoutput, NULL::BIGINT AS typreceive,
    NULL::BIGINT AS typsend, 0::BIGINT AS typbasetype, -1 AS typtypmod, false AS typnotnull,
    0 AS typndims, 0::BIGINT AS typcollation, NULL::VARCHAR AS typdefault, spelled
FROM (VALUES
    (16::BIGINT, 'bool', 1, 'B', 1000::BIGINT, 'boolean'),
    (17, 'bytea', -1, 'U', 1001, 'bytea'),
    (18, 'char', 1, 'Z', 1002, '"char"'),
    (19, 'name', 64, 'S', 1003, 'name'),
    (20, 'int8', 8, 'N', 1016, 'bigint'),
    (21, 'int2', 2, 'N', 1005, 'smallint'),
    (23, 'int4', 4, 'N', 1007, 'integer'),
    (25, 'text', -1, 'S', 1009, 'text'),
    (26, 'oid', 4, 'N', 1028, 'oid'),
    (114, 'json', -1, 'U', 199, 'json'),
    (700, 'float4', 4, 'N', 1021, 'real'),
    (701, 'float8', 8, 'N', 1022, 'double precision'),
    (1042, 'bpchar', -1, 'S', 1014, 'character'),
    (1043, 'varchar', -1, 'S', 1015, 'character varying'),
    (1082, 'date', 4, 'D', 1182, 'date'),
    (1083, 'time', 8, 'D', 1183, 'time without time zone'),
    (1114, 'timestamp', 8, 'D', 1115, 'timestamp without time zone'),
    (1184, 'timestamptz', 8, 'D', 1185, 'timestamp with time zone'),
    (1186, 'interval', 16, 'T', 1187, 'interval'),
    (1700, 'numeric', -1, 'N', 1231, 'numeric'),
    (2950, 'uuid', 16, 'U', 2951, 'uuid')
) AS t (oid, typname, typlen, typcategory, typarray, spelled);

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
    -1 AS attstattarget, 0::BIGINT AS attcollation, -1::SMALLINT AS attlen, 0::SMALLINT AS attndims,
    true AS attislocal, 0::SMALLINT AS attinhcount, false AS atthasmissing,
    NULL::VARCHAR[] AS attacl, NULL::VARCHAR[] AS attoptions, NULL::VARCHAR[] AS attfdwoptions, comment
FROM duckdb_columns() WHERE database_name = system.main.current_database();

CREATE OR REPLACE VIEW pg.pg_database AS
SELECT 1::BIGINT AS oid, pg.current_database() AS datname, 10::BIGINT AS datdba, 6 AS encoding,
    'C' AS datcollate, 'C' AS datctype, NULL::VARCHAR AS daticulocale, 'c' AS datlocprovider,
    NULL::VARCHAR[] AS datacl, true AS datallowconn, false AS datistemplate;
CREATE OR REPLACE VIEW pg.pg_roles AS
SELECT 10::BIGINT AS oid, 'trueup' AS rolname, false AS rolsuper, true AS rolinherit,
    false AS rolcreaterole, false AS rolcreatedb, true AS rolcanlogin, -1 AS rolconnlimit,
    NULL::TIMESTAMP AS rolvaliduntil, false AS rolreplication, false AS rolbypassrls
UNION ALL
SELECT 16384, pg.current_user(), false, true, false, false, true, -1, NULL, false, false
WHERE pg.current_user() <> 'trueup';
CREATE OR REPLACE VIEW pg.pg_user AS
SELECT rolname AS usename, oid AS usesysid, false AS usecreatedb, false AS usesuper, false AS userepl,
    false AS usebypassrls, NULL::VARCHAR AS passwd, rolvaliduntil AS valuntil,
    NULL::VARCHAR[] AS useconfig
FROM pg.pg_roles;
CREATE OR REPLACE VIEW pg.pg_am AS
SELECT 2::BIGINT AS oid, 'heap' AS amname, NULL::BIGINT AS amhandler, 't' AS amtype;
CREATE OR REPLACE VIEW pg.pg_tablespace AS
SELECT 1663::BIGINT AS oid, 'pg_default' AS spcname, 10::BIGINT AS spcowner,
    NULL::VARCHAR[] AS spcacl, NULL::VARCHAR[] AS spcoptions;

-- The comments of schemas, relations and columns.
CREATE OR REPLACE VIEW pg.pg_description AS
SELECT oid AS objoid, 2615::BIGINT AS classoid, 0 AS objsubid, description
FROM pg.pg_namespace WHERE description IS NOT NULL
UNION ALL
SELECT oid, 1259, 0, comment FROM pg.pg_class WHERE comment IS NOT NULL
UNION ALL
SELECT attrelid, 1259, attnum, comment FROM pg.pg_attribute WHERE comment IS NOT NULL;

CREATE OR REPLACE VIEW pg.pg_tables AS
SELECT n.nspname AS schemaname, c.relname AS tablename, 'trueup' AS tableowner,
    NULL::VARCHAR AS tablespace, false AS hasindexes, false AS hasrules, false AS hastriggers,
    false AS rowsecurity
FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r';
CREATE OR REPLACE VIEW pg.pg_views AS
SELECT n.nspname AS schemaname, v.view_name AS viewname, 'trueup' AS viewowner, v.sql AS definition
FROM duckdb_views() AS v JOIN pg.pg_namespace AS n ON n.oid = v.schema_oid;

-- What SHOW and current_setting() tell; those of SHOW are in src/serve/pgwire/word.rs, too.
CREATE OR REPLACE MACRO pg.settings() AS MAP {
    'application_name': '',
    'bytea_output': 'hex',
    'client_encoding': 'UTF8',
    'client_min_messages': 'notice',
    'datestyle': 'ISO, YMD',
    'default_table_access_method': 'heap',
    'default_transaction_deferrable': 'off',
    'default_transaction_isolation': 'repeatable read',
    'default_transaction_read_only': 'on',
    'extra_float_digits': '1',
    'in_hot_standby': 'off',
    'integer_datetimes': 'on',
    'intervalstyle': 'postgres',
    'is_superuser': 'off',
    'lc_collate': 'C',
    'lc_ctype': 'C',
    'max_identifier_length': '63',
    'max_index_keys': '32',
    'search_path': 'main',
    'server_encoding': 'UTF8',
    'server_version': '15.0',
    'server_version_num': '150000',
    'standard_conforming_strings': 'on',
    'timezone': 'UTC',
    'transaction_deferrable': 'off',
    'transaction_isolation': 'repeatable read',
    'transaction_read_only': 'on'
};
CREATE OR REPLACE VIEW pg.pg_settings AS
SELECT e.key AS name, e.value AS setting, NULL::VARCHAR AS unit, '' AS category, '' AS short_desc,
    NULL::VARCHAR AS extra_desc, 'internal' AS context, 'string' AS vartype, 'default' AS source,
    NULL::VARCHAR AS min_val, NULL::VARCHAR AS max_val, NULL::VARCHAR[] AS enumvals,
    e.value AS boot_val, e.value AS reset_val, NULL::VARCHAR AS sourcefile, NULL::INTEGER AS sourceline,
    false AS pending_restart
FROM (SELECT unnest(map_entries(pg.settings())) AS e);

-- Nothing of these exists.
CREATE OR REPLACE VIEW pg.pg_constraint AS
SELECT 0::BIGINT AS oid, '' AS conname, 0::BIGINT AS connamespace, '' AS contype,
    false AS condeferrable, false AS condeferred, true AS convalidated, 0::BIGINT AS conrelid,
    0::BIGINT AS contypid, 0::BIGINT AS conindid, 0::BIGINT AS conparentid, 0::BIGINT AS confrelid,
    '' AS confupdtype, '' AS confdeltype, '' AS confmatchtype, true AS conislocal,
    0::SMALLINT AS coninhcount, false AS connoinherit, NULL::SMALLINT[] AS conkey,
    NULL::SMALLINT[] AS confkey, NULL::VARCHAR AS conbin WHERE false;
CREATE OR REPLACE VIEW pg.pg_index AS
SELECT 0::BIGINT AS indexrelid, 0::BIGINT AS indrelid, 0::SMALLINT AS indnatts,
    0::SMALLINT AS indnkeyatts, false AS indisunique, false AS indnullsnotdistinct,
    false AS indisprimary, false AS indisexclusion, true AS indimmediate, false AS indisclustered,
    true AS indisvalid, false AS indcheckxmin, true AS indisready, true AS indislive,
    false AS indisreplident, NULL::SMALLINT[] AS indkey, NULL::BIGINT[] AS indcollation,
    NULL::BIGINT[] AS indclass, NULL::SMALLINT[] AS indoption, NULL::VARCHAR AS indexprs,
    NULL::VARCHAR AS indpred WHERE false;
CREATE OR REPLACE VIEW pg.pg_indexes AS
SELECT '' AS schemaname, '' AS tablename, '' AS indexname, '' AS tablespace, '' AS indexdef
WHERE false;
CREATE OR REPLACE VIEW pg.pg_matviews AS
SELECT '' AS schemaname, '' AS matviewname, '' AS matviewowner, '' AS tablespace,
    false AS hasindexes, true AS ispopulated, '' AS definition WHERE false;
CREATE OR REPLACE VIEW pg.pg_sequence AS
SELECT 0::BIGINT AS seqrelid, 0::BIGINT AS seqtypid, 0::BIGINT AS seqstart,
    0::BIGINT AS seqincrement, 0::BIGINT AS seqmax, 0::BIGINT AS seqmin, 0::BIGINT AS seqcache,
    false AS seqcycle WHERE false;
CREATE OR REPLACE VIEW pg.pg_sequences AS
SELECT '' AS schemaname, '' AS sequencename, '' AS sequenceowner, 0::BIGINT AS last_value WHERE false;
CREATE OR REPLACE VIEW pg.pg_enum AS
SELECT 0::BIGINT AS oid, 0::BIGINT AS enumtypid, 0::FLOAT AS enumsortorder, '' AS enumlabel
WHERE false;
CREATE OR REPLACE VIEW pg.pg_range AS
SELECT 0::BIGINT AS rngtypid, 0::BIGINT AS rngsubtype, 0::BIGINT AS rngmultitypid WHERE false;
CREATE OR REPLACE VIEW pg.pg_proc AS
SELECT 0::BIGINT AS oid, '' AS proname, 0::BIGINT AS pronamespace, 0::BIGINT AS proowner,
    0::BIGINT AS prolang, '' AS prokind, false AS proretset, 0::BIGINT AS prorettype,
    NULL::BIGINT[] AS proargtypes, NULL::BIGINT[] AS proallargtypes, NULL::VARCHAR[] AS proargmodes,
    NULL::VARCHAR[] AS proargnames, 0::SMALLINT AS pronargs, '' AS prosrc, NULL::VARCHAR[] AS proacl
WHERE false;
CREATE OR REPLACE VIEW pg.pg_language AS
SELECT 0::BIGINT AS oid, '' AS lanname, 0::BIGINT AS lanowner WHERE false;
CREATE OR REPLACE VIEW pg.pg_opclass AS
SELECT 0::BIGINT AS oid, 0::BIGINT AS opcmethod, '' AS opcname, true AS opcdefault WHERE false;
CREATE OR REPLACE VIEW pg.pg_trigger AS
SELECT 0::BIGINT AS oid, 0::BIGINT AS tgrelid, '' AS tgname, false AS tgisinternal, '' AS tgenabled
WHERE false;
CREATE OR REPLACE VIEW pg.pg_extension AS
SELECT 0::BIGINT AS oid, '' AS extname, 0::BIGINT AS extowner, 0::BIGINT AS extnamespace,
    '' AS extversion WHERE false;
CREATE OR REPLACE VIEW pg.pg_available_extensions AS
SELECT '' AS name, '' AS default_version, '' AS installed_version, '' AS comment WHERE false;
CREATE OR REPLACE VIEW pg.pg_foreign_server AS
SELECT 0::BIGINT AS oid, '' AS srvname, 0::BIGINT AS srvowner, 0::BIGINT AS srvfdw WHERE false;
CREATE OR REPLACE VIEW pg.pg_foreign_table AS
SELECT 0::BIGINT AS ftrelid, 0::BIGINT AS ftserver, NULL::VARCHAR[] AS ftoptions WHERE false;
CREATE OR REPLACE VIEW pg.pg_partitioned_table AS
SELECT 0::BIGINT AS partrelid, '' AS partstrat, 0::SMALLINT AS partnatts WHERE false;
CREATE OR REPLACE VIEW pg.pg_depend AS
SELECT 0::BIGINT AS classid, 0::BIGINT AS objid, 0 AS objsubid, 0::BIGINT AS refclassid,
    0::BIGINT AS refobjid, 0 AS refobjsubid, '' AS deptype WHERE false;
CREATE OR REPLACE VIEW pg.pg_shdescription AS
SELECT 0::BIGINT AS objoid, 0::BIGINT AS classoid, '' AS description WHERE false;
-- The protocol's own cursors and sessions are not the store's to know.
CREATE OR REPLACE VIEW pg.pg_cursors AS
SELECT '' AS name, '' AS statement, false AS is_holdable, false AS is_binary, false AS is_scrollable,
    NULL::TIMESTAMP WITH TIME ZONE AS creation_time WHERE false;
CREATE OR REPLACE VIEW pg.pg_prepared_statements AS
SELECT '' AS name, '' AS statement, NULL::TIMESTAMP WITH TIME ZONE AS prepare_time WHERE false;
CREATE OR REPLACE VIEW pg.pg_stat_activity AS
SELECT 0::BIGINT AS datid, '' AS datname, 0 AS pid, 0::BIGINT AS usesysid, '' AS usename,
    '' AS application_name, '' AS client_addr, NULL::TIMESTAMP WITH TIME ZONE AS backend_start,
    NULL::TIMESTAMP WITH TIME ZONE AS xact_start, NULL::TIMESTAMP WITH TIME ZONE AS query_start,
    '' AS wait_event_type, '' AS wait_event, '' AS state, '' AS query, '' AS backend_type WHERE false;
CREATE OR REPLACE VIEW pg.pg_stat_user_tables AS
SELECT 0::BIGINT AS relid, '' AS schemaname, '' AS relname, 0::BIGINT AS n_live_tup WHERE false;
CREATE OR REPLACE VIEW pg.pg_locks AS
SELECT '' AS locktype, 0::BIGINT AS relation, 0 AS pid, '' AS mode, true AS granted WHERE false;
CREATE OR REPLACE VIEW pg.pg_auth_members AS
SELECT 0::BIGINT AS roleid, 0::BIGINT AS member WHERE false;
CREATE OR REPLACE VIEW pg.pg_attrdef AS
SELECT 0::BIGINT AS oid, 0::BIGINT AS adrelid, 0::SMALLINT AS adnum, '' AS adbin WHERE false;
CREATE OR REPLACE VIEW pg.pg_collation AS SELECT 0::BIGINT AS oid, '' AS collname,
    0::BIGINT AS collnamespace WHERE false;
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
