//! Which rows are mirrored: the operator's conditions, in the words of each server, and on what the log says.
//!
//! Copies and comparisons ask the server for the rows that are chosen; of the log's rows we judge ourselves.
//! So a row may come into the choice and leave it by an update:
//!
//! | it was chosen | it is | what is made of the update |
//! |---|---|---|
//! | no | no | nothing |
//! | no, or not told | yes | the row; where not all of it is told, the mirror has the rest, or a copy brings it |
//! | yes, or not told | no | a delete |
//! | | not told | the table is copied again, because nobody knows |

use std::collections::BTreeMap;

use crate::change::condition::{Condition, Literal, Words};
use crate::change::{Cell, CellRef, Cells, Change, Kind, Op, Row, RowChange, Table, TableName};
use crate::error::{Error, ErrorKind, Result};

/// The conditions of one source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    source: String,
    by_table: BTreeMap<TableName, Condition>,
    /// A table that has several, under two names.
    doubled: Option<TableName>,
}

impl Conditions {
    /// The conditions as configured, by `table` or `schema.table`. (One that cannot be read was refused with
    /// the configuration.)
    pub(crate) fn new(source: &str, default_schema: &str, rows: &BTreeMap<String, String>) -> Self {
        let named = |name: &str| match name.split_once('.') {
            Some((schema, table)) => TableName::new(schema, table),
            None => TableName::new(default_schema, name),
        };
        let mut conditions = Self { source: source.to_owned(), ..Self::default() };
        for (name, text) in rows {
            let Ok(condition) = Condition::parse(text) else { continue };
            if conditions.by_table.insert(named(name), condition).is_some() {
                conditions.doubled = Some(named(name));
            }
        }
        conditions
    }

    /// The condition of a table.
    pub(super) fn of(&self, table: &TableName) -> Option<&Condition> {
        self.by_table.get(table)
    }

    /// Refuses conditions of tables that are not mirrored, that cannot be asked, or by which rows would
    /// come and go that hidden foreign keys change.
    ///
    /// # Errors
    /// [`ErrorKind::Config`].
    pub(super) fn judge(&self, tables: &[&Table]) -> Result<()> {
        if let Some(name) = &self.doubled {
            return Err(self.wrong(name, "it has two conditions, with and without its schema"));
        }
        for (name, condition) in &self.by_table {
            let Some(table) = tables.iter().find(|table| table.name == *name) else {
                return Err(self.wrong(name, "it is not among the tables that are mirrored"));
            };
            self.fit(table)?;
            if table.is_keyless() {
                return Err(
                    self.wrong(name, "it has no key, by which a row that leaves could be told")
                );
            }
            let own = table.cascades.iter().flat_map(|cascade| &cascade.columns);
            if let Some((column, _)) = own.into_iter().find(|(own, _)| condition.is_about(own)) {
                let why = format!("a foreign key changes its {column}, of which the log is silent");
                return Err(self.wrong(name, &why));
            }
            let follows =
                |one: &&&Table| one.cascades.iter().any(|cascade| cascade.parent == *name);
            if let Some(child) = tables.iter().find(follows) {
                let child = &child.name;
                let why =
                    format!("{child} follows it by a foreign key, of which the log is silent");
                return Err(self.wrong(name, &why));
            }
        }
        Ok(())
    }

    /// Refuses a table that is not any more what its condition was written for.
    ///
    /// # Errors
    /// [`ErrorKind::Config`].
    pub(super) fn fit(&self, table: &Table) -> Result<()> {
        let Some(condition) = &table.rows else { return Ok(()) };
        condition.fits(table).map_err(|why| self.wrong(&table.name, &why))
    }

    fn wrong(&self, table: &TableName, why: &str) -> Error {
        let what =
            format!("`rows` of source `{}` cannot choose rows of {table}: {why}", self.source);
        Error::new(ErrorKind::Config, what).hint(format!(
            "correct the condition of \"{table}\", or take it out and leave rows out in the mapping"
        ))
    }
}

/// A condition in PostgreSQL's SQL; the session's TimeZone is nobody's concern.
pub(super) fn of_postgres(
    condition: &Condition,
    table: &Table,
    quote: fn(&str) -> String,
) -> String {
    let text = |text: &str| format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    let value = |kind: Kind, literal: &Literal| match (literal, kind) {
        (Literal::Number(number), _) => number.to_string(),
        (Literal::Boolean(is), _) => is.to_string(),
        (Literal::Text(uuid), Kind::Uuid) => format!("{}::pg_catalog.uuid", text(uuid)),
        (_, Kind::Date) => format!("DATE {}", text(&moment(literal, kind))),
        (_, Kind::Timestamp) => format!("TIMESTAMP {}", text(&moment(literal, kind))),
        (_, Kind::TimestampTz) => {
            format!("TIMESTAMP WITH TIME ZONE {}", text(&moment(literal, kind)))
        }
        (Literal::Text(is), _) => text(is),
    };
    // By its bytes: a collation may hold others for equal.
    let column = |kind: Kind, name: &str| match kind {
        Kind::Text => format!("{}::pg_catalog.text COLLATE \"C\"", quote(name)),
        _ => quote(name),
    };
    let null = |it: &str| format!("{it} IS NULL");
    condition.sql(table, &Words { column: &column, value: &value, null: &null })
}

