-- The first event that a target still needs: the one after its cursor, or one that it has parked
-- (0 is a row of a baseline, which is no event).
SELECT min(sequence) FROM (
    SELECT coalesce(max(cursor), 0) + 1 AS sequence FROM target WHERE name = ?1
    UNION ALL
    SELECT min(sequence) FROM parked WHERE target = ?1 AND sequence > 0
);
