//! Rows as a log tells them: many rows of a table in Arrow columns, and a row is a place in them.
//!
//! A decoder writes each cell into the columns of its table, with no value of its own on the heap: a short
//! text lies in its view, a long one in the buffer that all rows of a journal entry share (PostgreSQL: the
//! entry itself). The columns are closed at the entry's end; nobody looks at a row before that.
//!
//! Rows that are made up later (a foreign key's, or one filled from the row before) have their own cells.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow::array::builder::make_view;
use arrow::array::{Array, BinaryViewArray, NullBufferBuilder};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::error::ArrowError;

use super::{Cell, Table};
use crate::error::{Context, ErrorKind, Result};

/// A cell, wherever it lies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum CellRef<'a> {
    /// See [`Cell::Missing`].
    Missing,
    /// SQL NULL.
    Null,
    /// Canonical text.
    Text(&'a [u8]),
}

impl<'a> CellRef<'a> {
    /// True if the log did not carry this cell.
    #[must_use]
    pub fn is_missing(self) -> bool {
        matches!(self, CellRef::Missing)
    }

    /// The text, `None` for NULL and missing.
    #[must_use]
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            CellRef::Text(bytes) => Some(bytes),
            CellRef::Null | CellRef::Missing => None,
        }
    }

    /// The cell as a value of its own.
    #[must_use]
    pub fn to_cell(self) -> Cell {
        match self {
            CellRef::Missing => Cell::Missing,
            CellRef::Null => Cell::Null,
            CellRef::Text(bytes) => Cell::Text(bytes::Bytes::copy_from_slice(bytes)),
        }
    }
}

/// The cells of a row, in the order of its table's columns.
pub trait Cells {
    /// How many there are.
    fn count(&self) -> usize;

    /// The cell at a place; `None` behind the last one.
    fn cell(&self, place: usize) -> Option<CellRef<'_>>;

    /// All of them.
    fn cells(&self) -> impl Iterator<Item = CellRef<'_>> {
        (0..self.count()).map_while(|place| self.cell(place))
    }
}

impl Cells for [Cell] {
    fn count(&self) -> usize {
        self.len()
    }

    fn cell(&self, place: usize) -> Option<CellRef<'_>> {
        self.get(place).map(Cell::as_ref)
    }
}

impl Cells for Vec<Cell> {
    fn count(&self) -> usize {
        self.len()
    }

    fn cell(&self, place: usize) -> Option<CellRef<'_>> {
        self.as_slice().cell(place)
    }
}

/// One row.
#[derive(Clone)]
pub struct Row(Kept);

#[derive(Clone)]
enum Kept {
    /// A place in columns.
    Placed(Arc<Columns>, usize),
    /// Cells of its own.
    Own(Arc<[Cell]>),
}

impl Row {
    /// True if no cell is missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match &self.0 {
            Kept::Placed(columns, at) => columns.get().iter().all(|column| column.knows(*at)),
            Kept::Own(cells) => !cells.iter().any(Cell::is_missing),
        }
    }

    /// The row with those cells of another one that it lacks.
    #[must_use]
    pub fn or(&self, other: &Row) -> Row {
        if self.is_whole() {
            return self.clone();
        }
        let filled = self.cells().enumerate().map(|(place, cell)| match cell {
            CellRef::Missing => other.cell(place).unwrap_or(CellRef::Missing).to_cell(),
            cell => cell.to_cell(),
        });
        filled.collect()
    }

    /// Its cells as values of their own.
    #[must_use]
    pub fn to_cells(&self) -> Vec<Cell> {
        self.cells().map(CellRef::to_cell).collect()
    }
}

impl Cells for Row {
    fn count(&self) -> usize {
        match &self.0 {
            Kept::Placed(columns, _) => columns.get().len(),
            Kept::Own(cells) => cells.len(),
        }
    }

    fn cell(&self, place: usize) -> Option<CellRef<'_>> {
        match &self.0 {
            Kept::Placed(columns, at) => columns.get().get(place)?.cell(*at),
            Kept::Own(cells) => cells.cell(place),
        }
    }
}

impl From<Vec<Cell>> for Row {
    fn from(cells: Vec<Cell>) -> Self {
        Row(Kept::Own(cells.into()))
    }
}

impl FromIterator<Cell> for Row {
    fn from_iter<T: IntoIterator<Item = Cell>>(cells: T) -> Self {
        Row(Kept::Own(cells.into_iter().collect()))
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.count() == other.count() && self.cells().eq(other.cells())
    }
}

/// Shows lengths only, as [`Cell`] does.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.cells().map(CellRef::to_cell)).finish()
    }
}

