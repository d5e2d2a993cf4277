//! Findings about a PostgreSQL target for `check`.
//!
//! It changes nothing in the target.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::catalog::{facts, table_names};
use super::connect::Address;
use super::table::{Table, nearest};
use crate::config::TargetEntity;
use crate::error::{Error, Result};
use crate::finding::Finding;

/// The oldest version we test against.
const VERSION_MIN: i32 = 140_000;

/// Everything that can be said about an open connection, its server and the mapped tables.
pub(super) async fn examine(
    client: &Client,
    address: &Address,
    entities: &BTreeMap<String, TargetEntity>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    match server(client, address).await {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(unexpected(&error)),
    }
    for (entity, config) in entities {
        match judged(client, address, entity, config).await {
            Ok(Ok(table)) => match usable(client, address, entity, &table).await {
                None => findings.push(Finding::ok(described(entity, &table))),
                Some(finding) => findings.push(finding),
            },
            Ok(Err(found)) => findings.extend(found),
            Err(error) => findings.push(unexpected(&error)),
        }
    }
    findings
}

/// Reads one entity's table and holds the mapping against it.
pub(super) async fn judged(
    client: &Client,
    address: &Address,
    entity: &str,
    config: &TargetEntity,
) -> Result<Result<Table, Vec<Finding>>> {
    if let Some(facts) = facts(client, address, &config.table).await? {
        return Ok(Table::judge(entity, config, facts));
    }
    let names = table_names(client, address).await?;
    let remedy = match nearest(&config.table, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}?"),
        None => "create it, or grant this role USAGE on its schema".to_owned(),
    };
    let what = format!("entity {entity}: there is no table {}", config.table);
    Ok(Err(vec![Finding::error(what, remedy)]))
}

/// An error as a finding.
pub(super) fn unexpected(error: &Error) -> Finding {
    let remedy = error.remedy().unwrap_or("see that the server runs and is reachable from here");
    Finding::error(error.chain(), remedy)
}

/// Has the server plan the statements that would be run: what the catalog's facts do not show,
/// such as a type without a cast from text, shows here.
async fn usable(
    client: &Client,
    address: &Address,
    entity: &str,
    table: &Table,
) -> Option<Finding> {
    for sql in [table.upsert(), table.delete()] {
        if let Err(error) = client.prepare(&sql).await {
            let what = format!("entity {entity}: {} cannot be written", table.label);
            return Some(unexpected(&address.failed(&what, &error)));
        }
    }
    None
}

fn described(entity: &str, table: &Table) -> String {
    let key: Vec<&str> = table.key.iter().map(|column| column.name.as_str()).collect();
    let count = table.columns.len();
    format!("entity {entity} goes to {} by key ({}), {count} columns", table.label, key.join(", "))
}

/// Version, role of the server, encoding, and the place of our account.
async fn server(client: &Client, address: &Address) -> Result<Vec<Finding>> {
    let sql = include_str!("../../../sql/target/postgres/server.sql");
    let row = client
        .query_one(sql, &[])
        .await
        .map_err(|error| address.failed("could not look at the server", &error))?;
    let (version, version_text): (i32, String) = (row.get("version"), row.get("version_text"));
    let mut findings = vec![if version < VERSION_MIN {
        let what = format!("the server is PostgreSQL {version_text}; 14 is the oldest we know");
        Finding::warning(what, "upgrade the server, or watch the first deliveries closely")
    } else {
        Finding::ok(format!("reached PostgreSQL {version_text}"))
    }];
    if row.get("is_read_only") {
        let what = "the server is read only (a standby, or default_transaction_read_only)";
        findings.push(Finding::error(what, "point the url at the primary server"));
    }
    let encoding: String = row.get("encoding");
    if encoding != "UTF8" {
        let what = format!("the database keeps text as {encoding}: other characters are refused");
        findings.push(Finding::warning(what, "move it to a database with encoding UTF8"));
    }
    if !row.get::<_, bool>("may_account") {
        findings.push(account_finding(row.get("role"), row.get("has_account")));
    }
    Ok(findings)
}

fn account_finding(role: &str, exists: bool) -> Finding {
    let quoted = format!("\"{}\"", role.replace('"', "\"\""));
    if exists {
        let what = format!("role {role} may not write to the tables of schema _trueup");
        let remedy = format!(
            "GRANT USAGE, CREATE ON SCHEMA _trueup TO {quoted}; GRANT SELECT, INSERT, UPDATE, \
             DELETE ON ALL TABLES IN SCHEMA _trueup TO {quoted};"
        );
        return Finding::error(what, remedy);
    }
    let what = format!("schema _trueup is missing, and role {role} may not create it");
    Finding::error(what, format!("CREATE SCHEMA _trueup AUTHORIZATION {quoted};"))
}
