-- How much a server writes, to estimate what a binlog costs: redo bytes since its start.
SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_os_log_written', 'Uptime')
