//! Whether the sides agree on a real system: source, mirror, canonical rows and target, row by
//! row, and what each target transaction said it was.
//!
//! No test lies here; `tryton.rs`, `orangehrm.rs` and `employees.rs` are the tests. Expected rows
//! come from the servers themselves: their catalogs say which tables and columns there are, their
//! own text is the oracle for the mirror, a hand-written query on the source for canonical rows.

pub(crate) mod mariadb;
pub(crate) mod postgres;
pub(crate) mod replay;
pub(crate) mod store;
pub(crate) mod target;

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::support::process::Installation;
use crate::support::wait::wait_until;

/// How long a side may take to follow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// A row as text; `None` is NULL.
pub(crate) type Row = Vec<Option<String>>;

/// A table of a source, with SQL that gives the same text on both sides.
pub(crate) struct Table {
    /// Its name, the same in source and mirror.
    pub(crate) name: String,
    /// All of them.
    pub(crate) columns: Vec<Column>,
}

/// One column of it.
pub(crate) struct Column {
    /// Its text on the source server.
    pub(crate) source_sql: String,
    /// The same text in the store.
    pub(crate) store_sql: String,
}

/// What a source holds: its tables, and the rows of each.
pub(crate) struct Contents {
    /// The source's name in the configuration.
    pub(crate) source: &'static str,
    /// Every table that is mirrored.
    pub(crate) tables: Vec<Table>,
    /// The rows, in the same order.
    pub(crate) rows: Vec<Vec<Row>>,
}

impl Contents {
    /// All rows there are.
    pub(crate) fn row_count(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }
}

/// `trueup check` finds nothing wrong.
pub(crate) fn check(installation: &Installation) {
    let output = installation.output(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// Waits for the end of the first copy, and for the target to be filled.
pub(crate) fn wait_for_copy(installation: &Installation) {
    let began = Instant::now();
    wait_until("the copy", PATIENCE, || store::settled(installation));
    eprintln!("copied and filled the target within {:?}", began.elapsed());
}

/// Waits until every table of the mirror is as the source: the source must be at rest.
pub(crate) fn mirror_agrees(installation: &Installation, contents: &Contents) {
    wait_until("the mirror to be equal", PATIENCE, || {
        let found = store::mirror(installation, contents.source, &contents.tables)?;
        for ((table, expected), found) in contents.tables.iter().zip(&contents.rows).zip(found) {
            if let Some(difference) = difference(&table.name, expected.clone(), found) {
                return Err(difference);
            }
        }
        Ok(())
    });
    wait_until("everything to be delivered", PATIENCE, || store::settled(installation));
}

/// The rows of an entity are those of its query on the source server.
pub(crate) fn canonical_agrees(
    installation: &Installation,
    entity: &str,
    columns: &[String],
    expected: Vec<Row>,
) {
    let found = store::canonical(installation, entity, columns).unwrap();
    assert!(!expected.is_empty(), "the oracle of {entity} has no rows");
    if let Some(difference) = difference(&format!("canon.{entity}"), expected, found) {
        panic!("{difference}");
    }
}

/// The target's tables are the canonical rows, every event reached it once, and the status asks
/// for nobody.
pub(crate) async fn target_agrees(
    installation: &Installation,
    client: &Client,
    entities: &toml::Table,
) -> target::Seen {
    target::disagreement(installation, client, entities).await.unwrap();
    let seen = target::ranges(client).await;
    eprintln!(
        "all sides agree; {} events in {} ranges, {} other transactions",
        seen.cursor, seen.ranges, seen.marked
    );
    let now = jiff::Timestamp::now();
    let entities = wait_until("every entity to be verified", PATIENCE, || {
        store::verified(&store::status(installation)?, now)
    });
    let differs = entities.iter().find(|entity| entity["mismatches"] != 0);
    assert_eq!(differs, None, "incremental evaluation differs from a full one");
    let status = installation.output(&["status"]);
    let said = String::from_utf8_lossy(&status.stdout);
    assert!(status.status.success(), "the status asks for a person: {said}");
    seen
}

/// The first difference of two sets of rows, or `None`. Order does not count, repetition does.
pub(crate) fn difference(
    what: &str,
    mut expected: Vec<Row>,
    mut found: Vec<Row>,
) -> Option<String> {
    expected.sort();
    found.sort();
    if expected == found {
        return None;
    }
    let lacks = expected.iter().find(|row| found.binary_search(row).is_err());
    let has_more = found.iter().find(|row| expected.binary_search(row).is_err());
    Some(format!(
        "{what}: {} rows of {}; lacks {lacks:?}; has {has_more:?}",
        found.len(),
        expected.len()
    ))
}
