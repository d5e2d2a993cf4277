//! Constructs that no mapping may use, whatever its routes: their result is not decided by the
//! rows of a unit alone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::syntax::{Syntax, column, list, place, some, text, walk};

/// Why a mapping is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Where in the SQL, if known.
    pub(super) place: Option<usize>,
    /// The construct and what is wrong with it.
    pub(super) what: String,
    /// What to write instead.
    pub(super) remedy: String,
}

impl Refusal {
    /// A refusal at `node`.
    pub(super) fn at(node: &Value, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place(node), what: what.into(), remedy: remedy.into() }
    }
}

/// Functions of the clock that SQL also spells without parentheses.
const CLOCK: [&str; 8] = [
    "ago",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_localtime",
    "current_localtimestamp",
    "localtime",
    "localtimestamp",
];
/// Functions of the clock that are always written with parentheses.
const CLOCK_CALLS: [&str; 5] =
    ["get_current_time", "get_current_timestamp", "now", "today", "transaction_timestamp"];
/// Names that read the session, the server or a random source, and are macros in the catalog.
const SESSION: [&str; 12] = [
    "current_catalog",
    "current_database",
    "current_query",
    "current_role",
    "current_schema",
    "current_schemas",
    "current_setting",
    "current_user",
    "getvariable",
    "pg_sleep",
    "reservoir_quantile",
    "session_user",
];
/// Aggregates whose result depends on the order of their rows, unless they say ORDER BY.
const ORDERED: [&str; 25] = [
    "any_value",
    "approx_quantile",
    "approx_top_k",
    "arbitrary",
    "arg_max",
    "arg_max_null",
    "arg_max_nulls_last",
    "arg_min",
    "arg_min_null",
    "arg_min_nulls_last",
    "argmax",
    "argmin",
    "array_agg",
    "first",
    "group_concat",
    "json_group_array",
    "json_group_object",
    "last",
    "list",
    "listagg",
    "max_by",
    "min_by",
    "mode",
    "string_agg",
    "map_agg",
];
/// Window functions that are about order.
const ORDERED_WINDOWS: [&str; 9] = [
    "WINDOW_ROW_NUMBER",
    "WINDOW_LEAD",
    "WINDOW_LAG",
    "WINDOW_FIRST_VALUE",
    "WINDOW_LAST_VALUE",
    "WINDOW_NTH_VALUE",
    "WINDOW_NTILE",
    "WINDOW_FILL",
    "WINDOW_CUME_DIST",
];
/// Table functions that read nothing but their arguments.
const TABLE_FUNCTIONS: [&str; 5] = ["unnest", "range", "generate_series", "json_each", "json_tree"];

/// The first construct below `tree` that is never allowed.
pub(super) fn always(tree: &Value, syntax: &Syntax) -> Option<Refusal> {
    let mut found: Option<Refusal> = None;
    walk(tree, &mut |node| {
        if found.is_none() {
            found = construct(node)
                .or_else(|| function(node, &syntax.volatile))
                .or_else(|| window(node))
                .or_else(|| table(node));
        }
    });
    found
}

/// True if a bare name calls a function: SQL spells some without parentheses.
pub(super) fn is_bare_function(name: &str) -> bool {
    let name = name.to_lowercase();
    CLOCK.contains(&name.as_str()) || SESSION.contains(&name.as_str())
}

