-- The account that reads a MariaDB source, and all that it needs. Run as an administrator, with
-- a password and a database of your own.
CREATE USER 'trueup'@'%' IDENTIFIED BY 'choose a password' REQUIRE SSL;
-- To read the log, and to know where it ends.
GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'trueup'@'%';
-- To copy the tables and to read what they are made of.
GRANT SELECT ON `database`.* TO 'trueup'@'%';
