-- The account that reads a MySQL source, and all that it needs. Run as an administrator, with a
-- password and a database of your own.
CREATE USER 'trueup'@'%' IDENTIFIED BY 'choose a password' REQUIRE SSL;
-- To read the log, and to know where it ends; to see XA transactions that are prepared.
GRANT REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.* TO 'trueup'@'%';
-- To copy the tables and to read what they are made of.
GRANT SELECT ON `database`.* TO 'trueup'@'%';
-- Where gtid_mode is not ON: to see which commits are under way, of which GTIDs would tell.
GRANT SELECT ON performance_schema.metadata_locks TO 'trueup'@'%';
