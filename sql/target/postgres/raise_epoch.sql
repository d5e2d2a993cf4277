-- Takes the cursor for this session: makes it, or takes it over if the token that it holds is known
-- to us ($4, $5) and its epoch is older than ours ($3). The token alone tells a copy of a ledger
-- from the original, however often either was started; the epoch fences out our own old sessions.
-- Waits for a transaction of an earlier session that is still being committed, so that what is read
-- next is final. No row: another process was here.
INSERT INTO _trueup.cursor AS held (install, target, epoch, holder, seq, backend, opened_at)
VALUES ($1, $2, $3, $4, 0, pg_backend_pid(), clock_timestamp())
ON CONFLICT (install, target) DO UPDATE
SET epoch = excluded.epoch,
    holder = excluded.holder,
    backend = excluded.backend,
    opened_at = excluded.opened_at
WHERE held.epoch < excluded.epoch AND held.holder IN ($4, $5)
RETURNING seq
