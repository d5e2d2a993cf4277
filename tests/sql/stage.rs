//! A daemon with a small store and an SQL listener.

use std::net::TcpListener;
use std::time::Duration;

use tokio_postgres::{Client, NoTls};

use crate::agreement::postgres;
use crate::spine;
use crate::support::process::{Installation, Running};
use crate::support::servers;
use crate::support::wait::wait_until;

pub(crate) const PATIENCE: Duration = Duration::from_secs(240);
pub(crate) const PASSWORD: &str = "what 'only' analysts know";

/// A canonical table, for its comments.
const ORG_UNIT: &str = "-- entity: org_unit
-- version: 1
-- unit: row_id
-- driver: t
-- watch: t = t.id
SELECT t.name AS org_unit_code, t.ok AS active, t.id AS row_id, t.id AS _from_t FROM t
";

/// A daemon with a small mirror and a listener.
pub(crate) struct Stage {
    pub(crate) installation: Installation,
    pub(crate) port: u16,
    pub(crate) daemon: Running,
}

impl Stage {
    pub(crate) async fn new(limits: &str, tls: &str) -> Self {
        let database = servers::postgres_database("sql");
        let source = postgres::connect(servers::postgres(), &database).await;
        let rows = "CREATE TABLE t (
                        id int PRIMARY KEY, name text, ok boolean, amount float8,
                        noted_at timestamptz
                    );
                    INSERT INTO t SELECT g, 'n' || g, g % 2 = 0, g / 2.0,
                        timestamptz '2026-01-01 00:00:00Z' + g * interval '1 minute'
                    FROM generate_series(1, 100) AS g";
        source.batch_execute(rows).await.unwrap();
        let installation = spine::installation(servers::postgres(), &database, limits);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let password = installation.write("analyst", &format!("{PASSWORD}\n"));
        let file = installation.state_folder().with_file_name("trueup.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let sql_dir = file.with_file_name("sql");
        std::fs::create_dir_all(sql_dir.join("mappings/own")).unwrap();
        std::fs::write(sql_dir.join("mappings/own/org_unit.sql"), ORG_UNIT).unwrap();
        let text = text
            .replace("[daemon]\n", &format!("[daemon]\nsql_dir = {sql_dir:?}\n"))
            .replace("[source.erp]\n", "[source.erp]\nmapping = \"own\"\n");
        let sql = format!(
            "{text}\n[sql]\nlisten = \"127.0.0.1:{port}\"\n{tls}\n\
             [sql.user.analyst]\npassword = \"${{file:{}}}\"\n",
            password.display()
        );
        installation.write("trueup.toml", &sql);
        let daemon = installation.start(&["run"], &[]);
        wait_until("the copy to be done", PATIENCE, || {
            let rows = spine::store_rows(&installation, "SELECT source FROM ops.source_ready")?;
            rows.first().map(drop).ok_or_else(|| "not yet".to_owned())
        });
        Self { installation, port, daemon }
    }

    pub(crate) async fn login(
        &self,
        user: &str,
        password: &str,
    ) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(user).password(password).dbname("trueup");
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub(crate) async fn analyst(&self) -> Client {
        self.login("analyst", PASSWORD).await.unwrap()
    }

    /// What psql prints, with its exit code.
    pub(crate) fn psql(&self, environment: &[(&str, &str)], sql: &str) -> (Option<i32>, String) {
        let mut command = servers::postgres().psql("trueup");
        command.arg(format!("--port={}", self.port)).arg("--username=analyst");
        command.env("PGPASSWORD", PASSWORD).envs(environment.iter().copied());
        let output = command.args(["--command", sql]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }
}
