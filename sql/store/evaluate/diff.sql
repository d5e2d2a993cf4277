-- The touched canonical keys as they should be (merged from the contributions by owner) against
-- the canonical rows as they are. The keys are joined as a table, not through a CTE: only then do
-- they reach the scans as filters.
INSERT INTO {diff}
WITH {winners},
new AS (SELECT {merged}, true AS _present FROM {sources}),
old AS (
    SELECT {old_columns}, true AS _present FROM {canon} AS c SEMI JOIN {keys_table} AS keys
    ON {canon_keys}
)
SELECT {pairs},
    CASE WHEN o._present IS NULL THEN 'created' WHEN n._present IS NULL THEN 'deleted'
        ELSE 'updated' END,
    k._time
FROM new AS n FULL JOIN old AS o ON {both_keys}
JOIN (SELECT {keys}, max(_time) AS _time FROM {keys_table} GROUP BY {keys}) AS k ON {time_keys}
WHERE n._present IS NULL OR o._present IS NULL OR {differs}
