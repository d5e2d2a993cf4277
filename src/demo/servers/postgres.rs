//! A private PostgreSQL.

use std::path::Path;
use std::process::Command;

use super::Options;
use super::client::{Input, run};
use super::guard::{Guard, Home};
use super::installed::Installed;
use crate::error::{Context, ErrorKind, Result};

/// A private PostgreSQL with logical decoding, its superuser `postgres`, reached over TCP on
/// 127.0.0.1 with SCRAM. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct PostgresServer {
    guard: Guard,
    /// Whose `psql` it is.
    client: Installed,
    port: u16,
    password: String,
}

impl PostgresServer {
    /// Whether this machine has the programs to run one (of a version, see [`Options`]).
    ///
    /// # Errors
    /// `Setup`: it has not; the hint says how to get them.
    pub fn installed(version: Option<&str>) -> Result<()> {
        Installed::postgres(version).and_then(|_| Installed::postgres(None)).map(drop)
    }

    /// Makes and starts one; waits until it answers.
    ///
    /// # Errors
    /// `Setup` when there are no server programs, or they fail; with the end of the server's log.
    pub fn start(options: &Options) -> Result<Self> {
        let installed = Installed::postgres(options.version.as_deref())?;
        // A `psql` speaks with servers of every version.
        let client = Installed::postgres(None)?;
        let home = Home::new("postgres", "postgres")?;
        let data = home.folder.join("data");
        let arguments = ["-D".to_owned(), data.display().to_string()];
        let program = installed.program("postgres");
        let guard = Guard::new(&home, &installed, "QUIT", &program, &arguments)?;
        initialise(&home, &installed, &data, options)?;
        let port = home.port;
        let server = Self { guard, client, port, password: options.password.clone() };
        server.start_again()?;
        Ok(server)
    }

    /// The loopback port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The URL of a database for the superuser, without the password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The server's process id while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.guard.process_id()
    }

    /// Makes an empty UTF-8 database.
    ///
    /// # Errors
    /// The server's words.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.sql("postgres", &format!("CREATE DATABASE \"{name}\" TEMPLATE template0")).map(drop)
    }

    /// Runs SQL statements in one session, each on its own; stops at the first that fails.
    /// Hands back the rows: columns separated by `|`, no headings.
    ///
    /// # Errors
    /// The server's words.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        run(self.psql(database), &Input::Text(statements), &format!("run SQL in {database}"))
    }

    /// Runs a file of SQL, also a plain `pg_dump`.
    ///
    /// # Errors
    /// The server's words, or the file cannot be read.
    pub fn load(&self, database: &str, file: &Path) -> Result<()> {
        let what = format!("load {} into {database}", file.display());
        run(self.psql(database), &Input::File(file), &what).map(drop)
    }

    /// A `psql` connected to a database; it reads statements from its stdin.
    #[must_use]
    pub fn psql(&self, database: &str) -> Command {
        let mut command = Command::new(self.client.program("psql"));
        command
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--no-password"])
            .args(["--set=ON_ERROR_STOP=1", "--host=127.0.0.1", "--username=postgres"])
            .arg(format!("--port={}", self.port))
            .arg(format!("--dbname={database}"))
            .envs(self.client.environment())
            .env("PGPASSWORD", &self.password)
            .env("PGCONNECT_TIMEOUT", "10")
            .env("PGCLIENTENCODING", "UTF8");
        command
    }

    /// Stops it in order, cutting connections, and starts it.
    ///
    /// # Errors
    /// It does not come back; with the end of its log.
    pub fn restart(&self) -> Result<()> {
        self.guard.stop("INT")?;
        self.start_again()
    }

    /// Stops it as a crash would: no checkpoint, connections cut.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn stop_immediately(&self) -> Result<()> {
        self.guard.stop("QUIT")
    }

    /// Kills the main process; the others notice by themselves.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn kill(&self) -> Result<()> {
        self.guard.stop("KILL")
    }

    /// Starts it after it was stopped, on the same port; waits until it answers.
    ///
    /// # Errors
    /// It does not come back; with the end of its log.
    pub fn start_again(&self) -> Result<()> {
        self.guard.start(|| self.sql("postgres", "SELECT 1").map(drop))
    }
}

fn initialise(home: &Home, installed: &Installed, data: &Path, options: &Options) -> Result<()> {
    let password_file = home.write("password", &options.password)?;
    let mut command = home.command(&installed.program("initdb"), installed);
    command
        .args(["--encoding=UTF8", "--locale=C", "--username=postgres", "--no-sync"])
        .args(["--auth-host=scram-sha-256", "--auth-local=scram-sha-256"])
        .arg(format!("--pwfile={}", password_file.display()))
        .arg(format!("--pgdata={}", data.display()));
    run(command, &Input::Nothing, "make a private PostgreSQL's data folder")?;
    std::fs::remove_file(password_file).ok();
    let durable = if options.durable { "on" } else { "off" };
    let lines = options.lines(&[
        ("listen_addresses", "'127.0.0.1'".to_owned()),
        ("port", home.port.to_string()),
        ("unix_socket_directories", "''".to_owned()),
        ("wal_level", "logical".to_owned()),
        // One server for all tests of a process, and each leaves its slot.
        ("max_replication_slots", "256".to_owned()),
        ("max_wal_senders", "64".to_owned()),
        // Tests prepare transactions; the default forbids it.
        ("max_prepared_transactions", "16".to_owned()),
        ("shared_buffers", "64MB".to_owned()),
        ("jit", "off".to_owned()),
        // The same on every machine.
        ("timezone", "'UTC'".to_owned()),
        ("log_timezone", "'UTC'".to_owned()),
        ("fsync", durable.to_owned()),
        ("full_page_writes", durable.to_owned()),
    ]);
    let path = data.join("postgresql.conf");
    let initial = std::fs::read_to_string(&path)
        .context(ErrorKind::Setup, || format!("could not read {}", path.display()))?;
    home.write("data/postgresql.conf", &format!("{initial}\n{lines}")).map(drop)
}
