//! `trueup sql`: one read-only statement through the running daemon, shown as a table.
//!
//! Nothing else can open the store while the daemon runs; limits are the daemon's.

use std::io::Read;

use clap::Args;
use serde_json::Value;

use super::client::Daemon;
use super::print;
use crate::config::Config;
use crate::error::{Context, ErrorKind, Result};
use crate::serve::http::{SqlRequest, SqlResult};
use crate::table::{Align, Table};

/// What the answer itself may take beyond the statement's own limit.
const ANSWER_SECS: u64 = 10;

/// Query the store through the running daemon
///
/// Schemas: one per source with its mirrored tables, `canon` with the canonical rows. One
/// read-only statement; `-` reads it from standard input. Rows and time are limited by
/// `sql_rows_max` and `sql_timeout_secs` in [limits].
#[derive(Debug, Args)]
pub(super) struct SqlArgs {
    /// The statement, as "SELECT count(*) FROM canon.worker"
    query: String,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print JSON: columns, rows, and which limit cut them
    #[arg(long)]
    json: bool,
    /// Return at most so many rows
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
}

pub(super) fn sql(args: &SqlArgs, config: &Config) -> Result<u8> {
    let request = SqlRequest { query: statement(&args.query)?, rows_max: args.rows };
    let seconds = config.limits.sql_timeout_secs.saturating_add(ANSWER_SECS);
    let daemon = Daemon::new(config, seconds)?;
    let result: SqlResult = super::runtime()?.block_on(daemon.post("/api/sql", &request))?;
    if args.json {
        print::json(&result)?;
        return Ok(0);
    }
    let text = if args.csv { csv(&result) } else { table(&result) };
    print::text(&text)?;
    if let Some(cut) = &result.cut {
        print::note(&format!("rows are missing: {cut}"));
    }
    Ok(0)
}

fn statement(argument: &str) -> Result<String> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context(ErrorKind::Usage, || "could not read the statement".to_owned())?;
    Ok(text)
}

fn table(result: &SqlResult) -> String {
    let mut table = Table::new(result.columns.iter().map(|column| {
        let align = if is_number(&column.r#type) { Align::Right } else { Align::Left };
        (column.name.clone(), align)
    }));
    for row in &result.rows {
        table.row(row.iter().map(|cell| shown(cell, "NULL")));
    }
    let count = result.rows.len();
    let plural = if count == 1 { "" } else { "s" };
    format!("{}({count} row{plural})\n", table.render())
}

/// RFC 4180: quotes where needed, CRLF between records, NULL as nothing.
fn csv(result: &SqlResult) -> String {
    let heading = result.columns.iter().map(|column| quoted(&column.name));
    let mut text = record(heading);
    for row in &result.rows {
        text.push_str(&record(row.iter().map(|cell| quoted(&shown(cell, "")))));
    }
    text
}

fn record(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn shown(cell: &Value, null: &str) -> String {
    match cell {
        Value::Null => null.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_number(store_type: &str) -> bool {
    let words = ["INT", "DECIMAL", "DOUBLE", "FLOAT"];
    store_type != "INTERVAL" && words.iter().any(|word| store_type.contains(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::serve::http::SqlColumn;

    fn result() -> SqlResult {
        let column =
            |name: &str, kind: &str| SqlColumn { name: name.to_owned(), r#type: kind.to_owned() };
        SqlResult {
            columns: vec![
                column("worker_no", "VARCHAR"),
                column("hours", "DECIMAL(6,2)"),
                column("since", "INTERVAL"),
            ],
            rows: vec![
                vec![json!("E-1"), json!("7.50"), Value::Null],
                vec![json!("Zoë \"Z\", jr.\nx"), json!(12), json!("3 days")],
            ],
            cut: None,
        }
    }

    #[test]
    fn numbers_lean_right_and_null_is_told_from_text() {
        // The widest name is 15 letters wide on the screen, its line end shown as two.
        let expected = "worker_no        hours  since\n\
                        E-1               7.50  NULL\n\
                        Zoë \"Z\", jr.\\nx     12  3 days\n\
                        (2 rows)\n";
        assert_eq!(table(&result()), expected);
    }

    #[test]
    fn csv_follows_rfc_4180() {
        let expected =
            "worker_no,hours,since\r\nE-1,7.50,\r\n\"Zoë \"\"Z\"\", jr.\nx\",12,3 days\r\n";
        assert_eq!(csv(&result()), expected);
    }
}
