-- What happened to an entity since it was sealed, from the events: its history,
INSERT INTO canon.{history} BY NAME
SELECT {values}, split_part(e.type, '.', 3) AS _op, e.time AS _changed_at,
    b.as_of AS _recorded_at, e.batch AS _batch
FROM (SELECT *, coalesce(new, old) AS cells FROM ops.event) AS e JOIN rebuilt_batch AS b ON b.id = e.batch
WHERE e.entity = {entity} AND e.batch > {after}
ORDER BY e.sequence
