-- From here on no statement reaches a file, the network or another database, whoever sends it, and
-- no setting can be changed but the zone of a session, which every connection sets to UTC.
-- The order matters: the folder for spilling cannot be set any more once access is off.
SET TimeZone = 'UTC';
SET enable_external_access = false;
SET allowed_configs = ['TimeZone'];
SET lock_configuration = true;
