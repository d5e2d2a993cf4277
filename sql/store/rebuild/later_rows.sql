-- and what they are now.
INSERT INTO canon.{table} BY NAME
SELECT {values}, time AS _changed_at
FROM (
    SELECT time, new AS cells
    FROM ops.event
    WHERE entity = {entity} AND batch > {after}
    QUALIFY row_number() OVER (PARTITION BY key ORDER BY sequence DESC) = 1
)
WHERE cells IS NOT NULL
