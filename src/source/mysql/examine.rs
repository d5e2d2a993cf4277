//! What `check` says about the chosen tables, and how `prepare` refuses: the same findings.
//!
//! Pure; the settings of the server are judged in [`super::settings`].

use super::catalog::{Described, Known};
use super::key;
use super::settings::{Server, THREAD_SCHEDULING};
use crate::change::keyless::OWN_NAMES;
use crate::change::{Table, TableName};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Finding, Severity};

/// The chosen tables and what was found out about them.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) described: Vec<Described>,
    pub(super) findings: Vec<Finding>,
}

/// Judges the chosen tables.
pub(super) fn tables(
    known: &[Known],
    described: &[Described],
    forbidden: &[TableName],
    server: &Server,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        described.iter().flat_map(|found| table(known, found, forbidden, server)).collect();
    let tables: Vec<&Table> = described.iter().map(|found| &found.table).collect();
    findings.extend(described.iter().flat_map(|found| hidden_changes(&found.table, &tables)));
    findings.push(Finding::ok(format!("{} tables are mirrored", described.len())));
    findings
}

/// Leaves out the tables that are not `mirrored` yet and cannot be as they are.
pub(super) fn leave_out(
    source: &str,
    known: &[Known],
    described: &mut Vec<Described>,
    forbidden: &[TableName],
    (server, mirrored): (&Server, &[String]),
) {
    // One that is left out may be what another one follows.
    let mut before = usize::MAX;
    while described.len() < before {
        before = described.len();
        let tables: Vec<Table> = described.iter().map(|found| found.table.clone()).collect();
        let tables: Vec<&Table> = tables.iter().collect();
        described.retain(|found| {
            let name = &found.table.name;
            let mut findings = table(known, found, forbidden, server);
            findings.extend(hidden_changes(&found.table, &tables));
            let errors = findings.iter().filter(|one| one.severity == Severity::Error);
            let why: Vec<&str> = errors.map(|one| one.what.as_str()).collect();
            if why.is_empty() || mirrored.contains(&name.to_string()) {
                return true;
            }
            let why = why.join("; ");
            tracing::warn!(
                source,
                table = %name,
                why,
                "a table that came is left out, `check` says more"
            );
            false
        });
    }
}

/// What stands against mirroring one table, whichever others are mirrored.
pub(super) fn table(
    known: &[Known],
    found: &Described,
    forbidden: &[TableName],
    server: &Server,
) -> Vec<Finding> {
    let name = &found.table.name;
    let mut findings = Vec::new();
    if forbidden.contains(name) {
        let grant = server.grant("SELECT", &format!("{}.*", key::quote(&name.schema)));
        findings.push(Finding::error(format!("table {name} may not be read"), grant));
    }
    let is = known.iter().find(|known| known.name == *name);
    findings.extend(is.and_then(kind));
    if found.table.key().next().is_none() {
        findings.push(finding(&key::no_key(&found.table)));
    }
    if found.table.is_keyless() {
        findings.extend(without_key(found, server));
    }
    for (column, reason) in &found.unreadable {
        findings.push(Finding::error(
            format!("column {column} of table {name} {reason}"),
            format!(
                "ALTER TABLE {}.{} MODIFY {} … to a plain type in utf8mb4, or add \
                 \"!{name}\" to `tables`",
                key::quote(&name.schema),
                key::quote(&name.name),
                key::quote(column)
            ),
        ));
    }
    findings.extend(untold(found));
    findings
}

/// Columns of which the log does not tell every value.
fn untold(found: &Described) -> Vec<Finding> {
    let Described { table, untold, .. } = found;
    let name = &table.name;
    let is_kept = |column: &&String| table.columns.iter().any(|kept| kept.name == **column);
    let (kept, left_out): (Vec<&String>, Vec<&String>) = untold.iter().partition(is_kept);
    let mut findings: Vec<Finding> = kept
        .into_iter()
        .map(|column| {
            Finding::error(
                format!(
                    "column {column} of table {name} is computed by the server, whose log leaves it out of rows \
                     that are changed or removed, and it is part of the key, of a foreign key or of `rows`"
                ),
                format!("add a key, or a condition, of other columns; or add \"!{name}\" to `tables`"),
            )
        })
        .collect();
    if !left_out.is_empty() {
        let columns: Vec<&str> = left_out.into_iter().map(String::as_str).collect();
        let columns = columns.join(", ");
        findings.push(Finding::warning(
            format!(
                "table {name} is mirrored without what the server computes ({columns}): its log leaves that out \
                 of rows that are changed or removed"
            ),
            "none is needed; compute it in the mapping, or in a query",
        ));
    }
    findings
}

