//! Conditions over a row before and after an event: `new.status = 'active' AND old.status IS
//! DISTINCT FROM 'active'`.

use super::Expr;
use crate::canon::entity::{Attribute, Entity};
use crate::canon::event::Row;
use crate::error::Result;

/// The two sides, as a condition names them.
const SIDES: [&str; 2] = ["old", "new"];

/// A condition, compiled.
pub struct Condition(Expr);

impl Condition {
    /// Compiles SQL over `old.<attribute>` and `new.<attribute>`. `name` is for the errors.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Config`] as [`Expr::compile`].
    pub fn compile(entity: &Entity, name: &str, sql: &str) -> Result<Self> {
        let both = |side: &str| {
            let of_side = |attribute: &Attribute| Attribute {
                name: format!("{side}.{}", attribute.name),
                nullable: true,
                ..attribute.clone()
            };
            entity.attributes.iter().map(of_side).collect::<Vec<_>>()
        };
        let attributes = SIDES.iter().flat_map(|side| both(side)).collect();
        let pair = Entity { attributes, ..entity.clone() };
        let truth = format!("coalesce((\n{sql}\n), false)");
        Ok(Self(Expr::compile(&pair, &[(name.to_owned(), truth)])?))
    }

    /// Whether each pair of rows meets it. On a side that has no row every attribute is NULL.
    ///
    /// # Errors
    /// [`crate::error::ErrorKind::Rejected`] if it fails on one; the error does not say on which.
    pub fn holds(&self, pairs: &[(Option<&Row>, Option<&Row>)]) -> Result<Vec<bool>> {
        let joined = |(old, new): &(Option<&Row>, Option<&Row>)| {
            let mut joined = Row::new();
            for (side, row) in SIDES.iter().zip([old, new]) {
                for (name, value) in row.iter().flat_map(|row| row.iter()) {
                    joined.insert(format!("{side}.{name}"), value.clone());
                }
            }
            joined
        };
        let rows: Vec<Row> = pairs.iter().map(joined).collect();
        let cells = self.0.render(&rows.iter().collect::<Vec<_>>())?;
        let is_true = |row: Vec<Option<String>>| row.first() == Some(&Some("true".to_owned()));
        Ok(cells.into_iter().map(is_true).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn worker() -> Entity {
        let text = "-- entity: worker\n-- key: worker_no\nCREATE TABLE worker (
            worker_no VARCHAR, -- No.\n status VARCHAR, -- Status.\n hours DECIMAL(5,2) -- Hours.\n);";
        Entity::parse("worker.sql", text).unwrap()
    }

    #[test]
    fn a_condition_sees_both_sides_and_nothing_else() {
        let sql = "new.status = 'active' AND old.status IS DISTINCT FROM 'active' -- hired";
        let condition = Condition::compile(&worker(), "when", sql).unwrap();
        let row = |status: &str| json!({"worker_no": "1", "status": status}).as_object().cloned();
        let (active, left) = (row("active").unwrap(), row("left").unwrap());
        let pairs = [
            (None, Some(&active)),
            (Some(&left), Some(&active)),
            (Some(&active), Some(&active)),
            (Some(&active), Some(&left)),
            (Some(&active), None),
        ];
        assert_eq!(condition.holds(&pairs).unwrap(), [true, true, false, false, false]);
        for (sql, word) in [
            ("status = 'active'", "`status` is no attribute"),
            ("new.statsu = 'active'", "`new.status`"),
            ("now() > '2020-01-01'", "clock"),
            ("true) OR (SELECT true", "expression"),
        ] {
            let error = Condition::compile(&worker(), "when", sql).err().unwrap();
            let text = format!("{} {}", error.chain(), error.remedy().unwrap_or_default());
            assert!(text.contains(word) && text.contains("when"), "{sql}: {text}");
        }
    }
}
