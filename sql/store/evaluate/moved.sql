-- Rows of the touched units that are new, gone or different, compared as a multiset: a unit may
-- have any number of rows, and two of them may be equal.
INSERT INTO {moved}
WITH old AS MATERIALIZED (SELECT {columns} FROM {contrib} AS c {only_touched})
(SELECT {columns} FROM {fresh} EXCEPT ALL SELECT {columns} FROM old)
UNION ALL
(SELECT {columns} FROM old EXCEPT ALL SELECT {columns} FROM {fresh})
