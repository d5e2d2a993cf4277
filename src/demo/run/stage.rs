//! The demo's databases: servers, schemas, seed rows, and how to reach them.
//!
//! It does not change them afterwards: the generator does.

use std::path::Path;
use std::process::Command;

use crate::demo::servers::{MariadbServer, Options, PostgresServer};
use crate::error::{Context, Error, ErrorKind, Result};

/// The ERP, the PSA and the books are databases of one PostgreSQL; the HR is a MariaDB.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) postgres: PostgresServer,
    pub(super) mariadb: Option<MariadbServer>,
}

impl Stage {
    /// Starts the servers and fills them. Blocks for some seconds.
    pub(super) fn build(has_hr: bool) -> Result<Self> {
        std::thread::scope(|scope| {
            let hr = has_hr.then(|| scope.spawn(build_mariadb));
            let postgres = build_postgres();
            let mariadb = hr.map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())));
            Ok(Self { postgres: postgres?, mariadb: mariadb.transpose()? })
        })
    }

    /// How a program reaches a database of the PostgreSQL.
    pub(super) fn postgres_config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.postgres.port()).user("postgres");
        config.password(self.postgres.password()).dbname(database);
        config
    }

    /// How a program reaches the HR.
    pub(super) fn hr_opts(&self) -> Option<mysql_async::Opts> {
        let server = self.mariadb.as_ref()?;
        let opts = mysql_async::OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(server.port())
            .user(Some("root"))
            .pass(Some(server.password()))
            .db_name(Some("hr"));
        Some(opts.into())
    }

    /// How a person reaches each database: what it is, and a command line.
    pub(super) fn doors(&self, folder: &Path) -> Vec<(&'static str, String)> {
        let (port, postgres) = (self.postgres.port(), folder.join("postgres.password"));
        let psql = |database| {
            let program = program(&self.postgres.psql(database));
            let password = postgres.display();
            format!(
                "PGPASSWORD=$(cat {password}) {program} -h 127.0.0.1 -p {port} -U postgres \
                    {database}"
            )
        };
        let mut doors = vec![("ERP", psql("erp")), ("PSA", psql("psa")), ("BOOKS", psql("books"))];
        if let Some(server) = &self.mariadb {
            let program = program(&server.client("hr"));
            let password = folder.join("mariadb.password");
            let door = format!(
                "MYSQL_PWD=$(cat {}) {program} --no-defaults -h 127.0.0.1 -P {} -u root hr",
                password.display(),
                server.port()
            );
            doors.insert(1, ("HR", door));
        }
        doors
    }

    /// How an analyst reaches the store: the client is PostgreSQL's own.
    pub(super) fn analysts_door(&self, folder: &Path, port: u16) -> String {
        let program = program(&self.postgres.psql("trueup"));
        let password = folder.join("postgres.password");
        format!(
            "PGPASSWORD=$(cat {}) {program} -h 127.0.0.1 -p {port} -U analyst trueup",
            password.display()
        )
    }
}

fn build_postgres() -> Result<PostgresServer> {
    let server = PostgresServer::start(&Options::default())?;
    for (database, scripts) in [
        (
            "erp",
            &[
                include_str!("../../../sql/demo/erp/schema.sql"),
                include_str!("../../../sql/demo/erp/seed.sql"),
            ][..],
        ),
        ("psa", &[include_str!("../../../sql/demo/psa/schema.sql")]),
        ("books", &[include_str!("../../../sql/demo/books/schema.sql")]),
    ] {
        server.create_database(database)?;
        for script in scripts {
            server.sql(database, script)?;
        }
    }
    Ok(server)
}

fn build_mariadb() -> Result<MariadbServer> {
    let server = MariadbServer::start(&Options::default())?;
    server.create_database("hr")?;
    server.sql("hr", include_str!("../../../sql/demo/hr/schema.sql"))?;
    server.sql("hr", include_str!("../../../sql/demo/hr/seed.sql"))?;
    Ok(server)
}

fn panicked() -> Error {
    Error::new(ErrorKind::Bug, "the thread that starts the HR panicked")
}

/// A client program as people must call it: one that was unpacked needs its own libraries.
fn program(command: &Command) -> String {
    let libraries = command.get_envs().find(|(name, _)| *name == "LD_LIBRARY_PATH");
    let libraries = libraries.and_then(|(_, folders)| folders);
    let program = command.get_program().to_string_lossy().into_owned();
    match libraries {
        Some(folders) => format!("LD_LIBRARY_PATH={} {program}", folders.to_string_lossy()),
        None => program,
    }
}

/// A session on one of the demo's PostgreSQL databases. It ends when the client is dropped.
pub(super) async fn connect_postgres(
    config: &tokio_postgres::Config,
) -> Result<tokio_postgres::Client> {
    let what = || {
        let database = config.get_dbname().unwrap_or_default();
        format!("could not reach the demo's database {database}")
    };
    let connected = config.connect(tokio_postgres::NoTls).await;
    let (client, connection) = connected.context(ErrorKind::Unreachable, what)?;
    tokio::spawn(async move {
        // What breaks the connection is seen by who uses the client.
        connection.await.ok();
    });
    Ok(client)
}
