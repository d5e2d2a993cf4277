-- Tables of raw changes whose month ended before the month $1 (yyyymm) began.
SELECT table_name
FROM duckdb_tables()
WHERE schema_name = 'changes'
  AND regexp_full_match(table_name, 'm[0-9]{6}')
  AND table_name < 'm' || $1
ORDER BY table_name
