//! Reads the syntax tree that `json_serialize_sql` gives for a SELECT.
//!
//! Only navigation: names, children, places. What is allowed is said in `refuse` and `analyse`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What the store knows about a mapping's SQL: trees, and which functions are what.
#[derive(Debug, Clone, Default)]
pub struct Syntax {
    /// The tree of the mapping's SELECT.
    pub select: Value,
    /// Alias → tree of its `affects` SELECT.
    pub affects: BTreeMap<String, Value>,
    /// Names of aggregate functions.
    pub aggregates: BTreeSet<String>,
    /// Names of functions whose result is not decided by their arguments.
    pub volatile: BTreeSet<String>,
}

/// The text of field `name`; empty if it is absent.
pub(super) fn text<'a>(node: &'a Value, name: &str) -> &'a str {
    node.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The elements of field `name`; none if it is absent.
pub(super) fn list<'a>(node: &'a Value, name: &str) -> &'a [Value] {
    node.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Field `name` if it is neither absent nor null.
pub(super) fn some<'a>(node: &'a Value, name: &str) -> Option<&'a Value> {
    node.get(name).filter(|value| !value.is_null())
}

/// Where the node stands in the SQL text, if the parser said so.
pub(super) fn place(node: &Value) -> Option<usize> {
    let place = node.get("query_location").and_then(Value::as_u64)?;
    // The parser's "unknown" is the largest number.
    usize::try_from(place).ok().filter(|_| place != u64::MAX)
}

/// The query of the one statement in `tree`; `None` if it is anything else.
pub(super) fn query(tree: &Value) -> Option<&Value> {
    match list(tree, "statements") {
        [statement] => some(statement, "node"),
        _ => None,
    }
}

/// Names of a column reference, outermost first (`["e", "id"]`).
pub(super) fn column(node: &Value) -> Option<Vec<&str>> {
    (text(node, "class") == "COLUMN_REF")
        .then(|| list(node, "column_names").iter().filter_map(Value::as_str).collect())
}

/// The name under which a select item appears in the result; `None` for `*` and nameless
/// expressions.
pub(super) fn output_name(item: &Value) -> Option<&str> {
    match text(item, "alias") {
        "" => column(item).and_then(|names| names.last().copied()),
        alias => Some(alias),
    }
}

/// Calls `visit` for `node` and everything below it, parents first.
pub(super) fn walk<'a>(node: &'a Value, visit: &mut dyn FnMut(&'a Value)) {
    match node {
        Value::Object(fields) => {
            visit(node);
            fields.values().for_each(|field| walk(field, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

/// As [`walk`], with the chance to change what is visited.
pub(super) fn walk_mut(node: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    if node.is_object() {
        visit(node);
    }
    match node {
        Value::Object(fields) => fields.values_mut().for_each(|field| walk_mut(field, visit)),
        Value::Array(items) => items.iter_mut().for_each(|item| walk_mut(item, visit)),
        _ => {}
    }
}

/// True if `node` or anything below it satisfies `test`.
pub(super) fn any(node: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    let mut found = false;
    walk(node, &mut |below| found |= test(below));
    found
}

/// Names of all common table expressions anywhere in `node`, lower case.
pub(super) fn cte_names(node: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    walk(node, &mut |below| {
        if let Some(map) = below.get("cte_map") {
            names.extend(list(map, "map").iter().map(|cte| text(cte, "key").to_lowercase()));
        }
        // Recursive and materialised forms carry their name themselves.
        if matches!(text(below, "type"), "RECURSIVE_CTE_NODE" | "CTE_NODE") {
            names.insert(text(below, "cte_name").to_lowercase());
        }
    });
    names
}

/// True if `node` is a table of the mirror (and no common table expression).
pub(super) fn is_base_table(node: &Value, ctes: &BTreeSet<String>) -> bool {
    text(node, "type") == "BASE_TABLE" && !ctes.contains(&text(node, "table_name").to_lowercase())
}

/// The alias of a table reference, or its table's name.
pub(super) fn alias(node: &Value) -> &str {
    match text(node, "alias") {
        "" => text(node, "table_name"),
        alias => alias,
    }
}
