-- Columns of all tables of one schema, with their part in the primary key.
SELECT c.table_name, c.column_name, c.data_type, c.is_nullable,
    EXISTS (
        SELECT 1 FROM duckdb_constraints() AS k
        WHERE k.constraint_type = 'PRIMARY KEY' AND k.schema_name = c.schema_name
            AND k.table_name = c.table_name
            AND list_contains(k.constraint_column_names, c.column_name)
    )
FROM duckdb_columns() AS c
WHERE c.schema_name = ? ORDER BY c.table_name, c.column_index
