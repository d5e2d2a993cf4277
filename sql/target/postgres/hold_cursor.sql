-- The same for a delivery that does not move the cursor.
SELECT seq
FROM _trueup.cursor
WHERE install = $1 AND target = $2 AND epoch = $3
FOR UPDATE
