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
    group: Option<Group>,
}

/// The group in flight.
#[derive(Debug)]
struct Group {
    gtid: GtidEvent,
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
            self.group = Some(Group::new(gtid));
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
            GroupEnd::Commit => self.end(event, group).map(Some),
            GroupEnd::Rollback => {
                group.changes.clear();
                self.end(event, group).map(Some)
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
            Effect::Unknowable { what, why } => return Err(unknowable(&what, why, &group.id())),
        }
        Ok(query.text)
    }

    fn end(&mut self, event: &Event, group: Group) -> Result<Transaction> {
        let id = group.id();
        let TransactionId::Gtid(domain, gtid) = id else { return Err(malformed("a position")) };
        let mut changes = group.changes;
        if let (true, Some(xid)) = (group.gtid.is_prepared_xa(), &group.gtid.xid) {
            self.prepared.insert(xid.clone(), std::mem::take(&mut changes));
        } else if let (true, Some(xid)) = (group.gtid.is_completed_xa(), &group.gtid.xid) {
            let prepared = self.prepared.remove(xid);
            if !group.rolls_back {
                changes = prepared.ok_or_else(|| forgotten_xa(&id))?;
            }
        }
        let position =
            group.position.unwrap_or_else(|| Position::Gtid(BTreeMap::from([(domain, gtid)])));
        let committed_at_micros = i64::from(event.timestamp_secs) * 1_000_000;
        Ok(Transaction { id, position, committed_at_micros, changes })
    }
}

impl Group {
    fn new(gtid: GtidEvent) -> Self {
        Self {
            gtid,
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
