//! What a test needs from its machine, and what happens when that is missing.

use std::io::Write;
use std::path::{Path, PathBuf};

use trueup::demo::servers::{MariadbServer, MysqlServer, PostgresServer};
use trueup::error::{Error, ErrorKind};

use super::prometheus;
use super::small_disk::SmallDisk;
use super::versions::Version;

/// Servers of `scripts/setup versions`: what a test requires, what that is, and its version.
pub(crate) const VERSIONS: [(&str, &str, &str); 7] = [
    ("pg14", "PostgreSQL 14", "14"),
    ("pg16", "PostgreSQL 16", "16"),
    ("pg17", "PostgreSQL 17", "17"),
    ("pg18", "PostgreSQL 18", "18"),
    ("postgis", "PostgreSQL with PostGIS", "postgis"),
    ("mariadb118", "MariaDB 11.8", "11.8"),
    ("mysql", "MySQL 9", "9"),
];

/// Whether the machine has `what`: `postgres`, `mariadb` (server programs), one of [`VERSIONS`] of
/// them, `clients` (of the SQL listener), `prometheus` (with promtool), `tmpfs` (of a few MiB, mounted
/// by who is not root) or `data` (the dumps in `../shared/data`). When it has not, this says
/// `skipped: no …` and the test returns; but where `TRUEUP_REQUIRE` (a comma-separated list, set by CI)
/// names it, the test fails.
#[must_use]
pub(crate) fn require(what: &str) -> bool {
    let (name, missing) = match what {
        "postgres" => ("PostgreSQL server programs", PostgresServer::installed(None).err()),
        "mariadb" => ("MariaDB server programs", MariadbServer::installed(None).err()),
        "prometheus" => {
            let missing = ["prometheus", "promtool"]
                .into_iter()
                .find(|name| prometheus::program(name).is_none());
            let error = |name| {
                Error::new(ErrorKind::Setup, format!("no program {name} found"))
                    .hint("run `scripts/setup prometheus`, or install Prometheus")
            };
            ("Prometheus programs", missing.map(error))
        }
        "data" => {
            let error = || {
                let what = format!("there is no folder {}", data_folder().display());
                Error::new(ErrorKind::Setup, what)
            };
            ("../shared/data", (!data_folder().is_dir()).then(error))
        }
        "clients" => ("clients of the SQL listener", Clients::unpacked().err()),
        "tmpfs" => {
            let error = |why| {
                Error::new(ErrorKind::Setup, why).hint("allow user namespaces that mount a tmpfs")
            };
            ("small file systems", SmallDisk::possible().err().map(error))
        }
        _ => {
            let known = VERSIONS.iter().find(|(name, ..)| *name == what);
            let Some((_, name, version)) = known else { panic!("nobody knows \"{what}\"") };
            let installed = match name.split_once(' ') {
                Some(("PostgreSQL", _)) => PostgresServer::installed,
                Some(("MariaDB", _)) => MariadbServer::installed,
                _ => MysqlServer::installed,
            };
            (*name, installed(Some(version)).err())
        }
    };
    let Some(error) = missing else { return true };
    let required = std::env::var("TRUEUP_REQUIRE").unwrap_or_default();
    if required.split(',').any(|required| required == what) {
        let remedy = error.remedy().unwrap_or("provide it");
        panic!("TRUEUP_REQUIRE names {what}: {}; {remedy}, or take it out", error.chain());
    }
    // Past the harness, which would swallow it: a skipped test must not look like a passed one.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "skipped: no {name}").unwrap();
    false
}

/// The version that `what` means, if the machine has it, see [`require`].
pub(crate) fn version(what: &str) -> Option<Version> {
    let known = VERSIONS.iter().find(|(name, ..)| *name == what);
    require(what).then(|| known.map(|(_, _, version)| *version))
}

/// A file of `../shared/data`, by its name.
pub(crate) fn data_file(name: &str) -> PathBuf {
    data_folder().join(name)
}

fn data_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data")
}

/// Programs and libraries of other languages that ask the SQL listener.
pub(crate) struct Clients {
    /// With psycopg, psycopg2 and SQLAlchemy.
    pub(crate) python: PathBuf,
    /// PostgreSQL's JDBC driver.
    pub(crate) jdbc: PathBuf,
    /// A Java that compiles.
    pub(crate) java: PathBuf,
}

impl Clients {
    /// Those that `scripts/setup clients` put into the cache; Java may be installed.
    pub(crate) fn unpacked() -> Result<Self, Error> {
        let home = || std::env::var("HOME").map(|home| PathBuf::from(home).join(".cache/trueup"));
        let caches = [
            std::env::var("TRUEUP_CACHE").ok().map(PathBuf::from),
            Some(PathBuf::from("/var/cache/trueup")),
            std::env::var("XDG_CACHE_HOME").ok().map(|cache| PathBuf::from(cache).join("trueup")),
            home().ok(),
        ];
        let folders = caches.into_iter().flatten().filter_map(|cache| child(&cache, "clients-"));
        let mut found = folders.filter_map(|folder| {
            let python = folder.join("python/bin/python");
            let jdbc = child(&folder, "jdbc-")?.join("usr/share/java/postgresql.jar");
            let java =
                child(&folder, "java-").and_then(|java| child(&java.join("usr/lib/jvm"), "java-"));
            let java = java.map_or_else(|| "java".into(), |java| java.join("bin/java"));
            (python.exists() && jdbc.exists()).then_some(Self { python, jdbc, java })
        });
        let missing = || {
            Error::new(ErrorKind::Setup, "there are no clients of the SQL listener in the cache")
                .hint("run `scripts/setup clients`")
        };
        found.next().ok_or_else(missing)
    }
}

/// The last entry of a folder whose name begins so.
fn child(folder: &Path, beginning: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let is_wanted = |path: &PathBuf| {
        path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(beginning))
    };
    entries.filter(is_wanted).max()
}
