-- The accounts of a private MySQL, run once while its data folder is made: one statement a line.
ALTER USER 'root'@'localhost' IDENTIFIED BY ':password';
CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY ':password';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
