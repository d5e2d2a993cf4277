//! Rewrites syntax trees into those the store runs: tables in the mirror's schema, the driver and
//! the changed rows behind names the store replaces.
//!
//! It trusts that the tree has been judged.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::analyse::{AS_OF, DELTA, DRIVER, is_aggregate};
use super::outputs::Outputs;
use super::refuse::{Refusal, always};
use super::scope::{mentions, relations};
use super::syntax::{alias, any, cte_names, is_base_table, list, query, some, text, walk_mut};
use super::{Mapping, Syntax};

/// The mapping's own tree, all tables in `schema`; the table of alias `driver` becomes [`DRIVER`].
pub(super) fn body_tree(
    tree: &Value,
    ctes: &BTreeSet<String>,
    schema: &str,
    driver: Option<&str>,
) -> Value {
    let mut tree = tree.clone();
    walk_mut(&mut tree, &mut |node| {
        if is_base_table(node, ctes) {
            let name = alias(node).to_owned();
            let is_driver = driver.is_some_and(|driver| name.eq_ignore_ascii_case(driver));
            set(node, "alias", json!(name));
            if is_driver {
                set(node, "table_name", json!(DRIVER));
            } else {
                set(node, "schema_name", json!(schema));
            }
        }
        if text(node, "class") == "PARAMETER" {
            set(node, "identifier", json!(AS_OF));
        }
        if text(node, "key") == "as_of" {
            set(node, "key", json!(AS_OF));
        }
    });
    tree
}

/// Unit and key columns of one watched alias for every combination of rows, before any condition:
/// a row that is hidden today may be what hid or showed another yesterday.
pub(super) fn watch_tree(
    tree: &Value,
    schema: &str,
    mapping: &Mapping,
    outputs: &Outputs,
    alias: &str,
    key: &[String],
) -> Value {
    let mut tree = body_tree(tree, &cte_names(tree), schema, None);
    let reference = |table: &str, column: &str, name: String| {
        json!({"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": name,
            "query_location": 0, "column_names": [table, column]})
    };
    let units = (1..).zip(&outputs.units);
    let units =
        units.map(|(n, unit)| reference(&mapping.driver, &unit.column, format!("_unit_{n}")));
    let keys = (1..).zip(key).map(|(n, column)| reference(alias, column, format!("_key_{n}")));
    let items: Vec<Value> = units.chain(keys).collect();
    if let Some(select) = tree.pointer_mut("/statements/0/node") {
        if let Some(from) = some(select, "from_table").cloned() {
            set(select, "from_table", narrowed(from, &mapping.driver, alias, &[]));
        }
        set(select, "select_list", json!(items));
        set(select, "where_clause", Value::Null);
        set(select, "modifiers", json!([]));
    }
    if let Some(parameters) = tree.pointer_mut("/statements/0/named_param_map") {
        *parameters = json!([]);
    }
    tree
}

/// The FROM clause as far as it decides which rows of `driver` and `watched` meet: outer joins that
/// bring in neither are dropped, and those that bring in `watched` become inner, so that the few
/// changed rows lead the join. `outer`: what stands further up and may use a dropped relation.
fn narrowed(mut from: Value, driver: &str, watched: &str, outer: &[Value]) -> Value {
    if text(&from, "type") != "JOIN" {
        return from;
    }
    let (left, right) = (from.get("left").cloned(), from.get("right").cloned());
    let (Some(left), Some(right)) = (left, right) else { return from };
    let names = |side: &Value| {
        let found = relations(side, &BTreeSet::new());
        found.iter().map(|relation| relation.alias.to_owned()).collect::<Vec<String>>()
    };
    let has = |side: &Value, alias: &str| names(side).iter().any(|n| n.eq_ignore_ascii_case(alias));
    let is_left = text(&from, "join_type") == "LEFT";
    let used = names(&right).iter().any(|name| outer.iter().any(|part| mentions(part, name)));
    if is_left && !has(&right, driver) && !has(&right, watched) && !used {
        return narrowed(left, driver, watched, outer);
    }
    let (in_left, in_right) = (has(&left, watched), has(&right, watched));
    let kind = match text(&from, "join_type") {
        "LEFT" if in_right => "INNER",
        "RIGHT" if in_left => "INNER",
        "OUTER" if in_left => "LEFT",
        "OUTER" if in_right => "RIGHT",
        other => other,
    };
    let kind = json!(kind);
    let by_name = !list(&from, "using_columns").is_empty() || text(&from, "ref_type") == "NATURAL";
    let mut above = outer.to_vec();
    above.extend(some(&from, "condition").cloned());
    // A join by name may use any relation.
    above.extend(by_name.then(|| json!({"class": "COLUMN_REF", "column_names": ["*"]})));
    let beside = |side: &Value| [above.as_slice(), std::slice::from_ref(side)].concat();
    set(&mut from, "left", narrowed(left.clone(), driver, watched, &beside(&right)));
    set(&mut from, "right", narrowed(right, driver, watched, &beside(&left)));
    set(&mut from, "join_type", kind);
    from
}

