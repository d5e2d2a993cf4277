-- The one place that says how our sessions read: copy, log and catalog alike.
-- character_set_results = NULL: the server sends the columns' own bytes, and one decoder of ours
-- turns them into UTF-8 for copy and log. net_write_timeout: a target that is slow for an hour
-- must not cost the log's connection.
SET SESSION time_zone = '+00:00',
            sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION',
            character_set_client = utf8mb4,
            collation_connection = utf8mb4_general_ci,
            character_set_results = NULL,
            sql_select_limit = DEFAULT,
            max_statement_time = 0,
            net_write_timeout = 3600;
-- The variable for this has two names, by version.
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ
