//! Changes of a batch to the last state per key: pure.
//!
//! Last wins, but never by forgetting: a cell that no change carried is taken from the row the
//! key had before the batch, under the key it had then (an update of a key *moves* the row).

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::change::keyless::{Content, content_of};
use crate::change::{Cell, Cells, Row, RowChange, Table, TransactionId, tuple};

/// A row's key: its key cells, encoded.
pub type Key = Bytes;

/// Encodes the key cells of a row of `table`; `None` if one of them is missing.
#[must_use]
pub fn key_of(table: &Table, row: &(impl Cells + ?Sized)) -> Option<Key> {
    let mut key = Vec::new();
    for place in table.key() {
        key.push(row.cell(place).filter(|cell| !cell.is_missing())?);
    }
    let mut bytes = BytesMut::new();
    tuple::write_cells(&mut bytes, key.into_iter());
    Some(bytes.freeze())
}

/// What a batch did to one table.
#[derive(Debug)]
pub struct Collapsed {
    /// The table as the batch's last change saw it.
    pub table: Arc<Table>,
    /// All rows from before the batch are gone; by whom, and when that was committed.
    pub truncated: Option<(TransactionId, i64)>,
    /// The last state of every key the batch touched.
    pub rows: HashMap<Key, RowState>,
    /// Of a table without a key, instead: what happened to its rows, in order.
    pub contents: Vec<Step>,
}

/// What happened to rows of a table without a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Equal rows came or went.
    Moved(Moved),
    /// A foreign key did something to all rows that refer to one. Only copies need it: what it did to rows
    /// that are known is told as [`Step::Moved`], too.
    Swept(Swept),
    /// A foreign key changed a row of which not every text is known as the log would spell it.
    Lost,
}

/// Equal rows of a table without a key that came or went.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// What each holds.
    pub content: Content,
    /// How many more there are; negative: they went.
    pub more: i64,
    /// Who did that.
    pub transaction: TransactionId,
    /// When that was committed, microseconds since 1970-01-01 UTC.
    pub time_micros: i64,
    /// No log said so: foreign keys did it, by what is known of the rows.
    pub derived: bool,
    /// The hash that the mirror has for it, which may spell values of `content` otherwise.
    pub hash: Option<String>,
}

/// What a foreign key did, unseen, to all rows of a table that referred to a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Swept {
    /// Places of the referring columns.
    pub places: Vec<usize>,
    /// What they referred by.
    pub values: Vec<Cell>,
    /// How the two are compared.
    pub ignores_case: bool,
    /// What they refer by now; `None`: the rows went.
    pub became: Option<Vec<Cell>>,
    /// Who changed the row that they referred to.
    pub transaction: TransactionId,
    /// When that was committed, microseconds since 1970-01-01 UTC.
    pub time_micros: i64,
}

/// The last state of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct RowState {
    /// The row; `None`: there is none under this key.
    pub cells: Option<Row>,
    /// Where missing cells are to be taken from: the key its row had before the batch.
    pub base: Option<Key>,
    /// The last transaction that touched the key.
    pub transaction: TransactionId,
    /// When that one was committed, microseconds since 1970-01-01 UTC.
    pub time_micros: i64,
    /// Keys the row had within the batch, oldest first, each with who moved it away.
    pub left: Vec<(Key, TransactionId)>,
    /// No log said so: only foreign keys, by what the mirror has.
    pub derived: bool,
}

/// A change that makes no sense after those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyMissing;

impl Collapsed {
    /// Nothing happened to `table` yet.
    #[must_use]
    pub fn new(table: Arc<Table>) -> Self {
        Self { table, truncated: None, rows: HashMap::new(), contents: Vec::new() }
    }

    /// All rows are gone.
    pub fn truncate(&mut self, transaction: TransactionId, time_micros: i64) {
        self.rows.clear();
        self.contents.clear();
        self.truncated = Some((transaction, time_micros));
    }

