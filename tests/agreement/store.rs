//! What the store of a running daemon holds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Row, Table};
use crate::support::process::Installation;

/// Tables asked for with one statement.
const TABLES_PER_STATEMENT: usize = 25;

/// The rows of one statement.
pub(crate) fn rows(installation: &Installation, sql: &str) -> Result<Vec<Row>, String> {
    let output = installation.output(&["sql", "--json", sql]);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let value: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    assert!(value["cut"].is_null(), "rows were cut: {}", value["cut"]);
    let rows = value["rows"].as_array().ok_or("no rows")?;
    Ok(rows.iter().map(cells).collect())
}

/// The mirror of every table, in the order asked for.
pub(crate) fn mirror(
    installation: &Installation,
    source: &str,
    tables: &[Table],
) -> Result<Vec<Vec<Row>>, String> {
    let mut found: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for some in tables.chunks(TABLES_PER_STATEMENT) {
        let selects: Vec<String> = some.iter().map(|table| select(source, table)).collect();
        for row in rows(installation, &selects.join(" UNION ALL "))? {
            let [Some(table), Some(text)] = row.as_slice() else { panic!("{row:?}") };
            let row = cells(&serde_json::from_str(text).unwrap());
            found.entry(table.clone()).or_default().push(row);
        }
    }
    Ok(tables.iter().map(|table| found.remove(&table.name).unwrap_or_default()).collect())
}

/// A table's rows, each as one JSON array of texts.
fn select(source: &str, table: &Table) -> String {
    let columns: Vec<&str> = table.columns.iter().map(|c| c.store_sql.as_str()).collect();
    format!(
        "SELECT '{0}', CAST(to_json([{1}]) AS VARCHAR) FROM {source}.\"{0}\"",
        table.name,
        columns.join(", ")
    )
}

fn cells(row: &Value) -> Row {
    let cell = |cell: &Value| cell.as_str().map(ToOwned::to_owned);
    row.as_array().map(|row| row.iter().map(cell).collect()).unwrap_or_default()
}

/// The named columns of an entity; all others that it has must be NULL in every row, because
/// nobody contributes them.
pub(crate) fn canonical(
    installation: &Installation,
    entity: &str,
    columns: &[String],
) -> Result<Vec<Row>, String> {
    let known = format!(
        "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'canon'
         AND table_name = '{entity}' AND column_name NOT LIKE '\\_%' ESCAPE '\\'"
    );
    for row in rows(installation, &known)? {
        let [Some(name)] = row.as_slice() else { panic!("{row:?}") };
        if !columns.contains(name) {
            let count = format!("SELECT count({name}) FROM canon.{entity}");
            assert_eq!(rows(installation, &count)?, [[Some("0".to_owned())]], "{entity}.{name}");
        }
    }
    rows(installation, &format!("SELECT {} FROM canon.{entity}", columns.join(", ")))
}

/// `trueup status --json` of a daemon, running or not.
pub(crate) fn status(installation: &Installation) -> Result<Value, String> {
    let output = installation.output(&["status", "--json"]);
    serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// `Ok` once every source streams and everything captured is conformed and delivered.
pub(crate) fn settled(installation: &Installation) -> Result<(), String> {
    let status = status(installation)?;
    let sources = status["sources"].as_array().ok_or("no sources")?;
    let targets = status["targets"].as_array().ok_or("no targets")?;
    let streams = sources.iter().all(|source| source["state"] == "streaming");
    let delivered = targets.iter().all(|target| {
        let filled = target["baseline"].as_object().is_some_and(|entities| {
            !entities.is_empty() && entities.values().all(|state| state == "done")
        });
        target["state"] == "delivering"
            && target["queue_events"] == 0
            && target["parked"] == 0
            && target["dead"] == 0
            && filled
    });
    let conformed = status["conform"]["journal_behind_entries"] == 0;
    if streams && delivered && conformed { Ok(()) } else { Err(status.to_string()) }
}

/// The entities of a status, once every one was held against a full evaluation after `since`.
pub(crate) fn verified(status: &Value, since: Timestamp) -> Result<Vec<Value>, String> {
    let entities = status["entities"].as_array().cloned().unwrap_or_default();
    let is_new = |entity: &Value| {
        let at = entity["verified_at"].as_str().and_then(|at| at.parse().ok());
        at.is_some_and(|at: Timestamp| at > since)
    };
    let all = !entities.is_empty() && entities.iter().all(is_new);
    if all { Ok(entities) } else { Err(status.to_string()) }
}

/// `Ok` once something is sealed in the archive.
pub(crate) fn sealed(installation: &Installation) -> Result<(), String> {
    let archive = status(installation)?["archive"].clone();
    if archive["sealed_at"].is_null() { Err(archive.to_string()) } else { Ok(()) }
}

/// As after a long time: the queue holds nothing that is sealed. The daemon must be gone.
pub(crate) fn forget_what_is_sealed(installation: &Installation) {
    let path = installation.state_folder().join("ledger.sqlite");
    let ledger = rusqlite::Connection::open(path).unwrap();
    let sealed = "(SELECT max(batch_upto) FROM seal)";
    for (table, batch) in [("outbox_block", "batch"), ("batch", "id")] {
        // The newest is never trimmed.
        let sql = format!(
            "DELETE FROM {table} WHERE {batch} <= {sealed}
             AND {batch} < (SELECT max({batch}) FROM {table})"
        );
        let trimmed = ledger.execute(&sql, []).unwrap();
        assert!(trimmed > 0 || table != "batch", "nothing was sealed");
    }
}

/// The store's file is gone; what is left of it fits nothing. The daemon must be gone too.
pub(crate) fn lose(installation: &Installation) {
    let store = installation.state_folder().join("store.duckdb");
    std::fs::remove_file(&store).unwrap();
    std::fs::write(store.with_extension("duckdb.wal"), "of a store that is gone").unwrap();
}

/// Writes a configuration with one source (its table but for the password) and, with a URL and a
/// password, one target `psa` that takes `entities`.
pub(crate) fn configure(
    installation: &Installation,
    (source, source_password): (&str, &str),
    target: Option<(&str, &str, &toml::Table)>,
) {
    let secret = |name, text| installation.write(name, text).display().to_string();
    let mut text = format!(
        "[daemon]\nstate_dir = {:?}\nhttp_listen = \"127.0.0.1:{}\"\n\
         [limits]\nsql_rows_max = 1000000\nverify_every_secs = 2\n{source}\npassword = \"${{file:{}}}\"\n",
        installation.state_folder(),
        installation.http_port(),
        secret("source.password", source_password),
    );
    if let Some((url, password, entities)) = target {
        let password = secret("target.password", password);
        text.push_str(&format!(
            "[target.psa]\nkind = \"postgres\"\nurl = {url:?}\npassword = \"${{file:{password}}}\"\n"
        ));
        let named = |name: &str, table: toml::Table| {
            toml::Table::from_iter([(name.to_owned(), toml::Value::Table(table))])
        };
        let nested = named("target", named("psa", named("entity", entities.clone())));
        text.push_str(&toml::to_string(&nested).unwrap());
    }
    installation.write("trueup.toml", &text);
}
