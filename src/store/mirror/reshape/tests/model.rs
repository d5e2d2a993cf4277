//! A table whose columns come, go, take each other's names and change their types, and its log.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::change::{
    Cell, Change, Column, Kind, Op, Position, Row, RowChange, Table, TableName, Transaction,
    TransactionId, Visibility,
};

/// A column with an identity that its name does not change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Col {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) source_type: String,
    pub(super) kind: Kind,
}

/// Values by the column's number.
pub(super) type Values = BTreeMap<usize, Option<String>>;
pub(super) type Rows = BTreeMap<i32, Values>;

/// The table as it was after some transaction.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub(super) columns: Vec<Col>,
    pub(super) rows: Rows,
}

impl Moment {
    pub(super) fn table(&self) -> Arc<Table> {
        let mut columns = vec![column("id", "integer", Kind::Int { bytes: 4 }, Some(0))];
        let own = |col: &Col| column(&col.name, &col.source_type, col.kind, None);
        columns.extend(self.columns.iter().map(own));
        let name = TableName::new("public", "t");
        Arc::new(Table {
            id: 1,
            name,
            columns,
            cascades: Vec::new(),
            left_out: Vec::new(),
            rows: None,
        })
    }

    /// Every cell as text, behind a line of names.
    pub(super) fn text(&self) -> Vec<String> {
        let names = self.columns.iter().map(|col| format!("|{}", col.name));
        let mut lines = vec![format!("id{}", names.collect::<String>())];
        for (id, values) in &self.rows {
            let cell = |col: &Col| values[&col.number].clone().unwrap_or_else(|| "NULL".to_owned());
            let cells = self.columns.iter().map(|col| format!("|{}", cell(col)));
            lines.push(format!("{id}{}", cells.collect::<String>()));
        }
        lines
    }

    pub(super) fn cells(&self, id: i32, without: Option<usize>) -> Vec<Cell> {
        let values = &self.rows[&id];
        let cell = |col: &Col| match &values[&col.number] {
            _ if without == Some(col.number) => Cell::Missing,
            Some(text) => Cell::text(text),
            None => Cell::Null,
        };
        let own = std::iter::once(Cell::text(&id.to_string()));
        own.chain(self.columns.iter().map(cell)).collect()
    }

    pub(super) fn key_only(&self, id: i32) -> Vec<Cell> {
        let own = std::iter::once(Cell::text(&id.to_string()));
        own.chain(self.columns.iter().map(|_| Cell::Missing)).collect()
    }
}

fn column(name: &str, source_type: &str, kind: Kind, key: Option<u16>) -> Column {
    Column { name: name.to_owned(), source_type: source_type.to_owned(), kind, key }
}

pub(super) struct Source {
    pub(super) rng: StdRng,
    pub(super) now: Moment,
    pub(super) numbers: usize,
    /// The log, and the table after each of its transactions.
    pub(super) log: Vec<(Transaction, Moment)>,
    /// A row with today's columns is in the log.
    pub(super) is_shown: bool,
    /// The log says that values changed untold, as MariaDB's does.
    pub(super) announces: bool,
    /// A column took another's name. With one more change before the next row it might look as if it had
    /// not, to everybody.
    pub(super) is_confusing: bool,
    pub(super) alters: u32,
}