/// A condition in MariaDB's and MySQL's SQL. The session's time zone is UTC.
pub(super) fn of_mysql(condition: &Condition, table: &Table, quote: fn(&str) -> String) -> String {
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
    let value = |kind: Kind, literal: &Literal| match (literal, kind) {
        (Literal::Number(number), _) => number.to_string(),
        (Literal::Boolean(is), _) => u8::from(*is).to_string(),
        (Literal::Text(uuid), Kind::Uuid) => format!("'{uuid}'"),
        (_, Kind::Date) => format!("CAST('{}' AS DATE)", moment(literal, kind)),
        (_, Kind::Timestamp | Kind::TimestampTz) => {
            format!("CAST('{}' AS DATETIME(6))", moment(literal, Kind::Timestamp))
        }
        (Literal::Text(is), _) => format!("'{}'", hex(is)),
    };
    let column = |kind: Kind, name: &str| match kind {
        Kind::Text => format!("HEX(CONVERT({} USING utf8mb4))", quote(name)),
        _ => quote(name),
    };
    // IS NULL is also true of a zero date, where a column may not be NULL.
    let null = |it: &str| format!("{it} <=> NULL");
    condition.sql(table, &Words { column: &column, value: &value, null: &null })
}

fn moment(literal: &Literal, kind: Kind) -> String {
    literal.moment(kind).unwrap_or_default()
}

/// Leaves of a transaction's changes what is of rows that are chosen. `is_there`: a cell that the log does not
/// carry of a row as it is has a value (PostgreSQL leaves out only values out of line that did not change).
pub(super) fn choose(changes: &mut Vec<Change>, is_there: bool) {
    let is_chosen = |change: &Change| match change {
        Change::Row(row) => row.table.rows.is_some(),
        _ => false,
    };
    if !changes.iter().any(is_chosen) {
        return;
    }
    let all = std::mem::take(changes);
    for change in all {
        match change {
            Change::Row(row) => changes.extend(chosen(row, is_there)),
            other => changes.push(other),
        }
    }
}

/// What is left of the change of a row.
fn chosen(mut row: RowChange, is_there: bool) -> Vec<Change> {
    let Some(condition) = row.table.rows.clone() else { return vec![Change::Row(row)] };
    let was = row.old.as_ref().map(|old| condition.admits(&row.table, old, false));
    let Some(new) = &mut row.new else {
        return if was == Some(Some(false)) { Vec::new() } else { vec![Change::Row(row)] };
    };
    if let Some(old) = &row.old {
        *new = new.or(old);
    }
    let is = condition.admits(&row.table, new, is_there);
    match (was, is) {
        (_, None) => vec![Change::Doubted(row.table)],
        (Some(Some(false)), Some(false)) => Vec::new(),
        (_, Some(false)) if row.op == Op::Insert => Vec::new(),
        (_, Some(false)) => vec![Change::Row(gone(row))],
        (Some(Some(false)), Some(true)) => {
            vec![Change::Row(RowChange { op: Op::Insert, old: None, ..row })]
        }
        // (If it came in, and not all of it is told, the mirror finds that it has no such row.)
        (_, Some(true)) => vec![Change::Row(row)],
    }
}

