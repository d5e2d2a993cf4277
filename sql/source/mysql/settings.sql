-- What a server must be set to, who it is, and where its log ends. A setting that this version
-- does not have is absent.
SHOW GLOBAL VARIABLES WHERE Variable_name IN (
    'version', 'log_bin', 'binlog_format', 'binlog_row_metadata', 'binlog_row_image',
    'binlog_expire_logs_seconds', 'gtid_strict_mode', 'gtid_binlog_pos', 'gtid_slave_pos', 'log_slave_updates',
    'sync_binlog', 'innodb_flush_log_at_trx_commit', 'binlog_optimize_thread_scheduling',
    'server_uid', 'server_id', 'hostname', 'datadir')
