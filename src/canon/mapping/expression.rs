//! Judges SQL expressions over one canonical row: target columns, conditions.
//!
//! They see the row and nothing else, so that the same event always renders the same.

use serde_json::{Value, json};

use super::analyse::is_aggregate;
use super::refuse::always;
use super::syntax::{Syntax, any, column, list, query, some, text};
use crate::canon::entity::{Entity, suggest};
use crate::error::{Error, ErrorKind, Result};

/// The expression in `syntax`, the tree of `SELECT (<expression>)`. `name` is for the errors.
///
/// # Errors
/// [`ErrorKind::Config`] naming the column, what it may not use, and the nearest attribute.
pub fn expression(name: &str, entity: &Entity, syntax: &Syntax) -> Result<Value> {
    let wrong = |what: &str, remedy: &str| {
        let what = format!("column `{name}` of {}: {what}", entity.name);
        Err(Error::new(ErrorKind::Config, what).hint(remedy))
    };
    let one = "write one expression over the attributes of the row";
    let Some(item) = query(&syntax.select).and_then(only_item) else {
        return wrong("its SQL is not one expression", one);
    };
    let is = |class: &'static str| any(item, &move |node| text(node, "class") == class);
    if is("SUBQUERY") {
        return wrong("a subquery has no table to read", one);
    }
    if is("STAR") {
        return wrong("`*` is not one value", one);
    }
    if is("PARAMETER") {
        return wrong("there are no parameters", one);
    }
    if is("WINDOW") || any(item, &|node| is_aggregate(node, syntax)) {
        return wrong("aggregates and window functions need more than one row", one);
    }
    if let Some(unknown) = unknown_column(item, entity) {
        let names = entity.attributes.iter().map(|attribute| attribute.name.as_str());
        let all: Vec<&str> = names.clone().collect();
        let otherwise = format!("the attributes are {}", all.join(", "));
        let what = format!("`{unknown}` is no attribute");
        return wrong(&what, &suggest(&unknown, names, &otherwise));
    }
    if let Some(refusal) = always(item, syntax) {
        return wrong(&refusal.what, "derive the value from the row");
    }
    Ok(item.clone())
}

/// Takes names of two parts, such as `new.status`, for one name where the row has it.
#[must_use]
pub fn joined(mut tree: Value, entity: &Entity) -> Value {
    join(&mut tree, entity);
    tree
}

fn join(node: &mut Value, entity: &Entity) {
    if let Some(names) = column(node).filter(|names| names.len() == 2) {
        let name = names.join(".");
        let is_known = |one: &str| one.eq_ignore_ascii_case(&name);
        if entity.attributes.iter().any(|attribute| is_known(&attribute.name))
            && let Some(fields) = node.as_object_mut()
        {
            fields.insert("column_names".to_owned(), json!([name]));
        }
    }
    match node {
        Value::Array(list) => list.iter_mut().for_each(|one| join(one, entity)),
        Value::Object(fields) => fields.values_mut().for_each(|one| join(one, entity)),
        _ => {}
    }
}

/// One tree that computes all `items` over the relation `batch`: its columns are `_place`, then
/// `c0`, `c1`, ….
#[must_use]
pub fn expressions(items: &[Value]) -> Value {
    let place = json!({"class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "_place",
        "query_location": 0, "column_names": ["_place"]});
    let mut select_list = vec![place];
    for (number, item) in items.iter().enumerate() {
        let mut item = item.clone();
        if let Some(fields) = item.as_object_mut() {
            fields.insert("alias".to_owned(), json!(format!("c{number}")));
        }
        select_list.push(item);
    }
    json!({"error": false, "statements": [{"named_param_map": [], "node": {
        "type": "SELECT_NODE", "modifiers": [], "cte_map": {"map": []},
        "select_list": select_list,
        "from_table": {"type": "BASE_TABLE", "alias": "batch", "sample": null,
            "query_location": 0, "schema_name": "", "table_name": "batch",
            "column_name_alias": [], "catalog_name": "", "at_clause": null},
        "where_clause": null, "group_expressions": [], "group_sets": [],
        "aggregate_handling": "STANDARD_HANDLING", "having": null, "sample": null,
        "qualify": null,
    }}]})
}

fn only_item(node: &Value) -> Option<&Value> {
    let from = some(node, "from_table").map(|from| text(from, "type"));
    let plain = text(node, "type") == "SELECT_NODE"
        && from == Some("EMPTY")
        && some(node, "where_clause").is_none()
        && some(node, "qualify").is_none()
        && some(node, "having").is_none()
        && list(node, "modifiers").is_empty()
        && list(node, "group_expressions").is_empty();
    match list(node, "select_list") {
        [only] if plain => Some(only),
        _ => None,
    }
}

fn unknown_column(item: &Value, entity: &Entity) -> Option<String> {
    let mut unknown = None;
    super::syntax::walk(item, &mut |node| {
        let names = column(node).unwrap_or_default();
        let known = |name: &str| {
            entity.attributes.iter().any(|attribute| attribute.name.eq_ignore_ascii_case(name))
        };
        match names.as_slice() {
            [] => {}
            [name] if known(name) || super::refuse::is_bare_function(name) => {}
            _ => {
                unknown.get_or_insert(names.join("."));
            }
        }
    });
    unknown
}
