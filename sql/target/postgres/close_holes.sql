-- Events that were holes and are now applied, or given up by a person.
DELETE FROM _trueup.hole AS hole
USING unnest($3::bigint[], $4::text[], $5::text[]) AS h(seq, entity, key)
WHERE hole.install = $1 AND hole.target = $2
  AND hole.seq = h.seq AND hole.entity = h.entity AND hole.key = h.key
