//! Rows events to row changes: which columns an image carries, and each cell through its codec.
//!
//! What an image does not carry is [`CellSpan::Missing`], never NULL; for an update it is taken from
//! the other image where that has it, because a column the later image leaves out did not change.

use std::borrow::Cow;
use std::sync::Arc;

use super::codec::Codec;
use super::event::{self, RowsKind};
use super::json;
use super::reader::{Reader, bit};
use super::table_map::Plan;
use crate::change::rows::{CellSpan, RowsWriter};
use crate::change::{Change, Op, RowChange, Table};
use crate::error::Result;

/// The flag of a rows event under `foreign_key_checks = 0`.
const NO_FOREIGN_KEY_CHECKS: u16 = 2;

/// A rows event, its rows not looked at yet.
#[derive(Debug)]
pub(super) struct RowsEvent<'a> {
    kind: RowsKind,
    /// Whether foreign keys were in force: what they do to other rows is not in the log.
    cascades: bool,
    columns: usize,
    /// Which columns the first image carries, and the second one of an update.
    present: &'a [u8],
    present_after: &'a [u8],
    /// JSON may come as what changed in it (MySQL's PARTIAL_JSON).
    is_partial: bool,
    rows: Cow<'a, [u8]>,
}

/// Takes the header off; `None` if it is malformed or its rows cannot be inflated.
pub(super) fn parse(number: u8, body: &[u8]) -> Option<RowsEvent<'_>> {
    let (kind, v2, compressed) = event::rows_kind(number)?;
    let mut reader = Reader(body);
    // The table's number.
    reader.take(6)?;
    let cascades = reader.u16()? & NO_FOREIGN_KEY_CHECKS == 0;
    if v2 {
        let extra = usize::from(reader.u16()?).checked_sub(2)?;
        reader.take(extra)?;
    }
    let columns = reader.length()?;
    let present = reader.take(columns.div_ceil(8))?;
    let present_after = match kind {
        RowsKind::Update => reader.take(columns.div_ceil(8))?,
        _ => present,
    };
    let rows = match compressed {
        true => Cow::Owned(event::inflate(reader.0)?),
        false => Cow::Borrowed(reader.0),
    };
    let is_partial = number == event::kind::PARTIAL_UPDATE;
    Some(RowsEvent { kind, cascades, columns, present, present_after, is_partial, rows })
}

/// What rows are decoded into, for the length of a journal entry.
#[derive(Debug, Default)]
pub(super) struct Sheets {
    rows: RowsWriter,
    /// What all cells lie in.
    text: Vec<u8>,
    /// The cells of the row that is read, before and after the change.
    spans: [Vec<CellSpan>; 2],
}

impl Sheets {
    /// The entry is over: its rows can be looked at.
    ///
    /// # Errors
    /// See [`RowsWriter::close`].
    pub(super) fn close(&mut self) -> Result<()> {
        self.rows.close(std::mem::take(&mut self.text))
    }
}

/// Decodes all rows and appends their changes; `None` if a row cannot be read.
pub(super) fn decode(
    event: &RowsEvent<'_>,
    plan: &Plan,
    sheets: &mut Sheets,
    changes: &mut Vec<Change>,
) -> Option<()> {
    // An image without columns takes no bytes: it would never end. (Bits behind the last column say nothing.)
    let is_empty = !(0..plan.columns.len()).any(|place| bit(event.present, place));
    if event.columns != plan.columns.len() || is_empty {
        return None;
    }
    let Sheets { rows, text, spans: [first, second] } = sheets;
    let mut reader = Reader(&event.rows);
    while !reader.is_empty() {
        let before = reader;
        image(&mut reader, plan, event.present, None, (&mut *text, &mut *first))?;
        let (op, old, new) = match event.kind {
            RowsKind::Write => (Op::Insert, None, Some(&*first)),
            RowsKind::Delete => (Op::Delete, Some(&*first), None),
            RowsKind::Update => {
                let partial = match event.is_partial {
                    true => Partial::read(&mut reader, before, plan, event.present)?,
                    false => None,
                };
                let into = (&mut *text, &mut *second);
                image(&mut reader, plan, event.present_after, partial, into)?;
                let tells_more = update(&plan.table, first, second, text);
                (Op::Update, tells_more.then_some(&*first), Some(&*second))
            }
        };
        let mut push = |row: Option<&Vec<CellSpan>>| match row {
            Some(row) => rows.push(&plan.table, row, text).map(Some),
            None => Some(None),
        };
        let (old, new, cascades) = (push(old)?, push(new)?, event.cascades);
        let table = Arc::clone(&plan.table);
        changes.push(Change::Row(RowChange { table, op, old, new, cascades }));
    }
    Some(())
}

impl RowsEvent<'_> {
    /// Whether every image has all columns of the table. (Of an update the one before has what the one after
    /// leaves out: that did not change.)
    pub(super) fn tells_all(&self, plan: &Plan) -> bool {
        let mut columns = plan.columns.iter().enumerate();
        columns.all(|(place, (_, target))| target.is_none() || bit(self.present, place))
    }
}

