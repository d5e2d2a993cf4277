-- First statement of every delivery: locks the cursor against other sessions and moves it from
-- just before the range to its end. No row: it is not ours, or not there.
UPDATE _trueup.cursor
SET seq = $5
WHERE install = $1 AND target = $2 AND epoch = $3 AND seq = $4
