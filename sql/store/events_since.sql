-- How many rows of an entity came, changed and went by the events of some batches and all later
-- ones: each row by what it was before the first of them and after the last. Parameters are the
-- entity and the first batch.
SELECT
    count(*) FILTER (first = 'created' AND last != 'deleted'),
    count(*) FILTER (first != 'created' AND last != 'deleted'),
    count(*) FILTER (first != 'created' AND last = 'deleted')
FROM (
    SELECT
        split_part(arg_min(type, sequence), '.', 3) AS first,
        split_part(arg_max(type, sequence), '.', 3) AS last
    FROM ops.event
    WHERE entity = ? AND batch >= ?
    GROUP BY key
);
