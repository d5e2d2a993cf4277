//! What a test needs from its machine, and what happens when that is missing.

use std::io::Write;
use std::path::{Path, PathBuf};

use trueup::demo::servers::{MariadbServer, PostgresServer};

/// Whether the machine has `what`: `postgres`, `mariadb` (server programs) or `data` (the dumps
/// in `../shared/data`). When it has not, this says `skipped: no …` and the test returns; but
/// where `TRUEUP_REQUIRE` (a comma-separated list, set by CI) names it, the test fails.
#[must_use]
pub(crate) fn require(what: &str) -> bool {
    let (name, missing) = match what {
        "postgres" => ("PostgreSQL server programs", PostgresServer::installed().err()),
        "mariadb" => ("MariaDB server programs", MariadbServer::installed().err()),
        "data" => {
            let error = || {
                let what = format!("there is no folder {}", data_folder().display());
                trueup::error::Error::new(trueup::error::ErrorKind::Setup, what)
            };
            ("../shared/data", (!data_folder().is_dir()).then(error))
        }
        _ => panic!("\"{what}\" is none of postgres, mariadb, data"),
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

/// A file of `../shared/data`, by its name.
pub(crate) fn data_file(name: &str) -> PathBuf {
    data_folder().join(name)
}

fn data_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data")
}