/// The columns of many rows of a table, empty until they are closed.
#[derive(Debug, Default)]
struct Columns(OnceLock<Vec<Column>>);

impl Columns {
    fn get(&self) -> &[Column] {
        self.0.get().map(Vec::as_slice).unwrap_or_default()
    }
}

#[derive(Debug)]
struct Column {
    texts: BinaryViewArray,
    /// Not valid: missing. `None`: none is.
    known: Option<NullBuffer>,
}

impl Column {
    fn knows(&self, at: usize) -> bool {
        self.known.as_ref().is_none_or(|known| known.is_valid(at))
    }

    fn cell(&self, at: usize) -> Option<CellRef<'_>> {
        if at >= self.texts.len() {
            return None;
        }
        Some(match (self.knows(at), self.texts.is_null(at)) {
            (false, _) => CellRef::Missing,
            (true, true) => CellRef::Null,
            (true, false) => CellRef::Text(self.texts.value(at)),
        })
    }
}

/// Where a cell's text lies in the buffer that all rows of an entry share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellSpan {
    /// See [`Cell::Missing`].
    Missing,
    /// SQL NULL.
    Null,
    /// From the first byte to before the last.
    Text(usize, usize),
}

impl CellSpan {
    /// The cell, given the buffer; `None` if it does not lie in it.
    #[must_use]
    pub fn of(self, texts: &[u8]) -> Option<CellRef<'_>> {
        Some(match self {
            CellSpan::Missing => CellRef::Missing,
            CellSpan::Null => CellRef::Null,
            CellSpan::Text(begin, end) => CellRef::Text(texts.get(begin..end)?),
        })
    }
}

/// Writes rows into columns, for the length of one entry.
#[derive(Debug, Default)]
pub struct RowsWriter {
    open: Vec<Open>,
    /// Which of those is a table's, by the address of the table, which is kept there.
    places: HashMap<usize, usize>,
}

/// A table whose columns are written.
#[derive(Debug)]
struct Open {
    table: Arc<Table>,
    columns: Arc<Columns>,
    drafts: Vec<Draft>,
    rows: usize,
}

#[derive(Debug)]
struct Draft {
    views: Vec<u128>,
    valid: NullBufferBuilder,
    known: NullBufferBuilder,
}

impl RowsWriter {
    /// Appends a row of `table`, whose cells lie in `texts`. `None` if it has not the table's columns, or a
    /// cell lies elsewhere, or farther in than 4 GiB, where no view reaches.
    pub fn push(&mut self, table: &Arc<Table>, spans: &[CellSpan], texts: &[u8]) -> Option<Row> {
        let in_reach = |span: &CellSpan| match span {
            CellSpan::Text(_, end) => u32::try_from(*end).is_ok() && span.of(texts).is_some(),
            CellSpan::Missing | CellSpan::Null => true,
        };
        if spans.len() != table.columns.len() || !spans.iter().all(in_reach) {
            return None;
        }
        let open = self.open(table);
        let open = self.open.get_mut(open)?;
        for (draft, span) in open.drafts.iter_mut().zip(spans) {
            draft.push(*span, texts);
        }
        let at = open.rows;
        open.rows += 1;
        Some(Row(Kept::Placed(Arc::clone(&open.columns), at)))
    }

    fn open(&mut self, table: &Arc<Table>) -> usize {
        // Mostly the same table as before.
        if self.open.last().is_some_and(|open| Arc::ptr_eq(&open.table, table)) {
            return self.open.len() - 1;
        }
        let address = Arc::as_ptr(table).addr();
        if let Some(place) = self.places.get(&address) {
            return *place;
        }
        let drafts = table.columns.iter().map(|_| Draft::new()).collect();
        let (table, columns) = (Arc::clone(table), Arc::default());
        self.open.push(Open { table, columns, drafts, rows: 0 });
        self.places.insert(address, self.open.len() - 1);
        self.open.len() - 1
    }

    /// Closes all columns: from here on their rows can be read. `texts` is what their cells lie in.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`] if a view does not fit the texts.
    pub fn close(&mut self, texts: impl Into<Buffer>) -> Result<()> {
        self.places.clear();
        if self.open.is_empty() {
            return Ok(());
        }
        let texts: Arc<[Buffer]> = Arc::new([texts.into()]);
        for Open { table, columns, drafts, .. } in self.open.drain(..) {
            let closed = drafts.into_iter().map(|draft| draft.close(&texts));
            let closed = closed
                .collect::<std::result::Result<Vec<_>, _>>()
                .context(ErrorKind::Bug, || {
                    format!("rows of {} do not lie where they were read", table.name)
                })?;
            // Nobody else sets it.
            columns.0.get_or_init(|| closed);
        }
        Ok(())
    }
}