/// The tree of an `affects` route, its `delta` renamed to [`DELTA`]; true if the commit time of
/// the changed row was added as its last column.
pub(super) fn affects_tree(
    route: &str,
    tree: &Value,
    units: usize,
    syntax: &Syntax,
    schema: &str,
) -> Result<(Value, bool), Refusal> {
    let refuse = |what: &str, remedy: &str| {
        let what = format!("`affects {route}`: {what}");
        Refusal { place: None, what, remedy: remedy.to_owned() }
    };
    let node = query(tree).ok_or_else(|| refuse("it is not one SELECT", "write one SELECT"))?;
    if let Some(refusal) = always(node, syntax) {
        return Err(refuse(&refusal.what, &refusal.remedy));
    }
    if any(node, &|below| text(below, "class") == "PARAMETER") {
        return Err(refuse("it depends on $as_of", "give all units the rows can ever touch"));
    }
    let is_delta = |node: &Value| {
        text(node, "type") == "BASE_TABLE" && text(node, "table_name").eq_ignore_ascii_case("delta")
    };
    if !any(node, &is_delta) {
        return Err(refuse("it does not read `delta`", "write SELECT … FROM delta …"));
    }
    let columns = leftmost(node);
    let has_star = columns.iter().any(|item| text(item, "class") == "STAR");
    if columns.len() != units || has_star {
        let what = format!("it returns {} columns for a unit of {units}", columns.len());
        return Err(refuse(&what, "return exactly the unit columns, in their order"));
    }
    let ctes = cte_names(node);
    let timed = time_of(node, &ctes, syntax);
    let mut tree = tree.clone();
    if let (Some(name), Some(Value::Array(items))) =
        (&timed, tree.pointer_mut("/statements/0/node/select_list"))
    {
        items.push(json!({"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "_time",
            "query_location": 0, "column_names": [name, "_time"]}));
    }
    walk_mut(&mut tree, &mut |node| {
        if is_delta(node) {
            let name = alias(node).to_owned();
            set(node, "alias", json!(name));
            set(node, "table_name", json!(DELTA));
        } else if is_base_table(node, &ctes) {
            let name = alias(node).to_owned();
            set(node, "alias", json!(name));
            set(node, "schema_name", json!(schema));
        }
    });
    Ok((tree, timed.is_some()))
}

/// The alias of `delta` if each row of the result belongs to one changed row.
fn time_of(node: &Value, ctes: &BTreeSet<String>, syntax: &Syntax) -> Option<String> {
    let plain = text(node, "type") == "SELECT_NODE"
        && list(node, "modifiers").is_empty()
        && list(node, "group_expressions").is_empty()
        && text(node, "aggregate_handling") == "STANDARD_HANDLING"
        && some(node, "having").is_none()
        && !any(some(node, "select_list")?, &|below| is_aggregate(below, syntax));
    let from = some(node, "from_table").filter(|_| plain)?;
    let found = relations(from, ctes);
    let delta = found.iter().find(|relation| {
        let named = relation.table.is_some_and(|table| table.eq_ignore_ascii_case("delta"));
        named && !relation.nullable && !relation.hidden
    })?;
    Some(delta.alias.to_owned())
}

fn leftmost(node: &Value) -> &[Value] {
    match some(node, "left") {
        Some(left) if text(node, "type") == "SET_OPERATION_NODE" => leftmost(left),
        _ => list(node, "select_list"),
    }
}

fn set(node: &mut Value, name: &str, value: Value) {
    if let Some(fields) = node.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}