    /// A row was written or removed. `derived`: by a foreign key, not by the log.
    ///
    /// # Errors
    /// [`KeyMissing`] if the change does not tell its key: a decoder's or a replica identity's
    /// fault, never to be skipped.
    pub fn row(
        &mut self,
        change: &RowChange,
        derived: bool,
        (transaction, time_micros): (TransactionId, i64),
    ) -> Result<(), KeyMissing> {
        self.table = Arc::clone(&change.table);
        let table = &change.table;
        if table.is_keyless() {
            self.contents_of(change, (transaction, time_micros));
            return Ok(());
        }
        let new_key = match &change.new {
            Some(cells) => Some(key_of(table, cells).ok_or(KeyMissing)?),
            None => None,
        };
        let old_key = match &change.old {
            Some(cells) => key_of(table, cells),
            None => None,
        };
        let by_log = |key: &Key| self.rows.get(key).is_some_and(|row| !row.derived);
        let derived = derived && !old_key.iter().chain(&new_key).any(by_log);
        let gone =
            |left| RowState { cells: None, base: None, transaction, time_micros, left, derived };
        match (old_key, new_key) {
            (old, Some(key)) => {
                let was = old.unwrap_or_else(|| key.clone());
                let is_insert = change.op == crate::change::Op::Insert;
                let before = if is_insert { None } else { Some(self.before(&was)) };
                let (cells, base, mut left) = merge(change, before);
                if was != key && !is_insert {
                    left.push((was.clone(), transaction));
                    self.rows.insert(was, gone(Vec::new()));
                }
                let cells = Some(cells);
                let state = RowState { cells, base, transaction, time_micros, left, derived };
                self.rows.insert(key, state);
            }
            (Some(key), None) => {
                self.rows.insert(key, gone(Vec::new()));
            }
            (None, None) => return Err(KeyMissing),
        }
        Ok(())
    }

    /// A row without a key changed: what it held went, and what it holds came. What is not known whole is
    /// lost: then the table is copied again.
    fn contents_of(
        &mut self,
        change: &RowChange,
        (transaction, time_micros): (TransactionId, i64),
    ) {
        let content = |row: &Option<Row>| row.as_ref().map(|row| content_of(&change.table, row));
        let told = match (change.op, content(&change.old), content(&change.new)) {
            (crate::change::Op::Insert, _, Some(Some(new))) => Some((None, Some(new))),
            (crate::change::Op::Update, Some(Some(old)), Some(Some(new))) => {
                Some((Some(old), Some(new)))
            }
            (crate::change::Op::Delete, Some(Some(old)), _) => Some((Some(old), None)),
            _ => None,
        };
        let Some((old, new)) = told else { return self.contents.push(Step::Lost) };
        if old != new {
            let gone = old.map(|content| (content, -1));
            for (content, more) in gone.into_iter().chain(new.map(|content| (content, 1))) {
                let (derived, hash) = (false, None);
                let moved = Moved { content, more, transaction, time_micros, derived, hash };
                self.contents.push(Step::Moved(moved));
            }
        }
    }

    /// What is known of the row under `key` just before a change.
    fn before(&self, key: &Key) -> RowState {
        self.rows.get(key).cloned().unwrap_or_else(|| RowState {
            cells: None,
            base: self.truncated.is_none().then(|| key.clone()),
            transaction: TransactionId::Xid(0),
            time_micros: 0,
            left: Vec::new(),
            derived: false,
        })
    }
}

