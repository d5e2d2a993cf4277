//! One server of each version for the whole test process, and a fresh database per test.
//!
//! A test that restarts, kills or configures its server starts one of its own instead.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use trueup::demo::servers::{BinlogServer, MariadbServer, MysqlServer, Options, PostgresServer};
use trueup::error::Error;

use super::versions::Version;

/// Shared servers by their version, each started by the first that asks. They end with this process.
struct Shared<Server: 'static>(Mutex<BTreeMap<Version, &'static OnceLock<Server>>>);

impl<Server> Shared<Server> {
    const fn none() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn server(
        &self,
        version: Version,
        start: impl FnOnce(&Options) -> Result<Server, Error>,
    ) -> &'static Server {
        // Whoever wants another version does not wait for this one to start.
        let place = {
            let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *places.entry(version).or_insert_with(|| Box::leak(Box::default()))
        };
        place.get_or_init(|| match start(&Options::default().version(version)) {
            Ok(server) => server,
            Err(error) => panic!("{}; {:?}", error.chain(), error.remedy()),
        })
    }
}

/// The shared PostgreSQL of a version.
pub(crate) fn postgres_of(version: Version) -> &'static Arc<PostgresServer> {
    static SERVERS: Shared<Arc<PostgresServer>> = Shared::none();
    SERVERS.server(version, |options| PostgresServer::start(options).map(Arc::new))
}

/// The shared MariaDB of a version.
pub(crate) fn mariadb_of(version: Version) -> &'static MariadbServer {
    static SERVERS: Shared<MariadbServer> = Shared::none();
    SERVERS.server(version, MariadbServer::start)
}

/// The shared MySQL.
pub(crate) fn mysql() -> &'static MysqlServer {
    static SERVERS: Shared<MysqlServer> = Shared::none();
    SERVERS.server(None, MysqlServer::start)
}

/// The shared MySQL whose transactions have no GTIDs.
pub(crate) fn mysql_without_gtids() -> &'static MysqlServer {
    static SERVERS: Shared<MysqlServer> = Shared::none();
    SERVERS.server(None, |options| MysqlServer::start(&without_gtids(options)))
}

/// The same server without them.
pub(crate) fn without_gtids(options: &Options) -> Options {
    let options = options.clone().setting("gtid_mode", "OFF");
    options.setting("enforce_gtid_consistency", "OFF")
}

/// The shared PostgreSQL that people have.
pub(crate) fn postgres() -> &'static PostgresServer {
    postgres_of(None)
}

/// The shared MariaDB that people have.
pub(crate) fn mariadb() -> &'static MariadbServer {
    mariadb_of(None)
}

/// Makes an empty database on the shared PostgreSQL; its name begins with `label`.
pub(crate) fn postgres_database(label: &str) -> String {
    database_on(postgres(), label)
}

/// Makes an empty database on the shared MariaDB; its name begins with `label`.
pub(crate) fn mariadb_database(label: &str) -> String {
    binlog_database(mariadb(), label)
}

/// Makes an empty database on a PostgreSQL; its name begins with `label`.
pub(crate) fn database_on(server: &PostgresServer, label: &str) -> String {
    let name = unique(label);
    server.create_database(&name).unwrap_or_else(|error| panic!("{}", error.chain()));
    name
}

/// Makes an empty database on a MariaDB or MySQL; its name begins with `label`.
pub(crate) fn binlog_database(server: &BinlogServer, label: &str) -> String {
    let name = unique(label);
    server.create_database(&name).unwrap_or_else(|error| panic!("{}", error.chain()));
    name
}

/// Feeds a gzipped dump to a client of a server (`server.psql(…)`, `server.client(…)`).
pub(crate) fn load_gzipped(mut client: Command, dump: &Path) {
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .arg(dump)
        .stdout(Stdio::piped())
        .spawn()
        .expect("could not run gzip");
    let output = client
        .stdin(gzip.stdout.take().unwrap())
        .output()
        .unwrap_or_else(|error| panic!("could not run {client:?}: {error}"));
    let unpacked = gzip.wait().unwrap();
    assert!(
        output.status.success() && unpacked.success(),
        "could not load {}: {}",
        dump.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn unique(label: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{label}_{}", COUNT.fetch_add(1, Ordering::Relaxed) + 1)
}

/// Copies a stopped server's data folder with its owners and modes; `to` must not exist.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success());
}
