-- Rows by table of one database, as InnoDB's statistics guess.
SELECT TABLE_NAME, TABLE_ROWS
FROM information_schema.TABLES
WHERE TABLE_SCHEMA = ? AND TABLE_ROWS IS NOT NULL
