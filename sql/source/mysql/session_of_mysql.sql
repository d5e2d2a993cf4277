-- The same for MySQL: the one place that says how our sessions read, see session.sql. A key that the
-- server made itself is a key to us, whether the catalog shows it to others or not.
SET SESSION /*!80030 show_gipk_in_create_table_and_information_schema = ON, */
            time_zone = '+00:00',
            sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION',
            character_set_client = utf8mb4,
            collation_connection = utf8mb4_general_ci,
            character_set_results = NULL,
            sql_select_limit = DEFAULT,
            max_execution_time = 0,
            net_write_timeout = 3600;
-- Statistics of tables as they are, not as they were a day ago.
SET SESSION information_schema_stats_expiry = 0;
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ
