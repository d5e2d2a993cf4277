//! Binlog events to transactions: pure, fed in journal order.
//!
//! A group of events becomes a transaction when it ends; an XA transaction only when it is
//! committed, at the position of its XA COMMIT. Foreign-key cascades, which MariaDB does not
//! log, are not derived here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::event::{self, Event, GroupEnd, GtidEvent, kind};
use super::rows;
use super::statement::{self, Effect, Mirrored};
use super::table_map::{self, Plan};
use crate::change::{Change, Position, Table, TableName, Transaction, TransactionId};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::source::decode::Tables;
use crate::source::frame;

/// Decodes the log of one MariaDB source.
#[derive(Debug)]
pub struct BinlogDecoder {
    tables: HashMap<TableName, Arc<Table>>,
    mirrored: Mirrored,
    /// The last table map of each table and what it means; most repeat.
    plans: HashMap<TableName, (Bytes, Arc<Plan>)>,
    /// Prepared XA transactions by identity, with their changes.
    prepared: HashMap<Bytes, Vec<Change>>,
    group: Option<Box<Group>>,
}

/// The group in flight.
#[derive(Debug)]
struct Group {
    gtid: GtidEvent,
    began_at_secs: u32,
    position: Option<Position>,
    /// Tables by the number that this group's rows name them by.
    plans: HashMap<u64, Arc<Plan>>,
    changes: Vec<Change>,
    /// How many changes there were at each savepoint.
    savepoints: Vec<(String, usize)>,
    /// It completes an XA transaction by rolling it back.
    rolls_back: bool,
}

impl BinlogDecoder {
    /// See [`crate::source::decode::Decoder::new`].
    #[must_use]
    pub fn new(tables: Tables) -> Self {
        let mut decoder = Self {
            tables: tables.into_values().map(|table| (table.name.clone(), table)).collect(),
            mirrored: Mirrored::default(),
            plans: HashMap::new(),
            prepared: HashMap::new(),
            group: None,
        };
        decoder.mirrored = decoder.tables.keys().collect();
        decoder
    }

    /// See [`crate::source::decode::Decoder::feed`].
    ///
    /// # Errors
    /// Also [`ErrorKind::Gap`] if the log holds a statement that changed rows of a mirrored
    /// table without telling them, or the end of an XA transaction whose beginning was not fed.
    pub fn feed(&mut self, mut entry: Bytes) -> Result<Vec<Transaction>> {
        let mut whole = Vec::new();
        while let Some(next) = frame::next(&mut entry) {
            let next = next.ok_or_else(|| malformed("a journal entry"))?;
            let body = next.slice(next.len().min(1)..);
            match next.first() {
                Some(&frame::SCHEMA) => self.schema(&body)?,
                Some(&frame::POSITION) => self.position(&body)?,
                Some(&frame::BINLOG_EVENT) => {
                    let event = Event::parse(&body).ok_or_else(|| malformed("a binlog event"))?;
                    whole.extend(self.event(&event)?);
                }
                _ => return Err(malformed("a frame")),
            }
        }
        Ok(whole)
    }

    /// See [`crate::source::decode::Decoder::take_open`].
    pub fn take_open(&mut self) -> Option<Transaction> {
        let group = self.group.as_mut()?;
        let id = group.id();
        Some(Transaction {
            id,
            position: group.position(),
            committed_at_micros: micros(group.began_at_secs),
            changes: std::mem::take(&mut group.changes),
        })
    }

    /// See [`crate::source::decode::Decoder::prepared`].
    pub fn prepared(&self) -> impl Iterator<Item = &Bytes> {
        self.prepared.keys()
    }

    /// See [`crate::source::decode::Decoder::adopt`].
    pub fn adopt(&mut self, other: &mut Self, xid: &Bytes) -> bool {
        match other.prepared.remove(xid) {
            Some(changes) => self.prepared.insert(xid.clone(), changes).is_none(),
            None => false,
        }
    }

    fn schema(&mut self, json: &[u8]) -> Result<()> {
        let table: Table = serde_json::from_slice(json)
            .context(ErrorKind::Decode, || "could not read a schema frame".to_owned())?;
        self.plans.remove(&table.name);
        self.tables.insert(table.name.clone(), Arc::new(table));
        self.mirrored = self.tables.keys().collect();
        Ok(())
    }

