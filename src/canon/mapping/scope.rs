//! What the FROM clause of a mapping brings in, and where every table of the mirror is used.
//!
//! It tells which relations may be missing (the null-supplying side of an outer join) and which
//! of those a later join tests: their absence then decides over other rows, which provenance
//! cannot see.

use std::collections::BTreeSet;

use serde_json::Value;

use super::syntax::{alias, column, is_base_table, list, some, text};

/// One relation of the top FROM clause.
#[derive(Debug, Clone)]
pub(super) struct Relation<'a> {
    /// Its alias, as written.
    pub(super) alias: &'a str,
    /// The mirror table; `None` for derived tables, common table expressions and functions.
    pub(super) table: Option<&'a str>,
    /// An outer join may put NULLs in its place.
    pub(super) nullable: bool,
    /// Nullable, and a join further up tests it.
    pub(super) tested: bool,
    /// The right side of a SEMI or ANTI join: it filters and is not seen.
    pub(super) hidden: bool,
}

/// The relations of the FROM clause `from`, left to right.
pub(super) fn relations<'a>(from: &'a Value, ctes: &BTreeSet<String>) -> Vec<Relation<'a>> {
    match text(from, "type") {
        "JOIN" => joined(from, ctes),
        "EMPTY" => Vec::new(),
        _ => {
            let table = is_base_table(from, ctes).then(|| text(from, "table_name"));
            let alias = alias(from);
            vec![Relation { alias, table, nullable: false, tested: false, hidden: false }]
        }
    }
}

fn joined<'a>(join: &'a Value, ctes: &BTreeSet<String>) -> Vec<Relation<'a>> {
    let side = |name| some(join, name).map(|node| relations(node, ctes)).unwrap_or_default();
    let (mut left, mut right) = (side("left"), side("right"));
    // On which side a row of this join can be lost because the condition is not met: there the
    // absence of an inner relation decides more than its own columns.
    let kind = text(join, "join_type");
    let (left_filters, right_filters) = match kind {
        "LEFT" => (false, true),
        "RIGHT" => (true, false),
        _ => (true, true),
    };
    for (relations, filters) in [(&mut left, left_filters), (&mut right, right_filters)] {
        for relation in relations.iter_mut().filter(|relation| filters && relation.nullable) {
            let by_name =
                !list(join, "using_columns").is_empty() || text(join, "ref_type") == "NATURAL";
            let condition = some(join, "condition");
            relation.tested |=
                by_name || condition.is_some_and(|condition| mentions(condition, relation.alias));
        }
    }
    if matches!(kind, "RIGHT" | "OUTER") {
        left.iter_mut().for_each(|relation| relation.nullable = true);
    }
    if matches!(kind, "LEFT" | "OUTER") {
        right.iter_mut().for_each(|relation| relation.nullable = true);
    }
    if matches!(kind, "SEMI" | "ANTI") {
        right.iter_mut().for_each(|relation| relation.hidden = true);
    }
    left.append(&mut right);
    left
}

/// True if `expression` uses `alias`, or may: an unqualified column could be anybody's.
pub(super) fn mentions(expression: &Value, alias: &str) -> bool {
    super::syntax::any(expression, &|node| match column(node).as_deref() {
        Some([_]) => true,
        Some([first, ..]) => first.eq_ignore_ascii_case(alias),
        _ => false,
    })
}

/// One use of a mirror table, anywhere in a mapping.
#[derive(Debug, Clone)]
pub(super) struct TableUse<'a> {
    /// Its alias, as written.
    pub(super) alias: &'a str,
    /// The mirror table.
    pub(super) table: &'a str,
    /// What it stands inside of, for people; `None` directly in the top FROM clause.
    pub(super) inside: Option<&'static str>,
    /// The node, for its place.
    pub(super) node: &'a Value,
}

/// Every use of a mirror table below `node`.
pub(super) fn table_uses<'a>(node: &'a Value, ctes: &BTreeSet<String>) -> Vec<TableUse<'a>> {
    let mut uses = Vec::new();
    collect(node, ctes, None, &mut uses);
    uses
}

fn collect<'a>(
    node: &'a Value,
    ctes: &BTreeSet<String>,
    inside: Option<&'static str>,
    uses: &mut Vec<TableUse<'a>>,
) {
    match node {
        Value::Object(fields) => {
            if is_base_table(node, ctes) {
                let (alias, table) = (alias(node), text(node, "table_name"));
                uses.push(TableUse { alias, table, inside, node });
            }
            for (name, field) in fields {
                collect(field, ctes, surrounding(node, name).or(inside), uses);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, ctes, inside, uses)),
        _ => {}
    }
}

/// The construct that field `name` of `node` is inside of, if `node` opens one.
fn surrounding(node: &Value, name: &str) -> Option<&'static str> {
    match (text(node, "class"), text(node, "type"), name) {
        ("SUBQUERY", ..) => Some(match text(node, "subquery_type") {
            "EXISTS" => "EXISTS (…)",
            "NOT_EXISTS" => "NOT EXISTS (…)",
            "ANY" => "IN (SELECT …)",
            _ => "a scalar subquery",
        }),
        (_, "RECURSIVE_CTE_NODE", _) => Some("a recursion"),
        (_, "SET_OPERATION_NODE", _) => Some("a set operation"),
        (_, _, "cte_map") => Some("a common table expression"),
        (_, "SUBQUERY", "subquery") => Some("a derived table"),
        (_, "JOIN", "right") => match text(node, "join_type") {
            "SEMI" => Some("a SEMI JOIN"),
            "ANTI" => Some("an ANTI JOIN"),
            _ => None,
        },
        _ => None,
    }
}
