-- One contribution per key and source. If several source rows claim a key, the first by unit,
-- then by provenance and attributes, so that every evaluation picks the same.
{name} AS (
    SELECT {columns} FROM (
        SELECT {contributed}, row_number() OVER (PARTITION BY {keys} ORDER BY {order}) AS _place
        FROM {contrib} AS c SEMI JOIN {keys_table} AS keys ON {on_keys}
    ) WHERE _place = 1
)
