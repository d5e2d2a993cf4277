-- The event log as it was sealed.
INSERT INTO ops.event BY NAME SELECT * FROM read_parquet({file})
