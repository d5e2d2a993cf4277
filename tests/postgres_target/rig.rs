//! A database per test with the operator's tables in it, and short ways to say what is delivered.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use trueup::config::{Config, TargetConfig};
use trueup::demo::servers::{Options, PostgresServer};
use trueup::error::Result;
use trueup::target::postgres::PostgresTarget;
use trueup::target::{Apply, Claim, Hole, TargetRow};

/// One server for all tests here; its guard stops it when the process ends.
pub(super) fn server() -> &'static Arc<PostgresServer> {
    static SERVER: OnceLock<Arc<PostgresServer>> = OnceLock::new();
    SERVER.get_or_init(|| Arc::new(PostgresServer::start(&Options::default()).unwrap()))
}

/// A database of one test.
pub(super) struct Psa {
    pub(super) database: String,
    server: Arc<PostgresServer>,
    secrets: tempfile::TempDir,
}

impl Psa {
    /// With the operator's tables in it.
    pub(super) fn new() -> Self {
        Self::on(Arc::clone(server()))
    }

    /// On a server of its own, to be mistreated.
    pub(super) fn on(server: Arc<PostgresServer>) -> Self {
        let psa = Self::empty_on(server);
        psa.sql(include_str!("psa.sql"));
        psa
    }

    pub(super) fn empty() -> Self {
        Self::empty_on(Arc::clone(server()))
    }

    fn empty_on(server: Arc<PostgresServer>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let database = format!("psa_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        server.create_database(&database).unwrap();
        let secrets = tempfile::tempdir().unwrap();
        std::fs::write(secrets.path().join("right"), server.password()).unwrap();
        std::fs::write(secrets.path().join("wrong"), "not the password").unwrap();
        Self { database, server, secrets }
    }

    pub(super) fn sql(&self, statements: &str) -> String {
        self.server.sql(&self.database, statements).unwrap().trim_end().to_owned()
    }

    /// The configuration with the usual entities.
    pub(super) fn config(&self) -> TargetConfig {
        let entities = r#"
            [target.psa.entity.worker]
            table = "resource"
            key = { employee_code = "worker_no" }
            columns.badge = "badge"
            columns.display_name = "full_name"
            columns.email = "email"
            columns.grade = "grade"
            columns.manager = "manager"
            columns.profile = "profile"
            [target.psa.entity.time_entry]
            table = "time.Sheet"
            key = { entry_no = "entry_no" }
            columns = { approver = "approver", employee_code = "worker", hours = "hours" }
        "#;
        self.config_with("right", &self.server.url(&self.database), entities)
    }

    /// Another one. `password`: `right` or `wrong`.
    pub(super) fn config_with(&self, password: &str, url: &str, entities: &str) -> TargetConfig {
        let secret = self.secrets.path().join(password);
        let text = format!(
            "[target.psa]\nkind = \"postgres\"\nurl = \"{url}\"\npassword = \
                \"${{file:{}}}\"\n{entities}",
            secret.display()
        );
        let config: Config = trueup::config::parse(&text).unwrap();
        config.target["psa"].clone()
    }

    /// A target that is not open yet.
    pub(super) fn target(&self) -> PostgresTarget {
        target(&self.config()).unwrap()
    }

    /// The cursor and the holes as the tables have them.
    pub(super) fn account(&self) -> String {
        self.sql(
            "SELECT 'cursor ' || seq FROM _trueup.cursor;
             SELECT concat_ws(' ', 'hole', seq, entity, key) FROM _trueup.hole ORDER BY seq, key;",
        )
    }
}

/// What a ledger claims that has used `epoch - 1` epochs, and never was copied.
pub(super) fn claim(epoch: u64) -> Claim {
    Claim { epoch, token: "the original".to_owned(), former: None }
}

pub(super) fn target(config: &TargetConfig) -> Result<PostgresTarget> {
    PostgresTarget::new("psa", "install-1", config)
}

/// A worker with a name, and a badge that is its own.
pub(super) fn worker(key: &str, name: &str, sequences: &[u64]) -> TargetRow {
    let cells = [Some(key), Some(name), None, None, None, None];
    row("worker", key, Some(&cells), sequences)
}

/// A worker with everything: badge, name, e-mail, grade, manager, profile.
pub(super) fn full_worker(key: &str, cells: [Option<&str>; 6], sequences: &[u64]) -> TargetRow {
    row("worker", key, Some(&cells), sequences)
}

/// A time entry of a worker.
pub(super) fn entry(key: &str, worker: &str, hours: &str, sequences: &[u64]) -> TargetRow {
    row("time_entry", key, Some(&[None, Some(worker), Some(hours)]), sequences)
}

pub(super) fn gone(entity: &str, key: &str, sequences: &[u64]) -> TargetRow {
    row(entity, key, None, sequences)
}

fn row(entity: &str, key: &str, cells: Option<&[Option<&str>]>, sequences: &[u64]) -> TargetRow {
    let owned = |cell: &Option<&str>| cell.map(str::to_owned);
    TargetRow {
        entity: entity.to_owned(),
        key: key.to_owned(),
        key_cells: vec![Some(key.to_owned())],
        cells: cells.map(|cells| cells.iter().map(owned).collect()),
        sequences: sequences.to_vec(),
        soft: vec![],
    }
}

pub(super) fn hole(sequence: u64, entity: &str, key: &str) -> Hole {
    Hole { sequence, entity: entity.to_owned(), key: key.to_owned() }
}

/// A delivery of a range.
pub(super) fn range(from: u64, to: u64, rows: Vec<TargetRow>) -> Apply {
    Apply { range: Some((from, to)), rows, ..Apply::default() }
}

/// A delivery that does not move the cursor.
pub(super) fn retry(rows: Vec<TargetRow>) -> Apply {
    Apply { rows, ..Apply::default() }
}