/// Why rows of this plan cannot be read, in words.
pub(super) fn why_unread(plan: &Plan) -> String {
    let unknown: Vec<String> = plan
        .columns
        .iter()
        .filter(|(codec, place)| match codec {
            Codec::Opaque { .. } => place.is_some(),
            codec => matches!(codec, Codec::Unsupported(_)),
        })
        .map(|(codec, place)| {
            let column = place.and_then(|place| plan.table.columns.get(place));
            let name = column.map_or("?", |column| column.name.as_str());
            format!("{name} ({})", codec.spelling())
        })
        .collect();
    match unknown.is_empty() {
        true => "a value is malformed, its key is ambiguous in its character set, or the event is cut short"
            .to_owned(),
        false => format!("of columns whose type is not known: {}", unknown.join(", ")),
    }
}

/// Which JSON columns of an image come as what changed in them, and what they were.
struct Partial<'a> {
    /// Among the table's JSON columns.
    bits: &'a [u8],
    /// The binary values before, of all the table's columns.
    before: Vec<Option<&'a [u8]>>,
}

impl<'a> Partial<'a> {
    /// Reads the head of an image; `Some(None)` if all of its values are whole. `image` is what comes
    /// before it: the image before the update.
    fn read(
        reader: &mut Reader<'a>,
        mut image: Reader<'a>,
        plan: &Plan,
        present: &[u8],
    ) -> Option<Option<Self>> {
        if reader.length()? & 1 == 0 {
            return Some(None);
        }
        let is_json = |codec: &Codec| matches!(codec, Codec::Json { .. });
        let count = plan.columns.iter().filter(|(codec, _)| is_json(codec)).count();
        let bits = reader.take(count.div_ceil(8))?;
        let carried = (0..plan.columns.len()).filter(|place| bit(present, *place)).count();
        let nulls = image.take(carried.div_ceil(8))?;
        let mut before = vec![None; plan.columns.len()];
        let mut skipped = Vec::new();
        let places = (0..plan.columns.len()).filter(|place| bit(present, *place));
        for (rank, place) in places.enumerate() {
            let (codec, _) = plan.columns.get(place)?;
            match codec {
                _ if bit(nulls, rank) => {}
                Codec::Json { length_bytes } => {
                    *before.get_mut(place)? = Some(image.counted(usize::from(*length_bytes))?);
                }
                codec => codec.step_over(&mut image, &mut skipped)?,
            }
        }
        Some(Some(Self { bits, before }))
    }
}

fn image(
    reader: &mut Reader<'_>,
    plan: &Plan,
    present: &[u8],
    partial: Option<Partial<'_>>,
    (text, spans): (&mut Vec<u8>, &mut Vec<CellSpan>),
) -> Option<()> {
    let count = (0..plan.columns.len()).filter(|place| bit(present, *place)).count();
    let nulls = reader.take(count.div_ceil(8))?;
    spans.clear();
    spans.resize(plan.table.columns.len(), CellSpan::Missing);
    let (mut carried, mut jsons) = (0, 0);
    for (place, (codec, target)) in plan.columns.iter().enumerate() {
        let changes = match (codec, &partial) {
            (Codec::Json { length_bytes }, Some(partial)) => {
                jsons += 1;
                bit(partial.bits, jsons - 1).then_some((*length_bytes, partial.before.get(place)?))
            }
            _ => None,
        };
        if !bit(present, place) {
            continue;
        }
        let is_null = bit(nulls, carried);
        carried += 1;
        let begin = text.len();
        match changes {
            _ if is_null => {}
            None if target.is_none() => codec.step_over(reader, text)?,
            None => codec.decode(reader, text)?,
            Some((length_bytes, before)) => {
                let changes = reader.counted(usize::from(length_bytes))?;
                json::apply_diffs((*before)?, changes, text)?;
            }
        }
        match target.and_then(|target| spans.get_mut(target)) {
            Some(span) if is_null => *span = CellSpan::Null,
            Some(span) => *span = CellSpan::Text(begin, text.len()),
            None => text.truncate(begin),
        }
    }
    Some(())
}

/// Fills what the image after does not carry, because it did not change, from the one before. Whether
/// that is told: when it holds more than an unchanged key.
fn update(table: &Table, old: &[CellSpan], new: &mut [CellSpan], text: &[u8]) -> bool {
    for (after, before) in new.iter_mut().zip(old) {
        if *after == CellSpan::Missing {
            *after = *before;
        }
    }
    let is_key = |place: usize| table.columns.get(place).is_some_and(|column| column.key.is_some());
    old.iter().zip(new.iter()).enumerate().any(|(place, (before, after))| {
        *before != CellSpan::Missing && (!is_key(place) || before.of(text) != after.of(text))
    })
}