/// The row after a change: its own cells, else the old image's, else the row's before.
fn merge(
    change: &RowChange,
    before: Option<RowState>,
) -> (Row, Option<Key>, Vec<(Key, TransactionId)>) {
    let mut row = change.new.clone().unwrap_or_else(|| Row::from(Vec::new()));
    let Some(before) = before else { return (row, None, Vec::new()) };
    for earlier in [&change.old, &before.cells].into_iter().flatten() {
        row = row.or(earlier);
    }
    let base = if row.is_whole() { None } else { before.base };
    (row, base, before.left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Column, Kind, Op, TableName};

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
            columns: vec![column("id", Some(0)), column("v", None), column("big", None)],
            cascades: Vec::new(),
            left_out: Vec::new(),
            rows: None,
        })
    }

    /// `-` is missing, `~` is NULL.
    fn cells(text: [&str; 3]) -> Row {
        let cell = |cell: &str| match cell {
            "-" => Cell::Missing,
            "~" => Cell::Null,
            text => Cell::text(text),
        };
        text.map(cell).to_vec().into()
    }

    fn key(id: &str) -> Key {
        key_of(&table(), &cells([id, "-", "-"])).unwrap()
    }

    struct Batch(Collapsed, u64);

    impl Batch {
        fn new() -> Self {
            Batch(Collapsed::new(table()), 100)
        }

        fn change(&mut self, op: Op, old: Option<[&str; 3]>, new: Option<[&str; 3]>) -> u64 {
            self.1 += 1;
            let change = RowChange {
                table: table(),
                op,
                old: old.map(cells),
                new: new.map(cells),
                cascades: false,
            };
            self.0.row(&change, false, (TransactionId::Xid(self.1), 0)).unwrap();
            self.1
        }

        fn state(&self, id: &str) -> &RowState {
            &self.0.rows[&key(id)]
        }
    }

    #[test]
    fn an_unchanged_toast_cell_is_taken_from_the_row_before_never_nulled() {
        let mut batch = Batch::new();
        batch.change(Op::Update, None, Some(["1", "b", "-"]));
        assert_eq!(batch.state("1").cells, Some(cells(["1", "b", "-"])));
        assert_eq!(batch.state("1").base, Some(key("1")));
        // and from the batch itself when the batch knows it
        let mut batch = Batch::new();
        batch.change(Op::Insert, None, Some(["1", "a", "BIG"]));
        batch.change(Op::Update, None, Some(["1", "b", "-"]));
        assert_eq!(batch.state("1").cells, Some(cells(["1", "b", "BIG"])));
        assert_eq!(batch.state("1").base, None);
    }

    #[test]
    fn a_key_update_moves_the_row_and_remembers_where_it_was() {
        let mut batch = Batch::new();
        let first = batch.change(Op::Update, Some(["1", "-", "-"]), Some(["2", "b", "-"]));
        let second = batch.change(Op::Update, Some(["2", "-", "-"]), Some(["3", "c", "-"]));
        assert_eq!(batch.state("1").cells, None);
        assert_eq!(batch.state("2").cells, None);
        let moved = batch.state("3");
        assert_eq!(moved.cells, Some(cells(["3", "c", "-"])));
        assert_eq!(moved.base, Some(key("1")), "the cells lie under the key before the batch");
        let left =
            vec![(key("1"), TransactionId::Xid(first)), (key("2"), TransactionId::Xid(second))];
        assert_eq!(moved.left, left);
    }

    #[test]
    fn delete_then_insert_of_a_key_keeps_nothing_of_the_old_row() {
        let mut batch = Batch::new();
        batch.change(Op::Delete, Some(["1", "-", "-"]), None);
        batch.change(Op::Insert, None, Some(["1", "new", "~"]));
        batch.change(Op::Update, None, Some(["1", "newer", "-"]));
        assert_eq!(batch.state("1").cells, Some(cells(["1", "newer", "~"])));
        assert_eq!(batch.state("1").base, None);
    }

    #[test]
    fn a_full_old_image_fills_what_the_new_one_lacks() {
        let mut batch = Batch::new();
        batch.change(Op::Update, Some(["1", "a", "BIG"]), Some(["1", "b", "-"]));
        assert_eq!(batch.state("1").cells, Some(cells(["1", "b", "BIG"])));
    }

    #[test]
    fn truncate_forgets_rows_and_bases() {
        let mut batch = Batch::new();
        batch.change(Op::Insert, None, Some(["1", "a", "x"]));
        batch.0.truncate(TransactionId::Xid(7), 0);
        batch.change(Op::Insert, None, Some(["2", "a", "x"]));
        assert_eq!(batch.0.rows.len(), 1);
        assert_eq!(batch.0.truncated, Some((TransactionId::Xid(7), 0)));
    }

    #[test]
    fn a_change_without_its_key_is_refused() {
        let change = RowChange {
            table: table(),
            op: Op::Delete,
            old: Some(cells(["-", "a", "b"])),
            new: None,
            cascades: false,
        };
        let mut collapsed = Collapsed::new(table());
        assert_eq!(collapsed.row(&change, false, (TransactionId::Xid(1), 0)), Err(KeyMissing));
    }

    #[test]
    fn what_is_not_known_whole_of_a_row_without_a_key_is_lost() {
        let mut table = table().as_ref().clone();
        table.columns.iter_mut().for_each(|column| column.key = None);
        let table = Arc::new(table.with_own_key());
        let mut whole = ["1", "a", "b"].map(Cell::text).to_vec();
        crate::change::keyless::fill_up(&table, &mut whole);
        let row = |op, old: Option<Vec<Cell>>, new: Option<Vec<Cell>>| {
            let (old, new) = (old.map(Row::from), new.map(Row::from));
            let change = RowChange { table: Arc::clone(&table), op, old, new, cascades: false };
            let mut collapsed = Collapsed::new(Arc::clone(&table));
            collapsed.row(&change, false, (TransactionId::Xid(1), 0)).unwrap();
            collapsed.contents == [Step::Lost]
        };
        let there = || Some(whole.clone());
        assert!(row(Op::Delete, None, None));
        assert!(row(Op::Update, None, there()));
        assert!(row(Op::Update, there(), None));
        assert!(!row(Op::Delete, there(), None));
        assert!(!row(Op::Insert, None, there()));
    }
}
