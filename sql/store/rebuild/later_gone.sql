-- the rows that are no more what was sealed,
DELETE FROM canon.{table} AS c
USING (SELECT DISTINCT key FROM ops.event WHERE entity = {entity} AND batch > {after}) AS e
WHERE {key} = e.key
