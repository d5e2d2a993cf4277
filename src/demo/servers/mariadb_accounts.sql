-- The accounts of a private MariaDB, run once by mariadb-install-db: one statement a line.
-- The server starts without its grant tables here; the first FLUSH turns them on.
DELETE FROM mysql.global_priv WHERE user = '' OR user = 'root' AND host <> 'localhost';
FLUSH PRIVILEGES;
ALTER USER 'root'@'localhost' IDENTIFIED BY ':password';
CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY ':password';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