impl Source {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let announces = rng.random();
        let now = Moment { columns: Vec::new(), rows: BTreeMap::new() };
        let mut source = Self {
            rng,
            now,
            numbers: 0,
            log: Vec::new(),
            is_shown: true,
            announces,
            is_confusing: false,
            alters: 0,
        };
        let number = Kind::Int { bytes: 4 };
        for (name, kind) in [("v", number), ("a", number), ("b", Kind::Text), ("c", Kind::Text)] {
            source.add(name.to_owned(), kind);
        }
        for id in 1..=20 {
            source.insert(id);
        }
        source
    }

    pub(super) fn fresh(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn add(&mut self, name: String, kind: Kind) {
        let number = self.fresh();
        let source_type = if kind == Kind::Text { "text" } else { "integer" }.to_owned();
        let default = self.rng.random_ratio(2, 3).then(|| number.to_string());
        for values in self.now.rows.values_mut() {
            values.insert(number, default.clone());
        }
        self.now.columns.push(Col { number, name, source_type, kind });
    }

    pub(super) fn insert(&mut self, id: i32) {
        let mut values = Values::new();
        for col in self.now.columns.clone() {
            let value = self.fresh();
            values.insert(col.number, Some(value.to_string()));
        }
        self.now.rows.insert(id, values);
    }

    /// A name that no column has. One that a column had may be taken only where the log has shown that
    /// it is gone: if it has not, a new column looks like the old one.
    pub(super) fn name(&mut self) -> String {
        let used: Vec<&str> = self.now.columns.iter().map(|col| col.name.as_str()).collect();
        let free = ["a", "b", "c", "d", "e"].into_iter().find(|name| !used.contains(name));
        match free.filter(|_| self.is_shown) {
            Some(name) => name.to_owned(),
            None => format!("n{}", self.fresh()),
        }
    }

    /// Changes the columns. Nothing but the next row tells.
    pub(super) fn alter(&mut self) {
        let what = self.rng.random_range(0..7);
        // The column "v" stays: it is compared all the time.
        let others = self.now.columns.len() - 1;
        if self.is_confusing && !self.is_shown && !self.announces {
            return;
        }
        self.is_confusing = what > 4;
        let some = 1 + self.rng.random_range(0..others.max(1));
        match what {
            0 if others < 5 => {
                let name = self.name();
                let kind = [Kind::Text, Kind::Int { bytes: 4 }][self.rng.random_range(0..2)];
                self.add(name, kind);
            }
            1 if others > 0 => drop(self.now.columns.remove(some)),
            2 if others > 0 => self.now.columns[some].name = self.name(),
            3 if others > 0 => self.retype(some),
            4 if others > 0 && self.is_shown => self.lengthen(some),
            5 if others > 1 => {
                let (one, other) = (1, self.now.columns.len() - 1);
                let name = self.now.columns[one].name.clone();
                self.now.columns[one].name = self.now.columns[other].name.clone();
                self.now.columns[other].name = name;
            }
            6 if others > 0 && self.is_shown => {
                let gone = self.now.columns.remove(some);
                // As the last one it would look the same.
                if some < self.now.columns.len() || self.announces {
                    self.add(gone.name, gone.kind);
                }
            }
            _ => return,
        }
        self.alters += 1;
        self.is_shown = false;
        if self.announces {
            let table = self.now.table();
            self.commit(vec![Change::Doubted(table)]);
        }
    }

    /// Gives every row another value, and the column a type that it never had.
    pub(super) fn retype(&mut self, place: usize) {
        let number = self.fresh();
        let col = &mut self.now.columns[place];
        col.kind = Kind::Text;
        col.source_type = format!("character varying({})", 100_000 - number);
        for values in self.now.rows.values_mut() {
            let value = values.get_mut(&col.number).unwrap();
            *value = value.as_ref().map(|text| format!("{number}x{text}"));
        }
    }

    /// Changes no value.
    pub(super) fn lengthen(&mut self, place: usize) {
        let col = &mut self.now.columns[place];
        if col.kind == Kind::Text {
            col.source_type = "text".to_owned();
        }
    }

    pub(super) fn write(&mut self) {
        let mut changes = Vec::new();
        if self.rng.random_ratio(1, 15) && self.now.columns.len() > 2 && self.is_shown {
            self.there_and_back();
        }
        if self.rng.random_ratio(1, 50) {
            self.now.rows.clear();
            changes.push(Change::Truncate(vec![self.now.table()]));
        }
        for _ in 0..self.rng.random_range(1..4) {
            if self.rng.random_ratio(1, 10) {
                // In the midst of a transaction, before it has written to the table.
                self.commit(std::mem::take(&mut changes));
                self.alter();
            }
            self.statement(&mut changes);
        }
        self.commit(changes);
    }

    /// Columns change, rows are written, and the columns are as before: their end does not tell.
    fn there_and_back(&mut self) {
        let before = self.now.columns.clone();
        let number = self.numbers + 1;
        let last = self.now.columns.len() - 1;
        let is_retyped = self.rng.random();
        match is_retyped {
            true => self.retype(last),
            false => drop(self.now.columns.remove(last)),
        }
        for _ in 0..3 {
            let mut changes = Vec::new();
            self.statement(&mut changes);
            self.commit(changes);
        }
        for values in self.now.rows.values_mut() {
            values.insert(before[last].number, Some(number.to_string()));
        }
        self.now.columns = before;
        self.alters += 2;
        let mut changes = Vec::new();
        self.statement(&mut changes);
        self.is_shown = !changes.is_empty();
        self.commit(changes);
    }

    pub(super) fn statement(&mut self, changes: &mut Vec<Change>) {
        let ids: Vec<i32> = self.now.rows.keys().copied().collect();
        let some = ids.get(self.rng.random_range(0..ids.len().max(1))).copied();
        let other = self.rng.random_range(1..40);
        let is_free = !self.now.rows.contains_key(&other);
        let (op, old, new) = match (self.rng.random_range(0..8), some) {
            (0..=3, Some(id)) => {
                // A text that the statement does not change is not in the log.
                let texts: Vec<usize> = self
                    .now
                    .columns
                    .iter()
                    .skip(1)
                    .filter(|col| col.kind == Kind::Text)
                    .map(|col| col.number)
                    .collect();
                let kept = texts.get(self.rng.random_range(0..=texts.len())).copied();
                let was = self.now.rows[&id].clone();
                self.insert(id);
                if let Some(kept) = kept {
                    let value = was[&kept].clone();
                    self.now.rows.get_mut(&id).unwrap().insert(kept, value);
                }
                (Op::Update, None, Some(self.now.cells(id, kept)))
            }
            (4, Some(id)) if is_free => {
                let values = self.now.rows.remove(&id).unwrap();
                self.now.rows.insert(other, values);
                let key = self.now.key_only(id);
                (Op::Update, Some(key), Some(self.now.cells(other, None)))
            }
            (5, Some(id)) => {
                self.now.rows.remove(&id);
                (Op::Delete, Some(self.now.key_only(id)), None)
            }
            _ if is_free => {
                self.insert(other);
                (Op::Insert, None, Some(self.now.cells(other, None)))
            }
            _ => return,
        };
        self.is_shown = true;
        let table = self.now.table();
        let [old, new] = [old, new].map(|row| row.map(Row::from));
        changes.push(Change::Row(RowChange { table, op, old, new, cascades: false }));
    }

    pub(super) fn commit(&mut self, changes: Vec<Change>) {
        let number = 100 + self.log.len() as u64;
        let (id, position) = (TransactionId::Xid(number), Position::Lsn(number));
        let transaction = Transaction { id, position, committed_at_micros: 0, changes };
        self.log.push((transaction, self.now.clone()));
    }

    pub(super) fn sees_all(&self) -> Visibility {
        let next = 100 + self.log.len() as u64;
        Visibility::Snapshot { xmin: next, xmax: next, running: Vec::new() }
    }
}
