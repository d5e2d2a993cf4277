-- Who holds the cursor, and whether that session still lives.
SELECT c.epoch,
       to_char(c.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS opened_at,
       EXISTS (SELECT FROM pg_stat_activity a
               WHERE a.pid = c.backend AND a.backend_start <= c.opened_at) AS is_alive
FROM _trueup.cursor c
WHERE c.install = $1 AND c.target = $2
