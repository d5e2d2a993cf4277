//! What private servers of MariaDB and MySQL have in common: how they are spoken with, stopped and
//! started.
//!
//! How one is made is the business of `mariadb` and `mysql`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Options;
use super::client::{Input, run};
use super::guard::{Guard, Home};
use super::installed::Installed;
use crate::error::Result;

/// A private server with a full row binlog, its superuser `root`, reached over TCP on 127.0.0.1.
/// There are no anonymous users and no test database. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct BinlogServer {
    guard: Guard,
    installed: Installed,
    /// The client's program.
    client: &'static str,
    port: u16,
    password: String,
}

impl BinlogServer {
    /// Starts what `initialise` made; waits until it answers. `programs`: the server's, the
    /// client's.
    pub(super) fn start(
        (home, installed): (&Home, Installed),
        programs: (&str, &'static str),
        (configuration, options): (&Path, &Options),
        initialise: impl FnOnce(&Home, &Installed) -> Result<()>,
    ) -> Result<Self> {
        // The data is thrown away at the end: no orderly stop is needed.
        let arguments = [format!("--defaults-file={}", configuration.display())];
        let program = installed.program(programs.0);
        let guard = Guard::new(home, &installed, "KILL", &program, &arguments)?;
        initialise(home, &installed)?;
        let (port, password) = (home.port, options.password.clone());
        let server = Self { guard, installed, client: programs.1, port, password };
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
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }

    /// The server's process id while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.guard.process_id()
    }

    /// Makes an empty utf8mb4 database.
    ///
    /// # Errors
    /// The server's words.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.sql("", &format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4")).map(drop)
    }

    /// Runs SQL statements in one session; stops at the first that fails. Hands back the rows:
    /// columns separated by tabs, no headings. An empty `database` selects none.
    ///
    /// # Errors
    /// The server's words.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        run(self.client(database), &Input::Text(statements), &format!("run SQL in {database}"))
    }

    /// Runs a file of SQL, also a dump.
    ///
    /// # Errors
    /// The server's words, or the file cannot be read.
    pub fn load(&self, database: &str, file: &Path) -> Result<()> {
        let what = format!("load {} into {database}", file.display());
        run(self.client(database), &Input::File(file), &what).map(drop)
    }

    /// The server's own client, connected to a database (none if empty); it reads statements from
    /// its stdin.
    #[must_use]
    pub fn client(&self, database: &str) -> Command {
        let mut command = Command::new(self.installed.program(self.client));
        command
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root"])
            .args(["--batch", "--skip-column-names", "--default-character-set=utf8mb4"])
            .args(["--connect-timeout=10".to_owned(), format!("--port={}", self.port)])
            .envs(self.installed.environment())
            .env("MYSQL_PWD", &self.password);
        if !database.is_empty() {
            command.arg(format!("--database={database}"));
        }
        command
    }

    /// Stops it in order.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn stop(&self) -> Result<()> {
        self.guard.stop("TERM")
    }

    /// Stops it in order and starts it.
    ///
    /// # Errors
    /// It does not come back; with the end of its log.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.start_again()
    }

    /// Kills it: what a crash leaves behind.
    ///
    /// # Errors
    /// The guard is gone.
    pub fn kill(&self) -> Result<()> {
        self.guard.stop("KILL")
    }

    /// Starts it after it was stopped or killed, on the same port; waits until it answers.
    ///
    /// # Errors
    /// It does not come back; with the end of its log.
    pub fn start_again(&self) -> Result<()> {
        self.guard.start(|| self.sql("", "SELECT 1").map(drop))
    }
}

/// The settings that both servers have.
pub(super) fn settings(
    home: &Home,
    installed: &Installed,
    options: &Options,
) -> Vec<(&'static str, String)> {
    let folder = home.folder.display();
    let flush = if options.durable { "1" } else { "2" };
    let sync = if options.durable { "1" } else { "0" };
    let mut ours = folders(installed);
    ours.extend([
        ("datadir", format!("{folder}/data")),
        ("socket", format!("{folder}/server.sock")),
        ("pid_file", format!("{folder}/server.pid")),
        ("bind_address", "127.0.0.1".to_owned()),
        ("port", home.port.to_string()),
        ("skip_name_resolve", String::new()),
        // The same on every machine.
        ("default_time_zone", "'+00:00'".to_owned()),
        ("server_id", "1".to_owned()),
        ("log_bin", "binlog".to_owned()),
        ("binlog_row_metadata", "FULL".to_owned()),
        ("character_set_server", "utf8mb4".to_owned()),
        ("innodb_buffer_pool_size", "64M".to_owned()),
        ("innodb_flush_log_at_trx_commit", flush.to_owned()),
        ("sync_binlog", sync.to_owned()),
    ]);
    ours
}

/// Where messages, character sets and plugins lie, as options; a server that was unpacked does not
/// find them by itself. The folder's name differs between distributions and versions.
pub(super) fn folders(installed: &Installed) -> Vec<(&'static str, String)> {
    let share = installed.folder_with("english", &["usr/share/mariadb", "usr/share/mysql"]);
    let plugin = installed
        .folder_with("plugin", &["usr/lib/mysql", "usr/lib64/mysql", "usr/lib64/mariadb"])
        .map(|folder| folder.join("plugin"));
    let found = [
        ("basedir", Some(installed.root.join("usr"))),
        ("character_sets_dir", share.as_ref().map(|share| share.join("charsets"))),
        ("lc_messages_dir", share),
        ("plugin_dir", plugin),
    ];
    let text = |(name, path): (_, Option<PathBuf>)| Some((name, path?.display().to_string()));
    found.into_iter().filter_map(text).collect()
}
