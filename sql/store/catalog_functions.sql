-- PostgreSQL's functions on its catalogs and its session, in the schema `pg` (see catalog.sql).
-- Inner columns have names of their own: an argument is a text that would find them first.

-- Names and what they stand for. `x::regclass` becomes one of these in serve/pgwire/catalog.rs.
CREATE OR REPLACE MACRO pg.to_regclass(relation) AS
    CASE regexp_replace(relation, '^pg_catalog\.', '')
        WHEN 'pg_type' THEN 1247
        WHEN 'pg_proc' THEN 1255
        WHEN 'pg_class' THEN 1259
        WHEN 'pg_constraint' THEN 2606
        WHEN 'pg_namespace' THEN 2615
        ELSE (SELECT max(oid_)
              FROM (SELECT c.oid AS oid_, n.nspname AS schema_, c.relname AS name_
                    FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace)
              WHERE replace(relation, '"', '') IN (schema_ || '.' || name_,
                  CASE WHEN schema_ = 'main' THEN name_ END)) END;
CREATE OR REPLACE MACRO pg.regclass_name(object) AS
    (SELECT max(name_)
     FROM (SELECT c.oid AS oid_, n.nspname || '.' || c.relname AS name_
           FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace)
     WHERE oid_ = object);
CREATE OR REPLACE MACRO pg.format_type(type, modifier) AS
    CASE WHEN type = 1700 AND modifier > 0
        THEN 'numeric(' || ((modifier - 4) // 65536) || ',' || ((modifier - 4) % 65536) || ')'
        ELSE (SELECT max(words_) FROM (SELECT oid AS type_, spelled AS words_ FROM pg.pg_type)
              WHERE type_ = type) END;
CREATE OR REPLACE MACRO pg.to_regtype(type) AS
    (SELECT max(oid_) FROM (SELECT oid AS oid_, typname AS name_, spelled AS words_ FROM pg.pg_type)
     WHERE lower(regexp_replace(type, '^pg_catalog\.', '')) IN (name_, words_));
CREATE OR REPLACE MACRO pg.regtype_name(type) AS pg.format_type(type, NULL);
CREATE OR REPLACE MACRO pg.to_regnamespace(name) AS
    (SELECT max(oid_) FROM (SELECT oid AS oid_, nspname AS name_ FROM pg.pg_namespace)
     WHERE name_ = replace(name, '"', ''));
CREATE OR REPLACE MACRO pg.regnamespace_name(object) AS
    (SELECT max(name_) FROM (SELECT oid AS oid_, nspname AS name_ FROM pg.pg_namespace)
     WHERE oid_ = object);
CREATE OR REPLACE MACRO pg.to_regproc(name) AS NULL::BIGINT;
CREATE OR REPLACE MACRO pg.regproc_name(object) AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.to_regrole(name) AS CASE WHEN name = 'trueup' THEN 10 END;
CREATE OR REPLACE MACRO pg.regrole_name(object) AS CASE WHEN object = 10 THEN 'trueup' END;

-- Comments and definitions.
CREATE OR REPLACE MACRO pg.obj_description(object, catalog) AS
    (SELECT max(words_)
     FROM (SELECT objoid AS object_, classoid AS class_, objsubid AS part_, description AS words_
           FROM pg.pg_description)
     WHERE object_ = object AND part_ = 0
         AND class_ = CASE catalog WHEN 'pg_class' THEN 1259 WHEN 'pg_namespace' THEN 2615 END);
CREATE OR REPLACE MACRO pg.shobj_description(object, catalog) AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.col_description(relation, number) AS
    (SELECT max(words_)
     FROM (SELECT attrelid AS relation_, attnum AS number_, comment AS words_ FROM pg.pg_attribute)
     WHERE relation_ = relation AND number_ = number);
CREATE OR REPLACE MACRO pg.pg_get_viewdef(view) AS
    (SELECT max(words_) FROM (SELECT view_oid AS view_, sql AS words_ FROM duckdb_views())
     WHERE view_ = view),
    (view, pretty) AS
    (SELECT max(words_) FROM (SELECT view_oid AS view_, sql AS words_ FROM duckdb_views())
     WHERE view_ = view);
CREATE OR REPLACE MACRO pg.pg_get_expr(node, relation) AS node, (node, relation, pretty) AS node;
CREATE OR REPLACE MACRO pg.pg_get_constraintdef(object) AS NULL::VARCHAR,
    (object, pretty) AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.pg_get_indexdef(object) AS NULL::VARCHAR,
    (object, place, pretty) AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.pg_get_serial_sequence(relation, name) AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.pg_get_partkeydef(relation) AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.pg_get_triggerdef(object) AS NULL::VARCHAR,
    (object, pretty) AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.pg_get_function_result(object) AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.pg_get_function_arguments(object) AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.pg_get_function_identity_arguments(object) AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.pg_get_statisticsobjdef_columns(statistics) AS '';
CREATE OR REPLACE MACRO pg.pg_get_ruledef(rule, pretty) AS '';
CREATE OR REPLACE MACRO pg.pg_get_userbyid(role) AS 'trueup';
CREATE OR REPLACE MACRO pg.pg_get_keywords() AS TABLE
    SELECT keyword_name AS word,
        CASE keyword_category WHEN 'reserved' THEN 'R' WHEN 'unreserved' THEN 'U'
            WHEN 'column_name' THEN 'C' ELSE 'T' END AS catcode,
        keyword_category AS catdesc
    FROM duckdb_keywords();

-- What may be seen and done: everything is read, nothing is written.
CREATE OR REPLACE MACRO pg.pg_table_is_visible(relation) AS true;
CREATE OR REPLACE MACRO pg.pg_type_is_visible(type) AS true;
CREATE OR REPLACE MACRO pg.pg_function_is_visible(object) AS true;
CREATE OR REPLACE MACRO pg.pg_collation_is_visible(object) AS true;
CREATE OR REPLACE MACRO pg.pg_relation_is_publishable(relation) AS false;
CREATE OR REPLACE MACRO pg.has_table_privilege(relation, may) AS lower(may) = 'select',
    (role, relation, may) AS lower(may) = 'select';
CREATE OR REPLACE MACRO pg.has_any_column_privilege(relation, may) AS lower(may) = 'select',
    (role, relation, may) AS lower(may) = 'select';
CREATE OR REPLACE MACRO pg.has_column_privilege(relation, name, may) AS lower(may) = 'select',
    (role, relation, name, may) AS lower(may) = 'select';
CREATE OR REPLACE MACRO pg.has_schema_privilege(name, may) AS lower(may) = 'usage',
    (role, name, may) AS lower(may) = 'usage';
CREATE OR REPLACE MACRO pg.has_database_privilege(name, may) AS lower(may) = 'connect',
    (role, name, may) AS lower(may) = 'connect';
CREATE OR REPLACE MACRO pg.pg_has_role(role, may) AS false, (member, role, may) AS false;

-- The session and the server.
CREATE OR REPLACE MACRO pg.version() AS 'PostgreSQL 15.0, spoken by Trueup';
CREATE OR REPLACE MACRO pg.current_setting(name) AS
    coalesce(pg.settings()[lower(name)],
        error('unrecognized configuration parameter "' || name || '"')),
    (name, missing_ok) AS pg.settings()[lower(name)];
CREATE OR REPLACE MACRO pg.current_schemas(implicit) AS
    CASE WHEN implicit THEN ['pg_catalog', 'main'] ELSE ['main'] END;
CREATE OR REPLACE MACRO pg.set_config(name, value, is_local) AS value;
CREATE OR REPLACE MACRO pg.pg_backend_pid() AS 0;
CREATE OR REPLACE MACRO pg.pg_is_in_recovery() AS false;
CREATE OR REPLACE MACRO pg.pg_client_encoding() AS 'UTF8';
CREATE OR REPLACE MACRO pg.pg_encoding_to_char(encoding) AS 'UTF8';
CREATE OR REPLACE MACRO pg.inet_server_addr() AS NULL::VARCHAR;
CREATE OR REPLACE MACRO pg.inet_server_port() AS NULL::INTEGER;
CREATE OR REPLACE MACRO pg.pg_relation_size(relation) AS NULL::BIGINT;
CREATE OR REPLACE MACRO pg.pg_table_size(relation) AS NULL::BIGINT;
CREATE OR REPLACE MACRO pg.pg_total_relation_size(relation) AS NULL::BIGINT;
CREATE OR REPLACE MACRO pg.pg_database_size(name) AS NULL::BIGINT;

-- Lists and identifiers. PostgreSQL writes a list as {a,b}; the store reads [a,b].
CREATE OR REPLACE MACRO pg.array_in(written) AS '[' || written[2:-2] || ']';
CREATE OR REPLACE MACRO pg.array_lower(of, dimension) AS CASE WHEN len(of) > 0 THEN 1 END;
CREATE OR REPLACE MACRO pg.array_upper(of, dimension) AS nullif(len(of), 0);
CREATE OR REPLACE MACRO pg.string_to_array(written, separator) AS TABLE
    SELECT str_split(written, separator) AS string_to_array;
CREATE OR REPLACE MACRO pg.quote_ident(name) AS
    CASE WHEN regexp_full_match(name, '[a-z_][a-z0-9_$]*') THEN name
        ELSE '"' || replace(name, '"', '""') || '"' END;
CREATE OR REPLACE MACRO pg.quote_literal(written) AS
    '''' || replace(written::VARCHAR, '''', '''''') || '''';
CREATE OR REPLACE MACRO pg.parse_ident(name) AS
    list_transform(regexp_extract_all(name, '"(?:[^"]|"")*"|[^."]+'), lambda part:
        CASE WHEN part[1] = '"' THEN replace(part[2:-2], '""', '"') ELSE lower(part) END);