impl Draft {
    fn new() -> Self {
        let (valid, known) = (NullBufferBuilder::new(0), NullBufferBuilder::new(0));
        Self { views: Vec::new(), valid, known }
    }

    fn push(&mut self, span: CellSpan, texts: &[u8]) {
        self.known.append(span != CellSpan::Missing);
        let view = match span {
            CellSpan::Text(begin, end) => {
                let text = texts.get(begin..end).unwrap_or_default();
                Some(make_view(text, 0, u32::try_from(begin).unwrap_or(u32::MAX)))
            }
            CellSpan::Null | CellSpan::Missing => None,
        };
        self.valid.append(view.is_some());
        self.views.push(view.unwrap_or(0));
    }

    fn close(mut self, texts: &Arc<[Buffer]>) -> std::result::Result<Column, ArrowError> {
        let (views, valid) = (ScalarBuffer::from(self.views), self.valid.finish());
        let texts = BinaryViewArray::try_new(views, Arc::clone(texts), valid)?;
        Ok(Column { texts, known: self.known.finish() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Column, Kind, TableName};
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn table(width: usize) -> Arc<Table> {
        let column = |place: usize| Column {
            name: format!("c{place}"),
            source_type: "text".to_owned(),
            kind: Kind::Text,
            key: None,
        };
        Arc::new(Table {
            id: 1,
            name: TableName::new("public", "t"),
            columns: (0..width).map(column).collect(),
            cascades: Vec::new(),
            left_out: Vec::new(),
            rows: None,
        })
    }

    fn cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            Just(Cell::Null),
            Just(Cell::Missing),
            // Views hold twelve bytes themselves.
            vec(any::<u8>(), 0..30).prop_map(|bytes| Cell::Text(bytes.into())),
        ]
    }

    fn written(rows: &[Vec<Cell>], tables: &[Arc<Table>; 2]) -> Vec<Row> {
        let (mut writer, mut texts, mut written) = (RowsWriter::default(), Vec::new(), Vec::new());
        for (row, table) in rows.iter().zip(tables.iter().cycle()) {
            let span = |cell: &Cell| match cell {
                Cell::Missing => CellSpan::Missing,
                Cell::Null => CellSpan::Null,
                Cell::Text(text) => {
                    texts.extend_from_slice(text);
                    CellSpan::Text(texts.len() - text.len(), texts.len())
                }
            };
            let spans: Vec<CellSpan> = row.iter().map(span).collect();
            written.push(writer.push(table, &spans, &texts).unwrap());
        }
        writer.close(texts).unwrap();
        written
    }

    proptest! {
        #[test]
        fn rows_of_two_tables_are_read_as_they_were_written(
            rows in vec(vec(cell(), 3), 0..40)
        ) {
            let written = written(&rows, &[table(3), table(3)]);
            for (row, cells) in written.iter().zip(&rows) {
                prop_assert_eq!(&row.to_cells(), cells);
                prop_assert_eq!(row, &Row::from(cells.clone()));
                prop_assert_eq!(row.is_whole(), !cells.contains(&Cell::Missing));
                prop_assert!(row.cell(3).is_none());
            }
            prop_assert_eq!(written.len(), rows.len());
        }

        #[test]
        fn only_what_is_missing_is_taken_from_another_row(
            rows in vec(vec(cell(), 3), 2)
        ) {
            let rows_written = written(&rows, &[table(3), table(3)]);
            let filled = rows_written[0].or(&rows_written[1]).to_cells();
            for (place, cell) in filled.iter().enumerate() {
                let from = usize::from(rows[0][place] == Cell::Missing);
                prop_assert_eq!(cell, &rows[from][place]);
            }
        }
    }

    #[test]
    fn what_does_not_lie_in_the_texts_is_refused() {
        let mut writer = RowsWriter::default();
        let table = table(1);
        assert!(writer.push(&table, &[CellSpan::Text(0, 2)], b"a").is_none());
        assert!(writer.push(&table, &[CellSpan::Text(2, 1)], b"abc").is_none());
        assert!(writer.push(&table, &[], b"a").is_none());
        assert!(writer.push(&table, &[CellSpan::Null, CellSpan::Null], b"a").is_none());
        let kept = writer.push(&table, &[CellSpan::Text(0, 14)], b"fourteen bytes").unwrap();
        assert_eq!(kept.count(), 0, "nobody looks at a row before its entry is read");
        assert!(writer.close(b"thirteen byte".to_vec()).is_err(), "other texts");
        assert_eq!(kept.count(), 0);
    }
}
