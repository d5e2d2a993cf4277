//! Private PostgreSQL, MariaDB and MySQL instances: for `trueup demo` and for the tests.
//!
//! Each lives on a free loopback port with its data in a temporary folder, and never outlives
//! this process. It does not install servers (`scripts/setup` does) and it knows nothing of what
//! is done with them. Synchronous: async callers use `spawn_blocking`.
//!
//! ```text
//! this process ──pipe──► guard (sh) ──► postgres, mariadbd or mysqld
//!                  │        └─ when the pipe ends: stops the server, removes the folder
//!                  └─ ends when we drop it, and also when we are killed
//! ```

mod binlog;
mod client;
mod guard;
mod installed;
mod mariadb;
mod mysql;
mod postgres;

pub use binlog::BinlogServer;

pub(crate) use guard::free_port;
pub use installed::unpacked;
pub use mariadb::MariadbServer;
pub use mysql::MysqlServer;
pub use postgres::PostgresServer;

/// How an instance is to be started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether commits reach the disk before they are answered. Off is faster and still survives
    /// a kill of the server; only a power failure tells the difference.
    pub durable: bool,
    /// The password of the superuser (`postgres` or `root`). Letters and digits.
    pub password: String,
    /// More lines for the server's configuration file, name and value; they beat our own. An
    /// empty value writes the bare name (MariaDB's `skip_log_bin`).
    pub settings: Vec<(String, String)>,
    /// Which of those that `scripts/setup versions` fetched: `18`, `11.8`. None is the server that
    /// people have: the one that `scripts/setup servers` found.
    pub version: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durable: false,
            password: uuid::Uuid::new_v4().simple().to_string(),
            settings: Vec::new(),
            version: None,
        }
    }
}

impl Options {
    /// The same of another version.
    #[must_use]
    pub fn version(mut self, version: Option<&str>) -> Self {
        self.version = version.map(str::to_owned);
        self
    }

    /// The same with one more configuration line.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The configuration lines as text; later lines win in both servers.
    fn lines(&self, ours: &[(&str, String)]) -> String {
        let ours = ours.iter().map(|(name, value)| (*name, value.as_str()));
        let theirs = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut text = String::new();
        for (name, value) in ours.chain(theirs) {
            text.push_str(name);
            if !value.is_empty() {
                text.push_str(" = ");
                text.push_str(value);
            }
            text.push('\n');
        }
        text
    }
}
