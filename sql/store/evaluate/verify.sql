-- Units whose stored contributions differ from a full evaluation, as text; at most ten.
SELECT DISTINCT concat_ws('|', {units}) FROM (
    SELECT {columns} FROM (
        SELECT {columns}, 1 AS _sign FROM ({select})
        UNION ALL
        SELECT {columns}, -1 FROM {contrib}
    )
    GROUP BY {columns} HAVING sum(_sign) <> 0
)
ORDER BY ALL LIMIT 10
