-- The primary key columns of the tables of one database (or of one table), in key order.
SELECT TABLE_NAME, COLUMN_NAME, CAST(SEQ_IN_INDEX - 1 AS UNSIGNED)
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = :schema AND INDEX_NAME = 'PRIMARY' AND (:name IS NULL OR TABLE_NAME = :name)
ORDER BY TABLE_NAME, SEQ_IN_INDEX
