-- Settings of every session that Trueup opens on a target.

-- What the text of our cells means, whatever the role or the database has set.
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';

-- Notices of triggers may quote rows, and our client would log them.
SET client_min_messages = error;

-- No statement of ours is right if it takes this long, and nobody should wait for its locks.
SET statement_timeout = '5min';
SET lock_timeout = '1min';

-- A session whose client vanished keeps the cursor locked: it must end by itself, soon.
SET idle_in_transaction_session_timeout = '1min';
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3;

-- An acknowledgement is a promise: it must survive a crash of the server. A stricter setting of
-- the operator stays.
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off';
