//! A table that cannot be copied holds up no other one, and is copied once it can be.

use super::*;

const A: (&str, [&str; 3]) = ("a", ["id", "k", "v"]);

/// As its owner, whose right to read `t` is taken away meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_may_not_be_read_holds_up_no_other_one() {
    if !require("postgres") {
        return;
    }
    tokio::task::block_in_place(|| {
        let database = servers::postgres_database("denied");
        let server = servers::postgres();
        let sql = |text: &str| server.sql(&database, text).unwrap();
        let (role, password) = (format!("{database}_owner"), server.password());
        sql(&format!(
            "CREATE ROLE {role} LOGIN REPLICATION PASSWORD '{password}';
             GRANT CREATE ON DATABASE {database} TO {role};
             CREATE TABLE a (id int PRIMARY KEY, k int, v text);
             INSERT INTO a SELECT g, g, 'a' FROM generate_series(1, {ROWS}) AS g;
             CREATE TABLE t (LIKE a INCLUDING ALL); INSERT INTO t SELECT * FROM a;
             CREATE TABLE u (LIKE a INCLUDING ALL); INSERT INTO u SELECT * FROM a;
             ALTER TABLE a OWNER TO {role}; ALTER TABLE t OWNER TO {role}; ALTER TABLE u OWNER TO {role}"
        ));
        let url = server.url(&database).replace("postgres@", &format!("{role}@"));
        let limits = "copy_tables = 1\ncopy_chunk_rows = 1\ncopy_ranges = 1";
        let installation = configure("postgres", &url, password, limits);
        let rows = "SELECT coalesce(string_agg(concat_ws(' ', {a}, {b}, {c}), ',' ORDER BY {a}), '') FROM {t}";
        let stage = Stage { installation, sql: &sql, rows };
        let daemon = stage.installation.start(&["run"], &[]);
        wait_until("the first table to be copied", PATIENCE, || {
            let count = store_rows(&stage.installation, "SELECT count(*) > 0 FROM hr.a")?;
            if count[0][0].as_deref() == Some("true") { Ok(()) } else { Err("not yet".to_owned()) }
        });
        sql(&format!("REVOKE SELECT ON t FROM {role}"));
        for (table, columns) in [A, U] {
            wait_until("the tables that may be read", PATIENCE, || {
                let state =
                    format!("SELECT state FROM ops.mirror_table WHERE table_name = '{table}'");
                let state = store_rows(&stage.installation, &state)?;
                let is_done = state.first().is_some_and(|row| row[0].as_deref() == Some("done"));
                if is_done { stage.compare(table, &columns) } else { Err(format!("{state:?}")) }
            });
        }
        let said = daemon.output();
        assert!(said.contains("a table is not copied, others are"), "{said}");
        assert!(said.contains("permission denied for table t"), "{said}");
        sql(&format!("GRANT SELECT ON t TO {role}"));
        stage.wait_for("the table that may be read by now", &[A, T, U]);
        stage.assert_no_gap(&daemon);
    });
}
