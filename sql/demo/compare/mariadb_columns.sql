-- The columns of a table (?) of the current database: name, type, and the rank in the primary key.
SELECT c.COLUMN_NAME, c.DATA_TYPE, CAST(k.SEQ_IN_INDEX AS CHAR)
FROM information_schema.COLUMNS c
LEFT JOIN information_schema.STATISTICS k
       ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME
      AND k.COLUMN_NAME = c.COLUMN_NAME AND k.INDEX_NAME = 'PRIMARY'
WHERE c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME = ?
ORDER BY c.ORDINAL_POSITION
