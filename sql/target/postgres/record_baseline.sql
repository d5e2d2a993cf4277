-- How far the first fill of an entity has come.
INSERT INTO _trueup.baseline (install, target, entity, through_key, done)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (install, target, entity) DO UPDATE
SET through_key = coalesce(excluded.through_key, baseline.through_key), done = excluded.done
