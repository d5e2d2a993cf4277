-- The touched canonical keys as they should be (merged from the contributions by owner) against
-- the canonical rows as they are.
INSERT INTO {diff}
WITH keys AS MATERIALIZED (SELECT {keys}, max(_time) AS _time FROM {keys_table} GROUP BY {keys}),
{winners},
new AS (SELECT {merged}, true AS _present FROM {sources}),
old AS (SELECT {old_columns}, true AS _present FROM {canon} AS c SEMI JOIN keys ON {canon_keys})
SELECT {pairs},
    CASE WHEN o._present IS NULL THEN 'created' WHEN n._present IS NULL THEN 'deleted'
        ELSE 'updated' END,
    k._time
FROM new AS n FULL JOIN old AS o ON {both_keys}
JOIN keys AS k ON {time_keys}
WHERE n._present IS NULL OR o._present IS NULL OR {differs}
