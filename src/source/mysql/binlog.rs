//! Binlog events to transactions: pure, fed in journal order.
//!
//! A group of events becomes a transaction when it ends; an XA transaction only when it is
//! committed, at the position of its XA COMMIT. Foreign-key cascades that a server does not log are
//! not derived here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::dialect::Dialect;
use super::event::{self, Event, GroupEnd, kind};
use super::gtid::{self, GtidEvent, XaWord};
use super::rows;
use super::statement::{self, Effect, Mirrored};
use super::table_map::{self, Plan};
use crate::change::{
    BinlogPlace, Change, GtidSet, Position, Table, TableName, Transaction, TransactionId, Unread,
};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::source::decode::{self, Tables};
use crate::source::frame;

/// Decodes the log of one MariaDB or MySQL source.
#[derive(Debug)]
pub struct BinlogDecoder {
    dialect: Dialect,
    tables: HashMap<TableName, Arc<Table>>,
    mirrored: Mirrored,
    /// The last table map of each table and what it means; most repeat.
    plans: HashMap<TableName, (Bytes, Arc<Plan>)>,
    /// Prepared XA transactions by identity, with their changes.
    prepared: HashMap<Bytes, Vec<Change>>,
    /// Changes do not count, only which transactions there are: see
    /// [`crate::source::decode::Decoder::of_order`].
    is_of_order: bool,
    /// Where the next group begins, if that is what it is known by.
    beginning: Option<Box<BinlogPlace>>,
    group: Option<Box<Group>>,
    sheets: rows::Sheets,
}

/// The group in flight.
#[derive(Debug)]
struct Group {
    gtid: GtidEvent,
    /// If that is what it is known by.
    began_at: Option<BinlogPlace>,
    began_at_secs: u32,
    position: Option<Position>,
    /// Tables by the number that this group's rows name them by, each with its table map's frame.
    plans: HashMap<u64, (Bytes, Arc<Plan>)>,
    changes: Vec<Change>,
    /// How many changes there were at each savepoint.
    savepoints: Vec<(String, usize)>,
    /// What it does to an XA transaction.
    xa: Option<Xa>,
}

/// What a group does to an XA transaction.
#[derive(Debug)]
enum Xa {
    Prepares(Bytes),
    Commits(Bytes),
    RollsBack(Bytes),
}

impl BinlogDecoder {
    /// See [`crate::source::decode::Decoder::new`].
    #[must_use]
    pub fn new(tables: Tables, dialect: Dialect) -> Self {
        let mut decoder = Self {
            dialect,
            tables: tables.into_values().map(|table| (table.name.clone(), table)).collect(),
            mirrored: Mirrored::default(),
            plans: HashMap::new(),
            prepared: HashMap::new(),
            is_of_order: false,
            beginning: None,
            group: None,
            sheets: rows::Sheets::default(),
        };
        decoder.mirrored = decoder.tables.keys().collect();
        decoder
    }

    /// See [`crate::source::decode::Decoder::of_order`].
    pub(in crate::source) fn of_order(self) -> Self {
        Self { is_of_order: true, ..self }
    }

    /// See [`crate::source::decode::Decoder::feed`].
    ///
    /// # Errors
    /// Also [`ErrorKind::Gap`] if the log holds a statement that changed rows of a mirrored
    /// table without telling them, or the end of an XA transaction whose beginning was not fed.
    pub fn feed(&mut self, entry: Bytes) -> Result<Vec<Transaction>> {
        let whole = self.frames(entry);
        self.sheets.close()?;
        whole
    }

    fn frames(&mut self, mut entry: Bytes) -> Result<Vec<Transaction>> {
        let mut whole = Vec::new();
        while let Some(next) = frame::next(&mut entry) {
            let next = next.ok_or_else(|| malformed("a journal entry"))?;
            let body = next.slice(next.len().min(1)..);
            match next.first() {
                Some(&frame::SCHEMA) => self.schema(&body)?,
                Some(&frame::POSITION) => {
                    let position = position(&body)?;
                    if let Some(group) = &mut self.group {
                        group.position = Some(position);
                    }
                }
                Some(&frame::BEGINNING) => match position(&body)? {
                    Position::File(place) => self.beginning = Some(Box::new(place)),
                    _ => return Err(malformed("where a transaction begins")),
                },
                Some(&frame::BINLOG_EVENT) => {
                    let event = Event::parse(&body).ok_or_else(|| malformed("a binlog event"))?;
                    whole.extend(self.event(&event, &next)?);
                }
                _ => return Err(malformed("a frame")),
            }
        }
        Ok(whole)
    }

