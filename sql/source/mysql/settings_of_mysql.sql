-- What a MySQL server must be set to, who it is, and where its log ends. A setting that this version
-- does not have is absent.
SHOW GLOBAL VARIABLES WHERE Variable_name IN (
    'version', 'log_bin', 'binlog_format', 'binlog_row_metadata', 'binlog_row_image',
    'binlog_expire_logs_seconds', 'gtid_mode', 'gtid_executed', 'gtid_purged',
    'log_replica_updates', 'log_slave_updates', 'sync_binlog', 'innodb_flush_log_at_trx_commit',
    'innodb_native_foreign_keys', 'server_uuid')