    fn position(&mut self, text: &[u8]) -> Result<()> {
        let position = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        let position = position.ok_or_else(|| malformed("a position frame"))?;
        if let Some(group) = &mut self.group {
            group.position = Some(position);
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<Option<Transaction>> {
        if event.kind == kind::GTID {
            // A group without an end is a tail that the journal dropped: it is sent again.
            let gtid = GtidEvent::parse(event).ok_or_else(|| malformed("a GTID event"))?;
            self.group = Some(Box::new(Group::new(gtid, event.timestamp_secs)));
            return Ok(None);
        }
        let Some(mut group) = self.group.take() else {
            return Err(malformed("an event outside a transaction"));
        };
        let mut text = None;
        match event.kind {
            kind::TABLE_MAP => self.table_map(event, &mut group)?,
            kind::QUERY | kind::QUERY_COMPRESSED | kind::EXECUTE_LOAD_QUERY => {
                text = Some(self.statement(event, &mut group)?);
            }
            number if event::rows_kind(number).is_some() => rows_event(event, &mut group)?,
            _ => {}
        }
        match event::group_end(event, text.as_deref(), group.gtid.is_standalone()) {
            GroupEnd::No => {
                self.group = Some(group);
                Ok(None)
            }
            GroupEnd::Commit => self.end(event, *group).map(Some),
            GroupEnd::Rollback => {
                group.changes.clear();
                self.end(event, *group).map(Some)
            }
        }
    }

    fn table_map(&mut self, event: &Event, group: &mut Group) -> Result<()> {
        let (number, name) =
            table_map::peek(&event.body).ok_or_else(|| malformed("a table map"))?;
        // The number changes with every flush; the rest rarely does.
        let rest = event.body.slice(6.min(event.body.len())..);
        if let Some((known, plan)) = self.plans.get(&name)
            && *known == rest
        {
            group.plans.insert(number, Arc::clone(plan));
            return Ok(());
        }
        let table = self.tables.get(&name).ok_or_else(|| {
            let at = group.id();
            Error::new(ErrorKind::Decode, format!("no schema is known for table {name} at {at}"))
        })?;
        let log = table_map::parse(&event.body)
            .ok_or_else(|| group.unreadable(&format!("the table map of {name}")))?;
        let plan = table_map::bind(&log, table).ok_or_else(|| nameless(&name))?;
        let plan = Arc::new(plan);
        self.plans.insert(name, (rest, Arc::clone(&plan)));
        group.plans.insert(number, plan);
        Ok(())
    }

    fn statement(&self, event: &Event, group: &mut Group) -> Result<String> {
        let query = event::query(event).ok_or_else(|| group.unreadable("a statement"))?;
        if group.gtid.is_completed_xa() {
            let words: Vec<String> =
                query.text.split_whitespace().take(2).map(str::to_ascii_uppercase).collect();
            group.rolls_back = words == ["XA", "ROLLBACK"];
            return Ok(query.text);
        }
        match statement::effect(&query, &self.mirrored) {
            Effect::None | Effect::Reshaped => {}
            Effect::Savepoint(name) => group.savepoints.push((name, group.changes.len())),
            Effect::RollbackTo(name) => group.roll_back_to(&name),
            Effect::Emptied(names) => {
                let tables: Vec<Arc<Table>> =
                    names.iter().filter_map(|name| self.tables.get(name)).cloned().collect();
                group.changes.push(Change::Truncate(tables));
            }
            Effect::Doubted(names) => {
                let tables = names.iter().filter_map(|name| self.tables.get(name)).cloned();
                group.changes.extend(tables.map(Change::Doubted));
            }
            Effect::Unknowable { what, why } => return Err(unknowable(&what, why, &group.id())),
        }
        Ok(query.text)
    }

    fn end(&mut self, event: &Event, group: Group) -> Result<Transaction> {
        let id = group.id();
        let position = group.position();
        let mut changes = group.changes;
        if let (true, Some(xid)) = (group.gtid.is_prepared_xa(), &group.gtid.xid) {
            self.prepared.insert(xid.clone(), std::mem::take(&mut changes));
        } else if let (true, Some(xid)) = (group.gtid.is_completed_xa(), &group.gtid.xid) {
            let prepared = self.prepared.remove(xid);
            if !group.rolls_back {
                changes = prepared.ok_or_else(|| forgotten_xa(&id))?;
            }
        }
        let committed_at_micros = micros(event.timestamp_secs);
        Ok(Transaction { id, position, committed_at_micros, changes })
    }
}

impl Group {
    fn new(gtid: GtidEvent, began_at_secs: u32) -> Self {
        Self {
            gtid,
            began_at_secs,
            position: None,
            plans: HashMap::new(),
            changes: Vec::new(),
            savepoints: Vec::new(),
            rolls_back: false,
        }
    }

    fn id(&self) -> TransactionId {
        TransactionId::Gtid(self.gtid.domain, self.gtid.gtid)
    }

    /// Where the log continues after it, once it was told; the group itself until then.
    fn position(&self) -> Position {
        let own = || Position::Gtid(BTreeMap::from([(self.gtid.domain, self.gtid.gtid)]));
        self.position.clone().unwrap_or_else(own)
    }

    fn roll_back_to(&mut self, name: &str) {
        let mark = self.savepoints.iter().rposition(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some((place, (_, changes))) =
            mark.and_then(|place| Some((place, self.savepoints.get(place)?)))
        {
            self.changes.truncate(*changes);
            self.savepoints.truncate(place + 1);
        }
    }

    fn unreadable(&self, what: &str) -> Error {
        Error::new(ErrorKind::Decode, format!("could not read {what} at {}", self.id()))
    }
}

/// See [`crate::source::decode::is_divisible`]. What cannot be read is left to the decoder.
pub fn is_divisible(entry: &Bytes) -> bool {
    let mut entry = entry.clone();
    while let Some(Some(next)) = frame::next(&mut entry) {
        if next.first() == Some(&frame::BINLOG_EVENT)
            && Event::parse(&next.slice(1..)).is_some_and(|event| takes_back(&event))
        {
            return false;
        }
    }
    true
}

/// Rows of a prepared XA transaction stay open; savepoints and rollbacks (they are in the log where
/// tables that cannot roll back were written, too) take rows back.
fn takes_back(event: &Event) -> bool {
    match event.kind {
        kind::GTID => GtidEvent::parse(event).is_some_and(|gtid| gtid.is_prepared_xa()),
        kind::QUERY | kind::QUERY_COMPRESSED => event::query(event).is_some_and(|query| {
            let effect = statement::effect(&query, &Mirrored::default());
            let end = event::group_end(event, Some(&query.text), false);
            matches!(effect, Effect::RollbackTo(_)) || end == GroupEnd::Rollback
        }),
        _ => false,
    }
}

fn rows_event(event: &Event, group: &mut Group) -> Result<()> {
    let rows = rows::parse(event.kind, &event.body);
    let number = table_map::number(&event.body);
    let plan = number.and_then(|number| group.plans.get(&number)).cloned();
    let (Some(rows), Some(plan)) = (rows, plan) else {
        return Err(group.unreadable("rows without a table map"));
    };
    rows::decode(&rows, &plan, &mut group.changes)
        .ok_or_else(|| group.unreadable(&format!("a row of table {}", plan.table.name)))
}

fn micros(secs: u32) -> i64 {
    i64::from(secs) * 1_000_000
}

/// The error for a statement that may have changed rows of ours.
pub(super) fn unknowable(what: &str, why: &str, at: &TransactionId) -> Error {
    Error::new(ErrorKind::Gap, format!("{what} was changed by {why} at {at}"))
        .hint("copy the table again; keep binlog_format = ROW in every session")
}

/// The error for a log without full metadata.
pub(super) fn nameless(table: &TableName) -> Error {
    let what = format!("the log carries no column names for table {table}");
    Error::new(ErrorKind::Gap, what)
        .hint("SET GLOBAL binlog_row_metadata = FULL, then copy the table again")
}

fn forgotten_xa(at: &TransactionId) -> Error {
    let what = format!("the XA transaction committed at {at} was prepared before we read the log");
    Error::new(ErrorKind::Gap, what).hint("copy the source again while XA RECOVER lists nothing")
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::Decode, format!("{what} is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{BufMut, BytesMut};
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn event(number: u8, body: &[u8]) -> Vec<u8> {
        let mut event = vec![frame::BINLOG_EVENT, 0, 0, 0, 0, number, 1, 0, 0, 0];
        event.extend([0; 10]);
        event.extend(body);
        event
    }

    fn entry(frames: &[Vec<u8>]) -> Bytes {
        let mut entry = BytesMut::new();
        for each in frames {
            frame::push(&mut entry, each);
        }
        entry.freeze()
    }

    fn gtid(flags: u8, xid: &[u8]) -> Vec<u8> {
        let mut body = BytesMut::new();
        body.put_u64_le(42);
        body.put_u32_le(7);
        body.put_u8(flags);
        body.put_slice(xid);
        event(kind::GTID, &body)
    }

    /// A table map of `hr.t (id int, at datetime(6), n decimal(5,2))` with all names.
    fn table_map() -> Vec<u8> {
        let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0, 2, b'h', b'r', 0, 1, b't', 0, 3, 3, 18, 246];
        body.extend([3, 6, 5, 2, 6, 1, 1, 0, 4, 8, 2, b'i', b'd', 2, b'a', b't', 1, b'n']);
        body.extend([8, 1, 0]);
        body
    }

    fn schema() -> Vec<u8> {
        let log = table_map::parse(&table_map()).unwrap();
        let name = TableName::new("hr", "t");
        let known = Table { id: 1, name, columns: Vec::new(), cascades: Vec::new() };
        frame::schema(&table_map::merge(&log, &known).unwrap()).to_vec()
    }

    #[test]
    fn a_group_without_an_end_is_dropped_when_the_next_begins() {
        let row = [9, 0, 0, 0, 0, 0, 1, 0, 3, 1, 0, 5, 0, 0, 0];
        let group = [gtid(0, &[]), schema(), event(kind::TABLE_MAP, &table_map()), event(23, &row)];
        let mut decoder = BinlogDecoder::new(Tables::new());
        assert_eq!(decoder.feed(entry(&group)).unwrap(), []);
        let position = [&b"p"[..], b"gtid:7-1-42"].concat();
        let end = [position, event(kind::XID, &[0; 8])];
        let whole = decoder.feed(entry(&[&group[..], &end].concat())).unwrap();
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].changes.len(), 1);
        assert_eq!(whole[0].position.to_string(), "gtid:7-1-42");
        assert_eq!(whole[0].id.to_string(), "gtid:7-1-42");
    }

    fn query(text: &str) -> Vec<u8> {
        let head = [0; 13];
        event(kind::QUERY, &[&head[..], &[0], text.as_bytes()].concat())
    }

    #[test]
    fn a_group_can_be_taken_in_slices() {
        let row = |id| event(23, &[9, 0, 0, 0, 0, 0, 1, 0, 3, 1, 0, id, 0, 0, 0]);
        let begin = [gtid(0, &[]), schema(), event(kind::TABLE_MAP, &table_map()), row(1)];
        let mut decoder = BinlogDecoder::new(Tables::new());
        assert!(decoder.take_open().is_none());
        assert_eq!(decoder.feed(entry(&begin)).unwrap(), []);
        let first = decoder.take_open().unwrap();
        decoder.feed(entry(&[row(2), row(3)])).unwrap();
        let second = decoder.take_open().unwrap();
        let rest = decoder.feed(entry(&[row(4), event(kind::XID, &[0; 8])])).unwrap();
        let slices = [&first, &second, &rest[0]];
        assert_eq!(slices.map(|slice| slice.changes.len()), [1, 2, 1]);
        assert!(slices.iter().all(|slice| slice.id == first.id));
        assert!(slices.iter().all(|slice| slice.committed_at_micros == 0));
    }

    #[test]
    fn a_group_that_takes_something_back_is_not_sliced() {
        let xid = [1, 0, 0, 0, 1, 1, 1, 1];
        let judged = |frames: &[Vec<u8>]| is_divisible(&entry(frames));
        assert!(judged(&[gtid(0, &[]), schema(), query("SAVEPOINT `a`"), query("COMMIT")]));
        assert!(!judged(&[schema(), query("ROLLBACK TO `a`")]));
        assert!(!judged(&[query("ROLLBACK")]));
        assert!(!judged(&[gtid(64, &xid)]), "prepared");
        assert!(judged(&[gtid(128, &xid)]), "committed");
        assert!(judged(&[event(kind::QUERY, &[1]), vec![9], vec![]]), "unreadable");
    }

    #[test]
    fn rows_without_their_table_are_an_error_that_names_the_place() {
        let row = [9, 0, 0, 0, 0, 0, 1, 0, 3, 1, 0, 5, 0, 0, 0];
        let mut decoder = BinlogDecoder::new(Tables::new());
        let error = decoder.feed(entry(&[gtid(0, &[]), event(23, &row)])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.chain().contains("gtid:7-1-42"), "{}", error.chain());
        let short = [schema(), gtid(0, &[]), event(kind::TABLE_MAP, &table_map())];
        let cut = event(23, row.get(..13).unwrap());
        let mut decoder = BinlogDecoder::new(Tables::new());
        let error = decoder.feed(entry(&[&short[..], &[cut]].concat())).unwrap_err();
        assert!(error.chain().contains("a row of table hr.t"), "{}", error.chain());
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_a_panic(
            frames in vec((any::<u8>(), vec(any::<u8>(), 0..80)), 1..6),
            flags in any::<u8>(),
        ) {
            let mut all = vec![gtid(flags, &[1, 0, 0, 0, 1, 1, 1, 1]), schema()];
            all.extend(frames.iter().map(|(number, body)| event(*number, body)));
            BinlogDecoder::new(Tables::new()).feed(entry(&all)).ok();
        }

        #[test]
        fn damaged_tables_and_rows_are_refused_without_a_panic(
            place in 0_usize..60,
            byte in any::<u8>(),
            kinds in 23_u8..32,
            row in vec(any::<u8>(), 0..60),
        ) {
            let mut map = table_map();
            let length = map.len();
            map[place % length] = byte;
            let rows = [&[9, 0, 0, 0, 0, 0, 1, 0, 3, 7, 7][..], &row].concat();
            let all =
                [schema(), gtid(0, &[]), event(kind::TABLE_MAP, &map), event(kinds, &rows)];
            BinlogDecoder::new(Tables::new()).feed(entry(&all)).ok();
        }
    }
}