    /// See [`crate::source::decode::read_again`].
    pub(crate) fn within_a_transaction(dialect: Dialect) -> Self {
        let mut decoder = Self::new(Tables::new(), dialect);
        decoder.group = Some(Box::new(Group::new(GtidEvent::none(), 0)));
        decoder
    }

    /// See [`crate::source::decode::Decoder::take_open`].
    pub fn take_open(&mut self) -> Option<Transaction> {
        let group = self.group.as_mut()?;
        let id = group.id();
        Some(Transaction {
            id,
            position: group.position(),
            committed_at_micros: group.committed_at(group.began_at_secs),
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

    fn event(&mut self, event: &Event, frame: &Bytes) -> Result<Option<Transaction>> {
        if GtidEvent::is_one(event.kind) {
            // A group without an end is a tail that the journal dropped: it is sent again.
            let mut gtid = GtidEvent::parse(event).ok_or_else(|| malformed("a GTID event"))?;
            let began_at = self.beginning.take().map(|place| *place);
            match &began_at {
                Some(place) => gtid.id = TransactionId::from(place),
                None if event.kind == kind::ANONYMOUS_GTID => {
                    return Err(malformed("a transaction without a number or a place"));
                }
                None => {}
            }
            let group = Group { began_at, ..Group::new(gtid, event.timestamp_secs) };
            self.group = Some(Box::new(group));
            return Ok(None);
        }
        let Some(mut group) = self.group.take() else {
            return Err(malformed("an event outside a transaction"));
        };
        let mut text = None;
        match event.kind {
            kind::TABLE_MAP => self.table_map(event, frame, &mut group)?,
            kind::QUERY | kind::QUERY_COMPRESSED | kind::EXECUTE_LOAD_QUERY => {
                text = Some(self.statement(event, &mut group)?);
            }
            kind::XA_PREPARE if self.dialect == Dialect::Mysql => {
                let xid = gtid::prepared(event);
                let xid = xid.ok_or_else(|| group.unreadable("the end of an XA transaction"))?;
                group.xa = xid.map(Xa::Prepares);
            }
            number if event::rows_kind(number).is_some() => {
                rows_event(event, frame, &mut group, &mut self.sheets)?;
            }
            _ => {}
        }
        let mut end = event::group_end(event, text.as_deref(), group.gtid.is_standalone());
        if self.dialect == Dialect::Mysql && end == GroupEnd::No && group.position.is_some() {
            // A single statement. The last event is the one behind the word that says where it ends.
            end = GroupEnd::Commit;
        }
        match end {
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

    fn table_map(&mut self, event: &Event, frame: &Bytes, group: &mut Group) -> Result<()> {
        let (number, name) =
            table_map::peek(&event.body).ok_or_else(|| malformed("a table map"))?;
        let rest = table_map::shape(&event.body);
        if let Some((known, plan)) = self.plans.get(&name)
            && *known == rest
        {
            group.plans.insert(number, (frame.clone(), Arc::clone(plan)));
            return Ok(());
        }
        let table = self.tables.get(&name).ok_or_else(|| {
            let at = group.id();
            Error::new(ErrorKind::Decode, format!("no schema is known for table {name} at {at}"))
        })?;
        let log = table_map::parse(&event.body, self.dialect)
            .ok_or_else(|| group.unreadable(&format!("the table map of {name}")))?;
        let plan = table_map::bind(&log, table).ok_or_else(|| nameless(&name))?;
        let plan = Arc::new(plan);
        self.plans.insert(name, (rest, Arc::clone(&plan)));
        group.plans.insert(number, (frame.clone(), plan));
        Ok(())
    }

    fn statement(&self, event: &Event, group: &mut Group) -> Result<String> {
        let query = event::query(event).ok_or_else(|| group.unreadable("a statement"))?;
        if let (true, Some(xid)) = (group.gtid.is_completed_xa(), &group.gtid.xid) {
            let words: Vec<String> =
                query.text.split_whitespace().take(2).map(str::to_ascii_uppercase).collect();
            group.xa = Some(match words == ["XA", "ROLLBACK"] {
                true => Xa::RollsBack(xid.clone()),
                false => Xa::Commits(xid.clone()),
            });
            return Ok(query.text);
        }
        if self.dialect == Dialect::Mysql
            && let Some(word) = XaWord::of(&query.text)
        {
            match word {
                XaWord::Start | XaWord::End => {}
                XaWord::Commit(xid) => group.xa = Some(Xa::Commits(xid)),
                XaWord::Rollback(xid) => group.xa = Some(Xa::RollsBack(xid)),
            }
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
            Effect::Replaced(names) => {
                let tables = names.iter().filter_map(|name| self.tables.get(name)).cloned();
                group.changes.extend(tables.map(Change::Replaced));
            }
            Effect::Unknowable { what, why } => return Err(unknowable(&what, why, &group.id())),
        }
        Ok(query.text)
    }

    fn end(&mut self, event: &Event, group: Group) -> Result<Transaction> {
        let id = group.id();
        let position = group.position();
        let committed_at_micros = group.committed_at(event.timestamp_secs);
        let mut changes = group.changes;
        match group.xa {
            None => {}
            Some(Xa::Prepares(xid)) => {
                self.prepared.insert(xid, std::mem::take(&mut changes));
            }
            Some(Xa::Commits(xid)) => {
                let prepared = self.prepared.remove(&xid);
                if !self.is_of_order {
                    changes = prepared.ok_or_else(|| forgotten_xa(&id))?;
                }
            }
            Some(Xa::RollsBack(xid)) => drop(self.prepared.remove(&xid)),
        }
        Ok(Transaction { id, position, committed_at_micros, changes })
    }
}

impl Group {
    fn new(gtid: GtidEvent, began_at_secs: u32) -> Self {
        let prepared = gtid.xid.clone().filter(|_| gtid.is_prepared_xa());
        Self {
            xa: prepared.map(Xa::Prepares),
            gtid,
            began_at: None,
            began_at_secs,
            position: None,
            plans: HashMap::new(),
            changes: Vec::new(),
            savepoints: Vec::new(),
        }
    }

    fn id(&self) -> TransactionId {
        self.gtid.id
    }

    /// When it was committed, microseconds since 1970-01-01 UTC; `secs` is the time of its last event.
    fn committed_at(&self, secs: u32) -> i64 {
        self.gtid.committed_at_micros.unwrap_or(i64::from(secs) * 1_000_000)
    }

    /// Where the log continues after it, once it was told; the group itself until then.
    fn position(&self) -> Position {
        let own = || {
            if let Some(place) = &self.began_at {
                return Position::File(place.clone());
            }
            let mut own = match self.gtid.id {
                TransactionId::Tagged(..) => Position::Gtids(GtidSet::default()),
                _ => Position::Gtid(BTreeMap::new()),
            };
            own.advance(self.gtid.id);
            own
        };
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
        kind::XA_PREPARE => true,
        kind::QUERY | kind::QUERY_COMPRESSED | kind::EXECUTE_LOAD_QUERY => event::query(event)
            .is_some_and(|query| {
                let effect = statement::effect(&query, &Mirrored::default());
                let end = event::group_end(event, Some(&query.text), false);
                matches!(effect, Effect::RollbackTo(_))
                    || end == GroupEnd::Rollback
                    || XaWord::of(&query.text) == Some(XaWord::Start)
            }),
        _ => false,
    }
}

/// Why a row of a table without a key cannot be told from others.
const PARTIAL: &str = "it does not have all columns, by which alone a row without a key is known: a session wrote it \
                       with another binlog_row_image than FULL";

/// Rows that cannot be read are set aside with all of their event: where one of them ends, and the
/// next begins, is not known.
fn rows_event(
    event: &Event,
    frame: &Bytes,
    group: &mut Group,
    sheets: &mut rows::Sheets,
) -> Result<()> {
    let number = table_map::number(&event.body);
    let plan = number.and_then(|number| group.plans.get(&number)).cloned();
    let (map, plan) = plan.ok_or_else(|| group.unreadable("rows without a table map"))?;
    let before = group.changes.len();
    let mut why = match rows::parse(event.kind, &event.body) {
        None => "its header, or what it was compressed to, is malformed".to_owned(),
        Some(rows) if plan.table.is_keyless() && !rows.tells_all(&plan) => PARTIAL.to_owned(),
        Some(rows) => match rows::decode(&rows, &plan, sheets, &mut group.changes) {
            Some(()) => return Ok(()),
            None => rows::why_unread(&plan),
        },
    };
    group.changes.truncate(before);
    let mut frames = BytesMut::new();
    if plan.table.is_whole() {
        for one in [&frame::schema(&plan.table), &map, frame] {
            frame::push(&mut frames, one);
        }
    } else {
        // It may hold what is left out.
        why.push_str(decode::NOT_KEPT);
    }
    let (table, frames) = (Arc::clone(&plan.table), frames.freeze());
    group.changes.push(Change::Unread(Unread { table, why, frames }));
    Ok(())
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

fn position(text: &[u8]) -> Result<Position> {
    let position = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    position.ok_or_else(|| malformed("a position frame"))
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::Decode, format!("{what} is malformed"))
}

#[cfg(test)]
mod tests;
