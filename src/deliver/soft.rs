//! Soft references: what a row looks like while the row it refers to is not in the target yet.
//!
//! It decides nothing: the target is given both, and takes the lesser one where it must.

use crate::canon::Entity;
use crate::canon::event::Row;
use crate::config::TargetEntity;
use crate::error::Result;
use crate::store::expr::Expr;

/// Cells to write instead, by place among the columns that are not key.
pub(super) type Instead = Vec<(usize, Option<String>)>;

/// A soft reference of an entity, and the columns that change without it.
pub(super) struct Soft {
    attributes: Vec<String>,
    /// Among the columns that are not key.
    places: Vec<usize>,
    /// Their expressions; `None` if they are the attributes themselves, and so NULL without them.
    expr: Option<Expr>,
}

/// The soft references of an entity that a target's columns depend on.
pub(super) fn of(entity: &Entity, table: &TargetEntity) -> Result<Vec<Soft>> {
    let mut softs = Vec::new();
    for reference in entity.references.iter().filter(|reference| reference.soft) {
        let attributes = &reference.attributes;
        let (mut places, mut columns) = (Vec::new(), Vec::new());
        for (place, (name, sql)) in table.columns.iter().enumerate() {
            if attributes.iter().any(|attribute| mentions(sql, attribute)) {
                places.push(place);
                columns.push((name.clone(), sql.clone()));
            }
        }
        if places.is_empty() {
            continue;
        }
        let is_plain = columns.iter().all(|(_, sql)| attributes.contains(sql));
        let expr = if is_plain { None } else { Some(Expr::compile(entity, &columns)?) };
        softs.push(Soft { attributes: attributes.clone(), places, expr });
    }
    Ok(softs)
}

impl Soft {
    /// Per row, the cells without this reference; `None` if the row does not have it.
    pub(super) fn instead(&self, rows: &[Option<&Row>]) -> Vec<Option<Instead>> {
        let has_it: Vec<Option<&Row>> =
            rows.iter().map(|row| row.filter(|row| self.is_set(row))).collect();
        let Some(expr) = &self.expr else {
            let nulls = || self.places.iter().map(|place| (*place, None)).collect();
            return has_it.iter().map(|row| row.map(|_| nulls())).collect();
        };
        let without: Vec<Row> = has_it.iter().flatten().map(|row| self.without(row)).collect();
        // A row that cannot be rendered without the reference has to wait for it.
        let Ok(cells) = expr.render(&without.iter().collect::<Vec<_>>()) else {
            return vec![None; rows.len()];
        };
        let mut cells = cells.into_iter();
        let mut next = || Some(self.places.iter().copied().zip(cells.next()?).collect());
        has_it.iter().map(|row| row.and_then(|_| next())).collect()
    }

    fn is_set(&self, row: &Row) -> bool {
        self.attributes.iter().all(|name| row.get(name).is_some_and(|value| !value.is_null()))
    }

    fn without(&self, row: &Row) -> Row {
        let mut row = row.clone();
        for attribute in &self.attributes {
            row.insert(attribute.clone(), serde_json::Value::Null);
        }
        row
    }
}

/// Whether the words of an expression hold an attribute. One that stands only in a text is a
/// column too many, whose value is the same.
fn mentions(sql: &str, attribute: &str) -> bool {
    let mut words = sql.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.any(|word| word.eq_ignore_ascii_case(attribute))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UNIT: &str = "-- entity: unit\n-- key: code\n\
        -- refs: parent -> unit soft, manager -> unit\n\
        CREATE TABLE unit (\n code VARCHAR, -- Code.\n parent VARCHAR, -- Above.\n \
        manager VARCHAR -- Head.\n);\n";

    fn without(columns: &str, row: &serde_json::Value) -> Vec<Option<Instead>> {
        let entity = Entity::parse("unit.sql", UNIT).unwrap();
        let table: TargetEntity =
            toml::from_str(&format!("table = \"t\"\nkey.k = \"code\"\n{columns}")).unwrap();
        let softs = of(&entity, &table).unwrap();
        softs.iter().flat_map(|soft| soft.instead(&[None, row.as_object()]).split_off(1)).collect()
    }

    #[test]
    fn columns_that_depend_on_a_soft_reference_have_another_value_without_it() {
        let row = json!({ "code": "a", "parent": "p", "manager": "m" });
        let plain = "columns = { above = \"parent\", head = \"manager\" }";
        assert_eq!(without(plain, &row), [Some(vec![(0, None)])]);
        let computed = "columns = { above = \"parent\", level = \"coalesce(Parent, 'top')\" }";
        let expected = vec![(0, None), (1, Some("top".to_owned()))];
        assert_eq!(without(computed, &row), [Some(expected)]);
        // What is not set, hard, or not delivered is not soft.
        assert_eq!(without(plain, &json!({ "code": "a", "parent": null })), [None]);
        assert_eq!(without("columns = { head = \"manager\", n = \"1\" }", &row), []);
    }
}
