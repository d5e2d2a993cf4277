//! `check` on a PostgreSQL source: every finding names its remedy, as SQL where it is SQL.
//!
//! It changes nothing and stops at nothing it can see past.

use std::sync::Arc;

use tokio_postgres::{Client, Row};

use super::catalog::{self, Identity, Listed, Server, quote, quoted};
use super::publication::Publication;
use super::session::Asked;
use super::slot::Slot;
use super::{Postgres, TOO_OLD, VERSION_MIN};
use crate::change::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;
use crate::source::choice::Choice;

/// Slots or walsenders free below which a restart of ours could be refused.
const FREE_MIN: i64 = 1;

/// Examines the source.
pub(crate) async fn examine(source: &Postgres) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = examine_into(source, &mut findings).await {
        let remedy = error.remedy().unwrap_or("see the cause").to_owned();
        findings.push(Finding::error(error.chain(), remedy));
    }
    findings
}

async fn examine_into(source: &Postgres, findings: &mut Vec<Finding>) -> Result<()> {
    let client = source.place.connect().await?;
    findings.push(Finding::ok(format!("connected to {}", source.place)));
    let server = Server::read(&client).await?;
    findings.extend(about_server(&server));
    if server.version < VERSION_MIN {
        // What follows asks for what such a server does not know: its words would hide the reason.
        return Ok(());
    }
    let limits = Limits::read(&client).await?;
    findings.extend(about_limits(&limits));
    let listed = catalog::list(&client, None).await?;
    let chosen = source.choose(&listed)?;
    let count = listed.iter().filter(|table| table.ancestors.is_empty()).count();
    findings.push(Finding::ok(format!("{} of {count} tables are mirrored", chosen.len())));
    for table in &chosen {
        findings.extend(about_table(table, &source.choice, &limits));
    }
    let tables = catalog::describe(&client, &chosen, &source.choice).await?;
    source.choice.judge(tables.iter().map(AsRef::as_ref))?;
    findings.extend(chosen.iter().filter_map(|listed| about_rows(listed, &tables)));
    findings.push(about_publication(&client, source, &chosen, &limits).await?);
    findings.push(about_slot(&client, source, &server, &limits).await?);
    Ok(())
}

/// The answer of `limits.sql`.
pub(super) struct Limits {
    slots_free: i64,
    senders_free: i64,
    keep_size: String,
    prepared: i64,
    role: String,
    may_replicate: bool,
    passes_row_security: bool,
    may_create: bool,
}

impl Limits {
    pub(super) async fn read(client: &Client) -> Result<Self> {
        let sql = include_str!("../../../sql/source/postgres/limits.sql");
        let what = || "could not look up the server's limits".to_owned();
        let row = client.query_one(sql, &[]).await.asking(what)?;
        let read = |row: &Row| {
            let free = |max: usize, used: usize| {
                Ok::<_, tokio_postgres::Error>(
                    i64::from(row.try_get::<_, i32>(max)?) - row.try_get::<_, i64>(used)?,
                )
            };
            Ok::<_, tokio_postgres::Error>(Self {
                slots_free: free(0, 1)?,
                senders_free: free(2, 3)?,
                keep_size: row.try_get(4)?,
                prepared: row.try_get(5)?,
                role: row.try_get(6)?,
                may_replicate: row.try_get(7)?,
                passes_row_security: row.try_get(8)?,
                may_create: row.try_get(9)?,
            })
        };
        read(&row).asking(what)
    }
}

fn about_server(server: &Server) -> Vec<Finding> {
    let version = format!("PostgreSQL {}.{}", server.version / 10_000, server.version % 10_000);
    let mut findings = vec![if server.version < VERSION_MIN {
        Finding::error(format!("{version} is {TOO_OLD}"), "upgrade to PostgreSQL 14 or later")
    } else {
        Finding::ok(version)
    }];
    if server.is_standby {
        findings.push(Finding::error(
            "the server is a standby, whose snapshots hide running transactions",
            "name the primary in the source's url",
        ));
    }
    findings.push(if server.wal_level == "logical" {
        Finding::ok("wal_level is logical")
    } else {
        Finding::error(
            format!("wal_level is {}, which has no logical changes", server.wal_level),
            "ALTER SYSTEM SET wal_level = 'logical'; then restart PostgreSQL",
        )
    });
    if let Some(encoding) = server.raw_encoding() {
        findings.push(Finding::warning(
            format!("the database's encoding is {encoding}: text may be anything, and is passed on as it is"),
            "move the database to UTF8 when you can (pg_dump, CREATE DATABASE … ENCODING 'UTF8')",
        ));
    }
    findings
}