fn kind(known: &Known) -> Option<Finding> {
    let name = &known.name;
    let leave_out = format!("add \"!{name}\" to `tables`");
    if known.kind == "SYSTEM VERSIONED" {
        let what = format!("table {name} is system-versioned: its history is not in the log");
        return Some(Finding::error(what, leave_out));
    }
    (known.engine != "InnoDB").then(|| {
        Finding::error(
            format!("table {name} has engine {}: it has no snapshots to copy from", known.engine),
            format!(
                "ALTER TABLE {}.{} ENGINE = InnoDB; or {leave_out}",
                key::quote(&name.schema),
                key::quote(&name.name)
            ),
        )
    })
}

/// What stands against mirroring a table without a key, or else what that costs.
fn without_key(found: &Described, server: &Server) -> Vec<Finding> {
    let table = &found.table;
    let name = &table.name;
    let sql = format!("ALTER TABLE {}.{}", key::quote(&name.schema), key::quote(&name.name));
    let mut sent = table.columns.iter().take(table.sent_count());
    let mut findings = Vec::new();
    if sent.any(|column| OWN_NAMES.contains(&column.name.to_lowercase().as_str())) {
        findings.push(Finding::error(
            format!("table {name} has no key, and a column named _row or _nth"),
            format!("{sql} ADD PRIMARY KEY (…); or rename that column"),
        ));
    }
    if !server.places_snapshots() {
        findings.push(Finding::error(
            format!(
                "table {name} has no key, and {THREAD_SCHEDULING} = OFF: the server does not say truly what \
                 a snapshot has seen"
            ),
            format!("take {THREAD_SCHEDULING} out of my.cnf and restart the server; or {sql} ADD PRIMARY KEY (…);"),
        ));
    }
    if findings.is_empty() {
        let grant = server.grant("LOCK TABLES", &format!("{}.*", key::quote(&name.schema)));
        let still = match server.may_wait_for_stillness() {
            true => format!("; its copy begins in a moment without commits, or after {grant}"),
            false => String::new(),
        };
        findings.push(Finding::warning(
            format!(
                "table {name} has no key: it is copied in one long transaction, which holds back purge; ALTER \
                 TABLE waits for it, and whoever uses the table waits for that; and any change of its columns \
                 copies it anew"
            ),
            format!("none is needed; {sql} ADD PRIMARY KEY (…); spares it{still}"),
        ));
    }
    findings
}

/// MariaDB does not log what its foreign keys do. It is derived from the changes of the table
/// they refer to, so that one must be mirrored too.
fn hidden_changes(table: &Table, all: &[&Table]) -> Vec<Finding> {
    let is_mirrored = |name: &TableName| all.iter().any(|one| one.name == *name);
    let hidden = table.cascades.iter().filter(|cascade| !is_mirrored(&cascade.parent));
    let refuse = |cascade: &crate::change::schema::Cascade| {
        let (name, parent) = (&table.name, &cascade.parent);
        let columns: Vec<&str> =
            cascade.columns.iter().map(|(column, _)| column.as_str()).collect();
        Finding::error(
            format!(
                "table {name} follows {parent} by a foreign key on {} (ON DELETE {}, ON UPDATE \
                 {}), which the log does not tell of, and {parent} is not mirrored",
                columns.join(", "),
                cascade.on_delete,
                cascade.on_update
            ),
            format!("add \"{parent}\" to `tables`, or \"!{name}\""),
        )
    };
    hidden.map(refuse).chain(follows_and_is_followed(table, all)).collect()
}

/// What a foreign key does to rows without a key is derived while they are copied, too, but not what that does
/// to the next table.
fn follows_and_is_followed(table: &Table, all: &[&Table]) -> Option<Finding> {
    if !table.is_keyless() {
        return None;
    }
    let parent = &table.cascades.first()?.parent;
    let follows = |one: &&&Table| one.cascades.iter().any(|cascade| cascade.parent == table.name);
    let child = &all.iter().find(follows)?.name;
    let name = &table.name;
    Some(Finding::error(
        format!(
            "table {name} has no key; it follows {parent} by a foreign key, and {child} follows it: the log \
             does not tell what the one does to the other"
        ),
        format!(
            "ALTER TABLE {}.{} ADD PRIMARY KEY (…); or add \"!{name}\" and \"!{child}\" to `tables`",
            key::quote(&name.schema),
            key::quote(&name.name)
        ),
    ))
}

/// An error as a finding.
pub(super) fn finding(error: &Error) -> Finding {
    Finding {
        severity: Severity::Error,
        what: error.chain(),
        remedy: error.remedy().map(str::to_owned),
    }
}

/// Refuses to go on if any finding is an error; names them all, each with its remedy.
pub(super) fn refuse(source: &str, findings: &[Finding]) -> Result<()> {
    let errors: Vec<&Finding> =
        findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    if errors.is_empty() {
        return Ok(());
    }
    let what: Vec<&str> = errors.iter().map(|finding| finding.what.as_str()).collect();
    let remedies: Vec<&str> =
        errors.iter().filter_map(|finding| finding.remedy.as_deref()).collect();
    let what = format!("source `{source}` is not ready: {}", what.join("; "));
    Err(Error::new(ErrorKind::Setup, what).hint(remedies.join("\n")))
}
