-- From here on no statement reaches a file, the network or another database, whoever sends it, and
-- no setting can be changed but two of a session: its zone, which every connection sets to UTC, and
-- where it looks names up, which the SQL listener sets. Who may only SELECT can change neither.
-- The order matters: the folder for spilling cannot be set any more once access is off.
SET TimeZone = 'UTC';
SET enable_external_access = false;
SET allowed_configs = ['TimeZone', 'search_path'];
SET lock_configuration = true;