fn about_limits(limits: &Limits) -> Vec<Finding> {
    let mut findings = vec![if limits.may_replicate {
        Finding::ok(format!("role \"{}\" may replicate", limits.role))
    } else {
        Finding::error(
            format!("role \"{}\" may not replicate", limits.role),
            format!("ALTER ROLE {} REPLICATION;", quote(&limits.role)),
        )
    }];
    for (name, free) in
        [("max_replication_slots", limits.slots_free), ("max_wal_senders", limits.senders_free)]
    {
        findings.push(if free >= FREE_MIN {
            Finding::ok(format!("{free} of {name} are free"))
        } else {
            Finding::warning(
                format!("none of {name} is free: fine only while one of them is ours"),
                format!("ALTER SYSTEM SET {name} = …; then restart PostgreSQL"),
            )
        });
    }
    findings.push(if limits.keep_size == "-1" {
        Finding::warning(
            "max_slot_wal_keep_size is not set: if the daemon stays away, the server keeps WAL until its disk is full",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();",
        )
    } else {
        Finding::ok(format!("max_slot_wal_keep_size is {}", limits.keep_size))
    });
    if limits.prepared > 0 {
        findings.push(Finding::warning(
            format!("{} prepared transactions: a copy waits until they are finished", limits.prepared),
            "SELECT gid, prepared, owner FROM pg_prepared_xacts; then COMMIT PREPARED or ROLLBACK PREPARED each",
        ));
    }
    findings
}

pub(super) fn about_table(table: &Listed, choice: &Choice, limits: &Limits) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((why, sql)) = catalog::objection(table, choice) {
        findings.push(Finding::error(why, sql));
    } else if let Some((what, remedy)) = catalog::price(table, choice) {
        findings.push(Finding::warning(what, remedy));
    }
    if !table.is_readable {
        let what = format!("role \"{}\" may not read table {}", limits.role, table.name);
        findings.push(Finding::error(what, grant(table, &limits.role)));
    }
    if table.has_row_security && !limits.passes_row_security {
        findings.push(Finding::error(
            format!("row level security of table {} may hide rows from the copy", table.name),
            format!("ALTER ROLE {} BYPASSRLS;", quote(&limits.role)),
        ));
    }
    if table.is_partitioned {
        findings.push(Finding::warning(
            format!(
                "ATTACH, DETACH, DROP and TRUNCATE of single partitions of {} are not in the log",
                table.name
            ),
            "none is needed: the table is copied again within limits.tables_every_secs",
        ));
    }
    findings
}

/// Of a table of which only some rows are mirrored: whether the log tells all of those that come.
fn about_rows(listed: &Listed, tables: &[Arc<Table>]) -> Option<Finding> {
    let table = tables.iter().find(|table| table.name == listed.name)?;
    (table.rows.is_some() && listed.identity != Identity::Full).then(|| {
        let what = format!(
            "the log does not tell all of a row of {} that comes among those that are mirrored: it may \
             cost a copy of the table",
            table.name
        );
        Finding::warning(
            what,
            format!("ALTER TABLE {} REPLICA IDENTITY FULL;", quoted(&table.name)),
        )
    })
}

async fn about_publication(
    client: &Client,
    source: &Postgres,
    chosen: &[&Listed],
    limits: &Limits,
) -> Result<Finding> {
    let (name, current) = source.publication(client).await?;
    let owns_tables = chosen.iter().all(|table| table.is_owned);
    let may_do = match &current {
        Some(current) => current.is_owned && owns_tables,
        None => limits.may_create && owns_tables,
    };
    let name = if current.is_none() && !may_do { &source.offered } else { &name };
    let Some(sql) = Publication::remedy(current.as_ref(), name, chosen) else {
        return Ok(Finding::ok(format!("publication \"{name}\" is as it should be")));
    };
    Ok(match (may_do, current) {
        (true, None) => Finding::ok("the publication does not exist yet: `run` makes it"),
        (true, Some(_)) => Finding::warning(
            format!(
                "publication \"{name}\" is not what the configuration asks for: `run` changes it"
            ),
            sql,
        ),
        (false, None) => Finding::error(
            format!(
                "publication \"{name}\" does not exist, and role \"{}\" may not make it",
                limits.role
            ),
            format!("as the owner of the tables: {sql}"),
        ),
        (false, Some(_)) => Finding::error(
            format!(
                "publication \"{name}\" is not what the configuration asks for, and role \"{}\" may \
                 not change it",
                limits.role
            ),
            format!("as the owner of the tables: {sql}"),
        ),
    })
}

