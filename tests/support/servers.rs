//! One PostgreSQL and one MariaDB for the whole test process, and a fresh database per test.
//!
//! A test that restarts, kills or configures its server starts one of its own instead.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use trueup::demo::servers::{MariadbServer, Options, PostgresServer};

/// The shared PostgreSQL, started by the first test that asks. It ends with this process.
pub(crate) fn postgres() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| match PostgresServer::start(&Options::default()) {
        Ok(server) => server,
        Err(error) => panic!("{}; {:?}", error.chain(), error.remedy()),
    })
}

/// The shared MariaDB, likewise.
pub(crate) fn mariadb() -> &'static MariadbServer {
    static SERVER: OnceLock<MariadbServer> = OnceLock::new();
    SERVER.get_or_init(|| match MariadbServer::start(&Options::default()) {
        Ok(server) => server,
        Err(error) => panic!("{}; {:?}", error.chain(), error.remedy()),
    })
}

/// Makes an empty database on the shared PostgreSQL; its name begins with `label`.
pub(crate) fn postgres_database(label: &str) -> String {
    let name = unique(label);
    postgres().create_database(&name).unwrap_or_else(|error| panic!("{}", error.chain()));
    name
}

/// Makes an empty database on the shared MariaDB; its name begins with `label`.
pub(crate) fn mariadb_database(label: &str) -> String {
    let name = unique(label);
    mariadb().create_database(&name).unwrap_or_else(|error| panic!("{}", error.chain()));
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
