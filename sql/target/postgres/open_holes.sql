-- Events that the cursor has passed and that are not applied. A hole that is there stays.
INSERT INTO _trueup.hole (install, target, seq, entity, key)
SELECT $1, $2, h.seq, h.entity, h.key
FROM unnest($3::bigint[], $4::text[], $5::text[]) AS h(seq, entity, key)
ON CONFLICT DO NOTHING