fn construct(node: &Value) -> Option<Refusal> {
    let refuse = |what: &str, remedy: &str| Some(Refusal::at(node, what, remedy));
    match text(node, "type") {
        "LIMIT_MODIFIER" | "LIMIT_PERCENT_MODIFIER" => {
            return refuse(
                "LIMIT or OFFSET: which rows are left depends on all others",
                "use max(…), max_by(… ORDER BY …) or a condition on the row",
            );
        }
        "DISTINCT_MODIFIER" if !list(node, "distinct_on_targets").is_empty() => {
            return refuse(
                "DISTINCT ON keeps whichever row comes first",
                "use GROUP BY with max_by(… ORDER BY …)",
            );
        }
        "PIVOT" => return refuse("PIVOT", "write one CASE expression per column"),
        "SHOW_REF" => return refuse("DESCRIBE or SHOW", "read tables of the mirror only"),
        _ => {}
    }
    if some(node, "sample").is_some() {
        return refuse("SAMPLE takes rows at random", "remove it");
    }
    match text(node, "ref_type") {
        "ASOF" => refuse(
            "ASOF JOIN takes one of several equal matches",
            "join on a range, or use a scalar subquery with max_by(… ORDER BY …)",
        ),
        "POSITIONAL" => refuse("POSITIONAL JOIN depends on the order of rows", "join on a key"),
        _ => None,
    }
}

fn function(node: &Value, volatile: &BTreeSet<String>) -> Option<Refusal> {
    let clock = "time enters only as $as_of, with `_next_at` saying when to evaluate again";
    if let Some([name]) = column(node).as_deref()
        && is_bare_function(name)
    {
        let what = format!("{name} reads the clock or the session");
        return Some(Refusal::at(node, what, clock));
    }
    if text(node, "class") == "PARAMETER" && text(node, "identifier") != "as_of" {
        let what = format!("unknown parameter ${}", text(node, "identifier"));
        return Some(Refusal::at(node, what, "the only parameter is $as_of"));
    }
    if text(node, "class") != "FUNCTION" {
        return None;
    }
    let name = text(node, "function_name").to_lowercase();
    let reads_clock = CLOCK.contains(&name.as_str()) || CLOCK_CALLS.contains(&name.as_str());
    if reads_clock || name == "age" && list(node, "children").len() < 2 {
        return Some(Refusal::at(node, format!("{name}() reads the clock"), clock));
    }
    if SESSION.contains(&name.as_str()) || name.starts_with("pg_") || volatile.contains(&name) {
        let what = format!("{name}() does not depend on its arguments alone");
        let remedy = format!("derive the value from the row; for times: {clock}");
        return Some(Refusal::at(node, what, remedy));
    }
    let unordered = node.get("order_bys").is_none_or(|by| list(by, "orders").is_empty());
    if ORDERED.contains(&name.as_str()) && unordered {
        let what = format!("{name}(…) depends on the order of rows");
        let remedy = format!("write {name}(… ORDER BY …) with an order that has no ties");
        return Some(Refusal::at(node, what, remedy));
    }
    None
}

fn window(node: &Value) -> Option<Refusal> {
    let kind = text(node, "type");
    let unordered = text(node, "class") == "WINDOW" && list(node, "orders").is_empty();
    (unordered && ORDERED_WINDOWS.contains(&kind)).then(|| {
        let name = text(node, "function_name");
        let what = format!("{name}() OVER (…) without ORDER BY depends on the order of rows");
        Refusal::at(node, what, "add ORDER BY with an order that has no ties")
    })
}

fn table(node: &Value) -> Option<Refusal> {
    match text(node, "type") {
        "TABLE_FUNCTION" => {
            let name = node.get("function").map(|f| text(f, "function_name")).unwrap_or_default();
            let allowed = TABLE_FUNCTIONS.contains(&name.to_lowercase().as_str());
            (!allowed).then(|| {
                let what = format!("table function {name}(…) reads something else than the mirror");
                Refusal::at(node, what, "read tables of the mirror only")
            })
        }
        "BASE_TABLE" if !text(node, "schema_name").is_empty() => {
            let table = text(node, "table_name");
            let what = format!("table {}.{table} is qualified", text(node, "schema_name"));
            let remedy = format!(
                "a mapping reads one source: write {table}, or \"schema.{table}\" in quotes if it \
                 is outside the source's default schema"
            );
            Some(Refusal::at(node, what, remedy))
        }
        "BASE_TABLE" if some(node, "at_clause").is_some() => {
            Some(Refusal::at(node, "AT (…) reads another state of a table", "remove it"))
        }
        _ => None,
    }
}
