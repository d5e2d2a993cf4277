-- Rows of the touched units that are new, gone or different, compared as a multiset: a unit may
-- have any number of rows, and two of them may be equal. (EXCEPT ALL says the same and takes four
-- times as long.)
INSERT INTO {moved} ({columns})
SELECT {columns} FROM (
    SELECT {columns}, 1 AS _sign FROM {fresh}
    UNION ALL
    SELECT {columns}, -1 FROM {contrib} AS c {only_touched}
)
GROUP BY {columns} HAVING sum(_sign) <> 0