/// The row is not chosen any more: of what it is, only the key is told.
fn gone(row: RowChange) -> RowChange {
    let key: Vec<usize> = row.table.key().collect();
    let has_key =
        |row: &Row| key.iter().all(|place| row.cell(*place).is_some_and(|cell| !cell.is_missing()));
    let old = row.old.filter(has_key).or(row.new).map(|row| {
        let only_key = |(place, cell): (usize, CellRef<'_>)| match key.contains(&place) {
            true => cell.to_cell(),
            false => Cell::Missing,
        };
        row.cells().enumerate().map(only_key).collect()
    });
    // It is still there: what follows it by a foreign key stays.
    RowChange { op: Op::Delete, old, new: None, cascades: false, ..row }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::change::Column;

    fn table() -> Arc<Table> {
        let column = |name: &str, key| Column {
            name: name.to_owned(),
            source_type: "text".to_owned(),
            kind: Kind::Text,
            key,
        };
        Arc::new(Table {
            id: 1,
            name: TableName::new("public", "t"),
            columns: vec![column("id", Some(0)), column("is", None), column("note", None)],
            cascades: Vec::new(),
            left_out: Vec::new(),
            rows: Some(Condition::parse("\"is\" = 'in'").unwrap()),
        })
    }

    /// `-` is missing.
    fn cells(text: [&str; 3]) -> Row {
        let cell = |text: &str| if text == "-" { Cell::Missing } else { Cell::text(text) };
        text.map(cell).to_vec().into()
    }

    /// What is left of a change, in short.
    fn left(op: Op, old: Option<[&str; 3]>, new: Option<[&str; 3]>) -> Vec<String> {
        let (old, new) = (old.map(cells), new.map(cells));
        let mut changes =
            vec![Change::Row(RowChange { table: table(), op, old, new, cascades: true })];
        choose(&mut changes, false);
        let text = |row: &Option<Row>| {
            let text = |cell: CellRef<'_>| match cell.bytes() {
                Some(text) => String::from_utf8_lossy(text).into_owned(),
                None => "-".to_owned(),
            };
            row.iter().flat_map(Cells::cells).map(text).collect::<Vec<_>>().join(" ")
        };
        let short = |change: &Change| match change {
            Change::Row(row) => {
                format!("{}: {} > {}", row.op.word(), text(&row.old), text(&row.new))
            }
            other => format!("{other:?}").split('(').next().unwrap().to_owned(),
        };
        changes.iter().map(short).collect()
    }

    #[test]
    fn rows_come_into_the_choice_and_leave_it() {
        let (into, out) = (["1", "in", "n"], ["1", "out", "n"]);
        type Told<'a> = Option<[&'a str; 3]>;
        let cases: [(Op, Told<'_>, Told<'_>, &[&str]); 14] = [
            (Op::Insert, None, Some(into), &["insert:  > 1 in n"]),
            (Op::Insert, None, Some(out), &[]),
            (Op::Delete, Some(into), None, &["delete: 1 in n > "]),
            (Op::Delete, Some(out), None, &[]),
            (Op::Delete, Some(["1", "-", "-"]), None, &["delete: 1 - - > "]),
            (Op::Update, Some(into), Some(into), &["update: 1 in n > 1 in n"]),
            (Op::Update, Some(out), Some(into), &["insert:  > 1 in n"]),
            (Op::Update, Some(into), Some(out), &["delete: 1 - - > "]),
            (Op::Update, Some(out), Some(out), &[]),
            // The key alone is told, or nothing, of the row before.
            (Op::Update, Some(["0", "-", "-"]), Some(out), &["delete: 0 - - > "]),
            (Op::Update, None, Some(out), &["delete: 1 - - > "]),
            (Op::Update, None, Some(into), &["update:  > 1 in n"]),
            // A text that did not change is not told: of the row, or of the choice.
            (Op::Update, None, Some(["1", "in", "-"]), &["update:  > 1 in -"]),
            (Op::Update, None, Some(["1", "-", "n"]), &["Doubted"]),
        ];
        for (op, old, new, expected) in cases {
            assert_eq!(left(op, old, new), expected, "{op:?} {old:?} {new:?}");
        }
        let from_old = left(Op::Update, Some(["1", "in", "long"]), Some(["1", "in", "-"]));
        assert_eq!(from_old, ["update: 1 in long > 1 in long"]);
    }

    #[test]
    fn a_row_that_left_takes_none_along_that_follows_it() {
        let row = RowChange {
            table: table(),
            op: Op::Update,
            old: None,
            new: Some(cells(["1", "out", "n"])),
            cascades: true,
        };
        let mut changes = vec![Change::Row(row)];
        choose(&mut changes, false);
        let [Change::Row(row)] = changes.as_slice() else { panic!("{changes:?}") };
        assert!(!row.cascades);
    }

    #[test]
    fn servers_are_asked_in_their_own_words() {
        let text = "\"is\" IN ('a''\\', 'ä') AND id IS NOT NULL";
        let condition = Condition::parse(text).unwrap();
        let quote = |name: &str| format!("<{name}>");
        assert_eq!(
            of_postgres(&condition, &table(), quote),
            "<is>::pg_catalog.text COLLATE \"C\" IN (E'a''\\\\', E'ä') AND \
             NOT (<id>::pg_catalog.text COLLATE \"C\" IS NULL)"
        );
        assert_eq!(
            of_mysql(&condition, &table(), quote),
            "HEX(CONVERT(<is> USING utf8mb4)) IN ('61275C', 'C3A4') AND \
             NOT (HEX(CONVERT(<id> USING utf8mb4)) <=> NULL)"
        );
    }
}
