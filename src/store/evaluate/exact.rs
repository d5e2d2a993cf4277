//! Refuses sums of floating-point values: they depend on the order of the rows, and with several
//! threads that is another one each time, so that a replay could differ from the first run.
//!
//! Types are known only where the tables are, so this is judged on DuckDB's plan over the mirror
//! and not by the SQL alone.

use duckdb::Connection;
use serde_json::Value;

use super::compile::Compiled;
use crate::error::{Error, ErrorKind, Result};
use crate::store::refusal::failed;

/// Aggregates of floating-point values that do not add up: the order cannot be seen.
const EXACT: [&str; 12] = [
    "arg_max",
    "arg_min",
    "count",
    "first",
    "histogram",
    "list",
    "max",
    "median",
    "min",
    "mode",
    "quantile_cont",
    "quantile_disc",
];

/// Fails if the mapping adds up floating-point values.
pub(super) fn judge(connection: &Connection, mapping: &Compiled) -> Result<()> {
    let what = || format!("could not plan mapping {}", mapping.contrib_name());
    let select = mapping.select(&mapping.driver_table, 0);
    let plan: String = connection
        .query_row(
            "SELECT CAST(json_serialize_plan(CAST(? AS VARCHAR)) AS VARCHAR)",
            [select],
            |row| row.get(0),
        )
        .map_err(|error| failed(what(), &error))?;
    let plan: Value =
        serde_json::from_str(&plan).map_err(|e| Error::new(ErrorKind::Bug, what()).caused_by(e))?;
    match inexact(&plan) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Config,
            format!(
                "mapping {} adds up floating-point values with {name}(…), which depends on the \
                 order of rows: write {name}(CAST(… AS DECIMAL(18, 6)))",
                mapping.contrib_name()
            ),
        )),
    }
}

/// The first aggregate of floating-point values in a plan, if its result depends on their order.
fn inexact(node: &Value) -> Option<&str> {
    let fields = match node {
        Value::Array(items) => return items.iter().find_map(inexact),
        Value::Object(fields) => fields,
        _ => return None,
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let list = |name: &str| fields.get(name).and_then(Value::as_array).map(Vec::as_slice);
    let aggregates =
        text("expression_class") == "BOUND_AGGREGATE" || text("type") == "WINDOW_AGGREGATE";
    let is_float = |argument: &Value| {
        matches!(argument.get("id").and_then(Value::as_str), Some("FLOAT" | "DOUBLE"))
    };
    let floats = list("arguments").unwrap_or_default().iter().any(is_float);
    let is_ordered = fields.get("order_bys").is_some_and(|orders| !orders.is_null());
    if aggregates && floats && !is_ordered && !EXACT.contains(&text("name")) {
        return fields.get("name").and_then(Value::as_str);
    }
    fields.values().find_map(inexact)
}
