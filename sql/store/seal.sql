-- From here on no statement reaches a file, the network or another database, whoever sends it, and
-- no setting can be changed but three: a session's zone, which every connection sets to UTC, where it
-- looks names up, which the SQL listener sets, and the memory, which the writer bounds while a large
-- transaction goes through. Who may only SELECT can change none of them.
-- The order matters: the folder for spilling cannot be set any more once access is off.
SET TimeZone = 'UTC';
SET enable_external_access = false;
SET allowed_configs = ['TimeZone', 'search_path', 'memory_limit'];
SET lock_configuration = true;
