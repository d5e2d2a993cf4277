-- What Grafana's PostgreSQL data source asks, as its source code (grafana/grafana) has it, against the
-- store of `Stage`. A block is one statement; `gives` are all its rows, `has` some of them.

-- pgx's Ping, which is the health check; it has no rows.
-- ping

-- postgresMetaQuery.ts, getVersion
-- gives: 1500.0
SELECT current_setting('server_version_num')::int/100 as version

-- postgresMetaQuery.ts, getTimescaleDBVersion
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'

-- postgresMetaQuery.ts, showSchemas
-- has: canon
-- has: erp
-- has: ops
SELECT schema_name AS "name"
    FROM information_schema.schemata
    WHERE schema_name NOT IN ('information_schema',
                              'pg_catalog',
                              'pg_toast',
                              '_timescaledb_cache',
                              '_timescaledb_catalog',
                              '_timescaledb_internal',
                              '_timescaledb_config',
                              'timescaledb_information',
                              'timescaledb_experimental')
    ORDER BY schema_name

-- postgresMetaQuery.ts, showTables of a schema
-- gives: t
SELECT quote_ident(table_name) AS "table"
      FROM information_schema.tables
      WHERE quote_ident(table_schema) = 'erp'
      ORDER BY 1

-- postgresMetaQuery.ts, showTables
-- has: canon.org_unit
-- has: erp.t
-- has: ops.cloud_event
SELECT
    CASE WHEN
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )
      THEN quote_ident(table_name)
      ELSE quote_ident(table_schema) || '.' || quote_ident(table_name)
    END AS "table"
    FROM information_schema.tables
    WHERE quote_ident(table_schema) NOT IN ('information_schema',
                             'pg_catalog',
                             '_timescaledb_cache',
                             '_timescaledb_catalog',
                             '_timescaledb_internal',
                             '_timescaledb_config',
                             'timescaledb_information',
                             'timescaledb_experimental')
    ORDER BY CASE WHEN
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          ) THEN 0 ELSE 1 END, 1

-- postgresMetaQuery.ts, getSchema: the columns of a table
-- has: id integer
-- has: name text
-- has: ok boolean
-- has: amount double precision
-- has: noted_at timestamp with time zone
SELECT quote_ident(column_name) AS "column", data_type AS "type"
    FROM information_schema.columns
    WHERE
      CASE WHEN array_length(parse_ident('erp.t'),1) = 2
        THEN quote_ident(table_schema) = (parse_ident('erp.t'))[1]
          AND quote_ident(table_name) = (parse_ident('erp.t'))[2]
        ELSE quote_ident(table_name) = 'erp.t'
          AND
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )
      END

-- schema.go, querySchemas
-- has: canon
-- has: erp
SELECT schema_name FROM information_schema.schemata
		 WHERE schema_name NOT LIKE 'pg_%' AND schema_name != 'information_schema'
		 ORDER BY schema_name

-- schema.go, ColumnValues
-- gives: ok false
-- gives: ok true
SELECT 'ok' AS col_name, "ok"::text AS val FROM
(SELECT DISTINCT "ok" FROM "erp"."t" WHERE "ok" IS NOT NULL ORDER BY "ok" LIMIT 100) sub_0

-- macros.go: $__time(noted_at) and $__timeFilter(noted_at)
-- gives: 2026-01-01 00:10:00+00 5.0
-- gives: 2026-01-01 00:11:00+00 5.5
SELECT noted_at AS "time", amount FROM erp.t
WHERE noted_at BETWEEN '2026-01-01T00:09:30.5Z' AND '2026-01-01T00:11:00Z' ORDER BY 1

-- macros.go: $__timeEpoch(noted_at), $__timeFrom() and $__timeTo()
-- gives: 1767226200.0
SELECT extract(epoch from noted_at) as "time" FROM erp.t
WHERE noted_at > '2026-01-01T00:09:00Z' AND noted_at < '2026-01-01T00:11:00Z'

-- macros.go: $__timeGroupAlias(noted_at, '5m'), a metric and a filter
-- gives: 1767225600.0 f 2
-- gives: 1767225600.0 t 2
-- gives: 1767225900.0 f 3
-- gives: 1767225900.0 t 2
SELECT floor(extract(epoch from noted_at)/300)*300 AS "time", ok AS metric, count(*) AS value
FROM erp.t WHERE noted_at BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-01T00:09:59Z'
GROUP BY floor(extract(epoch from noted_at)/300)*300, ok
ORDER BY floor(extract(epoch from noted_at)/300)*300, 2

-- macros.go: $__timeGroup with half a second
-- gives: 1767225660.0
SELECT floor(extract(epoch from noted_at)/0.5)*0.5 FROM erp.t WHERE id = 1

-- macros.go: $__unixEpochFilter(id) and $__unixEpochGroupAlias(id, '1m')
-- gives: 0.0 59
-- gives: 60.0 3
SELECT floor((id)/60)*60 AS "time", count(*) FROM erp.t
WHERE id >= 1 AND id <= 62 GROUP BY 1 ORDER BY 1

-- macros.go: $__unixEpochNanoFilter(x)
-- gives: 1
SELECT count(*) FROM erp.t
WHERE epoch_ns(noted_at) >= 1767225660000000000 AND epoch_ns(noted_at) <= 1767225660000000000

-- The visual editor's own words (sqlUtil.ts)
-- gives: t 50
SELECT ok, COUNT(id) AS "rows" FROM erp.t WHERE (ok = TRUE AND name LIKE 'n%') GROUP BY ok ORDER BY ok ASC LIMIT 50
