-- Raw changes of one month (a table each, because a DuckDB file does not shrink: old months are
-- dropped whole). {month} is yyyymm. Cells the log did not carry are absent from the JSON.
CREATE TABLE IF NOT EXISTS changes."m{month}" (
    journal_seq  UBIGINT   NOT NULL,  -- the entry that ends the transaction, or a slice of it
    ordinal      UINTEGER  NOT NULL,  -- place within the transaction, or the slice
    source       VARCHAR   NOT NULL,
    table_name   VARCHAR   NOT NULL,  -- schema.table, as the source names it
    op           VARCHAR   NOT NULL,  -- insert, update, delete, truncate
    transaction  VARCHAR   NOT NULL,  -- as the source numbers it
    committed_at TIMESTAMP NOT NULL,  -- UTC
    old          JSON,                -- what the log told of the row before
    new          JSON                 -- the row after
);
