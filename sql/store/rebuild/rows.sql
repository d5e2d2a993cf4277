-- Rows or history of an entity as they were sealed. Attributes that the entity has no more are left
-- behind, new ones are unknown.
INSERT INTO canon.{table} BY NAME
SELECT COLUMNS(c -> c IN ({columns})) FROM read_parquet({file})
