-- Units whose stored contributions differ from a full evaluation, as text; at most ten.
WITH full_ AS MATERIALIZED ({select}),
moved AS (
    (SELECT {columns} FROM full_ EXCEPT ALL SELECT {columns} FROM {contrib})
    UNION ALL
    (SELECT {columns} FROM {contrib} EXCEPT ALL SELECT {columns} FROM full_)
)
SELECT DISTINCT concat_ws('|', {units}) FROM moved ORDER BY ALL LIMIT 10