async fn about_slot(
    client: &Client,
    source: &Postgres,
    server: &Server,
    limits: &Limits,
) -> Result<Finding> {
    let name = &source.object;
    let Some(slot) = Slot::read(client, name).await? else {
        return Ok(if limits.slots_free > 0 {
            Finding::ok("the replication slot does not exist yet: `run` makes it")
        } else {
            Finding::error(
                format!("replication slot \"{name}\" does not exist and no slot is free"),
                "ALTER SYSTEM SET max_replication_slots = …; then restart PostgreSQL",
            )
        });
    };
    if let Err(error) = slot.is_ours(name, server) {
        return Ok(Finding::error(error.chain(), error.remedy().unwrap_or_default()));
    }
    // Only the slot itself is judged here: position 2^64-1 is behind no slot.
    if let Some(why) = slot.gap(u64::MAX) {
        return Ok(Finding::error(
            format!("replication slot \"{name}\": {why}"),
            crate::source::all_anew(&source.source),
        ));
    }
    let room = match slot.safe_bytes {
        Some(bytes) => format!(", {} MiB of WAL before it would be lost", bytes >> 20),
        None => String::new(),
    };
    Ok(Finding::ok(format!("replication slot \"{name}\" exists{room}")))
}

/// Refuses, all at once, the chosen tables that cannot be mirrored.
pub(super) fn refuse_unusable(chosen: &[&Listed], choice: &Choice, user: &str) -> Result<()> {
    let mut what = Vec::new();
    let mut hints = Vec::new();
    for table in chosen {
        if let Some((why, sql)) = catalog::objection(table, choice) {
            what.push(why);
            hints.push(sql);
        }
        if !table.is_readable {
            what.push(format!("role \"{user}\" may not read table {}", table.name));
            hints.push(grant(table, user));
        }
    }
    if what.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Setup, what.join("; ")).hint(hints.join(" ")))
}

/// Whether a table that came later cannot be mirrored as it is.
pub(super) fn is_left_out(source: &str, choice: &Choice, table: &Listed) -> bool {
    let unreadable = || ("this role may not read it".to_owned(), "GRANT SELECT ON it".to_owned());
    let why = catalog::objection(table, choice).or_else(|| (!table.is_readable).then(unreadable));
    if let Some((why, hint)) = &why {
        let table = &table.name;
        tracing::warn!(source, %table, why, hint, "a table that came is left out, `check` says more");
    }
    why.is_some()
}

/// The SQL that lets our role read a table.
fn grant(table: &Listed, user: &str) -> String {
    let user = quote(user);
    format!(
        "GRANT USAGE ON SCHEMA {} TO {user}; GRANT SELECT ON {} TO {user};",
        quote(&table.name.schema),
        quoted(&table.name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn a_version_that_cannot_be_read_is_one_finding_that_says_why() {
        let server = |version| Server {
            identity: "1/1".to_owned(),
            is_standby: false,
            wal_level: "logical".to_owned(),
            version,
            encoding: "UTF8".to_owned(),
            database: "erp".to_owned(),
            log_end: 100,
        };
        for version in [100_023, 120_022, 130_023] {
            let finding = &about_server(&server(version))[0];
            assert_eq!(finding.severity, Severity::Error);
            assert!(finding.what.contains("too old: its log carries no messages"), "{finding:?}");
            assert!(finding.remedy.as_ref().is_some_and(|remedy| remedy.contains("PostgreSQL 14")));
        }
        for version in [140_000, 150_018, 180_004] {
            assert_eq!(about_server(&server(version))[0].severity, Severity::Ok);
        }
    }
}
