//! What `check` says about the chosen tables, and how `prepare` refuses: the same findings.
//!
//! Pure; the settings of the server are judged in [`super::settings`].

use super::catalog::{Described, Known};
use super::key;
use super::settings::Server;
use crate::change::TableName;
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
    let is_mirrored = |name: &TableName| described.iter().any(|found| found.table.name == *name);
    findings.extend(described.iter().flat_map(|found| hidden_changes(found, &is_mirrored)));
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
        let names: Vec<TableName> =
            described.iter().map(|found| found.table.name.clone()).collect();
        described.retain(|found| {
            let name = &found.table.name;
            let mut findings = table(known, found, forbidden, server);
            findings.extend(hidden_changes(found, &|parent| names.contains(parent)));
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

/// MariaDB does not log what its foreign keys do. It is derived from the changes of the table
/// they refer to, so that one must be mirrored too.
fn hidden_changes(found: &Described, is_mirrored: &dyn Fn(&TableName) -> bool) -> Vec<Finding> {
    let hidden = |cascade: &&crate::change::schema::Cascade| !is_mirrored(&cascade.parent);
    let refuse = |cascade: &crate::change::schema::Cascade| {
        let (name, parent) = (&found.table.name, &cascade.parent);
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
    found.table.cascades.iter().filter(hidden).map(refuse).collect()
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
