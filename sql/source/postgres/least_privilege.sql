-- Everything Trueup needs on a PostgreSQL source, and nothing more. Run as a superuser, in the
-- source database. Replace the names: source role `trueup`, schema `public`, and the publication
-- by the one that `trueup check` names (`trueup_` and the source's name).
--
-- 1. The server must write what logical decoding needs. Takes a restart.
--      ALTER SYSTEM SET wal_level = 'logical';
--    An unread slot keeps WAL. This bounds it, so that it can never fill the disk; a slot that
--    falls further behind is lost and Trueup asks for a new copy.
--      ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';

-- 2. A role that may open the log and read, and cannot write anything.
CREATE ROLE trueup LOGIN REPLICATION PASSWORD 'choose one';
GRANT USAGE ON SCHEMA public TO trueup;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO trueup;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO trueup;

-- 3. The publication, made by whoever owns the tables, so that the role needs no ownership.
--    `trueup check` prints this statement with your tables.
--      CREATE PUBLICATION trueup_… FOR TABLE ONLY public.party_party, …
--          WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);

-- 4. Only if tables have row level security: the copy must see every row, as the log does.
--      ALTER ROLE trueup BYPASSRLS;

-- 5. pg_hba.conf: logical replication connects to the database itself, not to `replication`, so
--    one ordinary line serves log and copy.
--      hostssl  <database>  trueup  <address of the daemon>  scram-sha-256
