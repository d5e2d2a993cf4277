-- Takes the cursor for this session: makes it, or raises its epoch if ours ($3) is newer. Waits
-- for a transaction of an earlier session that is still being committed, so that what is read
-- next is final. No row: another process was here with this epoch or a later one.
INSERT INTO _trueup.cursor AS held (install, target, epoch, seq, backend, opened_at)
VALUES ($1, $2, $3, 0, pg_backend_pid(), clock_timestamp())
ON CONFLICT (install, target) DO UPDATE
SET epoch = excluded.epoch, backend = excluded.backend, opened_at = excluded.opened_at
WHERE held.epoch < excluded.epoch
RETURNING seq
