//! The log of a MariaDB or MySQL source as frames.
//!
//! It keeps whole groups of events together, drops rows of tables that are not mirrored and
//! statements that change no rows of ours, and reads the catalog when a table is first met. It
//! decodes no row: nothing here fails on a value.
//!
//! ```text
//! server ──events──► accept ──► ready: Frame* … Frame(p) Frame End   a group that touches us
//!                      │               Idle                          any other group, heartbeats
//!                      └─ what names a table not met yet waits in `held` for the catalog
//! ```

mod by_place;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use mysql_async::binlog::events::Event as RawEvent;
use tokio::task::JoinHandle;

use super::dialect::Dialect;
use super::event::{self, Event, FLAG_ARTIFICIAL, FLAG_IGNORABLE, GroupEnd, kind};
use super::gtid::{self, GtidEvent, XaWord};
use super::log::Log;
use super::place::Place;
use super::session::Address;
use super::statement::{self, Effect, Mirrored};
use super::unlogged::Unlogged;
use super::witness::{Testimony, Witness};
use super::{binlog, schemas, table_map};
use crate::change::{BinlogPlace, Position, Reached, Table, TableName, TransactionId};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::source::{Captured, frame};

/// An open log.
pub struct MysqlStream {
    address: Address,
    log: Log,
    mirrored: Mirrored,
    /// Tables whose schema this connection has handed over, and no statement changed since; each with
    /// the shape that the log showed, empty if a statement named it.
    met: HashMap<TableName, Bytes>,
    /// The end of the last whole group handed over.
    position: Position,
    /// What the last whole group looked like, once one was read.
    witness: Option<Witness>,
    /// Where in the server's binlog files it is.
    place: Place,
    /// MySQL: what never comes in the log.
    unlogged: Option<Unlogged>,
    group: Option<InFlight>,
    /// Bytes of events of a compressed transaction that are still to come.
    unpacked: u64,
    ready: VecDeque<Captured>,
    /// An event that must not be handed over before schemas that are being read.
    held: Option<Held>,
    is_open: bool,
    confirmed: Mutex<Option<Position>>,
}

/// The group in flight.
struct InFlight {
    gtid: GtidEvent,
    /// The event that began it, until something of it is handed over.
    begin: Option<Bytes>,
    /// Where it began, if that is what it is known by.
    began_at: Option<BinlogPlace>,
    /// MySQL: it is more than one statement.
    has_begun: bool,
    /// Log numbers of the tables whose rows are handed over.
    wanted: HashSet<u64>,
    testimony: Option<Testimony>,
}

/// An event and the schemas it waits for.
struct Held {
    frame: Bytes,
    names: Vec<TableName>,
    /// Runs on its own, so that a caller who keeps dropping its calls still gets on.
    reading: JoinHandle<Result<Vec<Table>>>,
}

impl MysqlStream {
    /// Asks for the log after `start`.
    pub(super) async fn open(
        address: Address,
        start: &Position,
        tables: &[TableName],
    ) -> Result<Self> {
        let log = Log::open(address.clone(), start).await?;
        let has_unlogged = matches!(start, Position::Gtids(_));
        Ok(Self {
            log,
            mirrored: tables.iter().collect(),
            met: HashMap::new(),
            position: start.clone(),
            witness: None,
            place: Place::default(),
            unlogged: has_unlogged.then(|| Unlogged::new(address.clone())),
            group: None,
            unpacked: 0,
            ready: VecDeque::new(),
            held: None,
            is_open: false,
            confirmed: Mutex::new(None),
            address,
        })
    }

    /// See [`crate::source::Stream::next`].
    ///
    /// # Errors
    /// See there. [`ErrorKind::Gap`] if the server no longer has the log from our position on, or
    /// if the log holds a statement that changed rows of a mirrored table without telling them.
    pub async fn next(&mut self) -> Result<Captured> {
        loop {
            if let Some(captured) = self.ready.pop_front() {
                return Ok(captured);
            }
            if let Some(held) = &mut self.held {
                let read = (&mut held.reading).await;
                if let Some(held) = self.held.take() {
                    self.release(held, read)?;
                }
                continue;
            }
            // What was packed into another event has no checksum of its own.
            let raw = self.log.next(self.unpacked > 0).await?;
            self.accept(&raw)?;
        }
    }

    /// See [`crate::source::Stream::confirm`]. MariaDB keeps its log by time and is told nothing.
    pub fn confirm(&self, position: &Position) {
        *self.confirmed.lock().unwrap_or_else(PoisonError::into_inner) = Some(position.clone());
    }

    /// What was confirmed last.
    pub fn confirmed(&self) -> Option<Position> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn accept(&mut self, raw: &RawEvent) -> Result<()> {
        let frame = event::frame(raw);
        let event = self.parsed(&frame)?;
        if self.unpacked > 0 {
            return self.unpack(&event, raw.header().event_size(), frame);
        }
        let began_at = self.go_on(raw, &event)?;
        if began_at.is_some() && self.is_read_already() {
            if event.kind == kind::TRANSACTION_PAYLOAD {
                self.unpacked = self.packed(&event)?;
            }
            return Ok(());
        }
        match event.kind {
            kind::FORMAT_DESCRIPTION if !self.is_open => {
                self.is_open = true;
                self.idle();
            }
            kind::HEARTBEAT | kind::HEARTBEAT_V2 if self.group.is_none() => self.idle(),
            kind::GTID_LIST if event.flags & FLAG_ARTIFICIAL == 0 => {
                gtid::check_list(&event, &self.position)?;
            }
            kind::PREVIOUS_GTIDS if self.follows_files() => {
                // It tells files of one name apart, by when they were made.
                self.witness = Testimony::begin(&self.place.file, &frame).map(Testimony::finish);
            }
            kind::PREVIOUS_GTIDS => gtid::check_set(&event, &self.position)?,
            kind::ANONYMOUS_GTID if !self.follows_files() => {
                let what = "the log holds a transaction without a GTID".to_owned();
                return Err(Error::new(ErrorKind::Gap, what).hint(
                    "SET GLOBAL gtid_mode = ON (over OFF_PERMISSIVE and ON_PERMISSIVE), then copy the \
                     source again",
                ));
            }
            number if GtidEvent::is_one(number) => self.begin(&event, frame, began_at)?,
            kind::INCIDENT => {
                let what = "the server lost events of its own log (an incident event)".to_owned();
                return Err(Error::new(ErrorKind::Gap, what).hint("copy the source again"));
            }
            kind::ROTATE => self.place = Place::named(raw),
            kind::FORMAT_DESCRIPTION
            | kind::STOP
            | kind::CHECKPOINT
            | kind::START_ENCRYPTION
            | kind::HEARTBEAT
            | kind::HEARTBEAT_V2
            | kind::GTID_LIST => {}
            _ => {
                let testimony = self.group.as_mut().and_then(|group| group.testimony.as_mut());
                if let Some(testimony) = testimony {
                    testimony.add(&frame);
                }
                if event.kind == kind::TRANSACTION_PAYLOAD {
                    self.unpacked = self.packed(&event)?;
                    return Ok(());
                }
                self.in_group(&event, frame)?;
            }
        }
        self.give_up_unlogged();
        Ok(())
    }

    /// What was executed and is not in the log by the place where it would have to be is not waited for.
    fn give_up_unlogged(&mut self) {
        let (Some(unlogged), Position::Gtids(read), None) =
            (&mut self.unlogged, &mut self.position, &self.group)
        else {
            return;
        };
        let Some(executed) = unlogged.passed(&self.place, read) else { return };
        let before = read.count();
        read.extend(&executed);
        let (source, count) = (self.address.source(), read.count() - before);
        tracing::warn!(source, count, "transactions were executed and are not in the log");
        self.idle();
    }

    /// An event of a compressed transaction. The client unpacks it and says nothing where it cannot:
    /// then the log goes on without these events.
    fn unpack(&mut self, event: &Event, bytes: u32, frame: Bytes) -> Result<()> {
        let left = self.unpacked.checked_sub(u64::from(bytes));
        let is_of_another = GtidEvent::is_one(event.kind)
            || matches!(
                event.kind,
                kind::HEARTBEAT | kind::HEARTBEAT_V2 | kind::ROTATE | kind::STOP
            );
        match left {
            Some(left) if !is_of_another => self.unpacked = left,
            _ => return Err(self.unreadable("a compressed transaction")),
        }
        if self.is_read_already() {
            return Ok(());
        }
        self.in_group(event, frame)
    }

    fn hold(&mut self, event: &Event, frame: Bytes, names: Vec<TableName>) {
        let reading = schemas::read(self.address.clone(), event.clone(), names.clone());
        self.held = Some(Held { frame, names, reading: tokio::spawn(reading) });
    }

    /// Hands over the schemas that were read, then the event that waited for them.
    fn release(
        &mut self,
        held: Held,
        read: std::result::Result<Result<Vec<Table>>, tokio::task::JoinError>,
    ) -> Result<()> {
        let tables = read.context(ErrorKind::Bug, || "reading a schema failed".to_owned())??;
        let event = self.parsed(&held.frame)?;
        let shape = match event.kind {
            kind::TABLE_MAP => table_map::shape(&event.body),
            _ => Bytes::new(),
        };
        self.met.extend(held.names.into_iter().map(|name| (name, shape.clone())));
        self.hand_over_begin();
        for table in tables {
            let schema = frame::schema(&table);
            // A table that is gone has no schema to remember.
            if !table.columns.is_empty() {
                self.ready.push_back(Captured::Schema(Arc::new(table)));
            }
            self.ready.push_back(Captured::Frame(schema));
        }
        self.in_group(&event, held.frame)
    }

    fn parsed(&self, frame: &Bytes) -> Result<Event> {
        Event::parse(&frame.slice(1..)).ok_or_else(|| self.unreadable("an event"))
    }

    /// How many bytes of events are packed into one.
    fn packed(&self, event: &Event) -> Result<u64> {
        let what = || self.unreadable("the head of a compressed transaction");
        gtid::payload_bytes(event).ok_or_else(what)
    }

    fn idle(&mut self) {
        self.move_on();
        let reached = self.reached();
        self.ready.push_back(Captured::Idle(reached));
    }

    fn reached(&self) -> Reached {
        let witness = self.witness.as_ref().map(ToString::to_string);
        Reached { position: self.position.clone(), witness }
    }

    fn begin(&mut self, event: &Event, frame: Bytes, began_at: Option<BinlogPlace>) -> Result<()> {
        let mut gtid = GtidEvent::parse(event).ok_or_else(|| self.unreadable("a GTID event"))?;
        if let Some(place) = &began_at {
            gtid.id = TransactionId::from(place);
        }
        if self.position.includes(gtid.id) != Some(false) {
            let (id, here) = (gtid.id, &self.position);
            let what = format!("{id} comes after {here}: the log's order is ambiguous");
            return Err(Error::new(ErrorKind::Gap, what).hint(
                "let one server alone write to each domain (MariaDB: SET GLOBAL gtid_strict_mode = \
                 ON), then copy the source again",
            ));
        }
        // A server that crashed leaves a group without an end, which never happened. If a part
        // of it was handed over, the decoder drops it when it meets this one's beginning.
        let tail = self.group.take().is_some_and(|group| group.begin.is_none());
        // The end of an XA transaction must find its beginning: all of them are handed over.
        let is_wanted = tail || gtid.is_prepared_xa() || gtid.is_completed_xa();
        // A place beyond could not be asked for to look at it again.
        let is_near = u32::try_from(self.place.offset).is_ok();
        let testimony = is_near.then(|| Testimony::begin(&self.place.file, &frame)).flatten();
        self.group = Some(InFlight {
            gtid,
            begin: Some(frame),
            began_at,
            has_begun: false,
            wanted: HashSet::new(),
            testimony,
        });
        if is_wanted {
            self.hand_over_begin();
        }
        Ok(())
    }

    fn hand_over_begin(&mut self) {
        let Some(group) = &mut self.group else { return };
        if let Some(begin) = group.begin.take() {
            let place = group.began_at.take().map(Position::File);
            let said = place.map(|place| said(frame::BEGINNING, &place));
            self.ready.extend(said.into_iter().chain([begin]).map(Captured::Frame));
        }
    }

    fn in_group(&mut self, event: &Event, frame: Bytes) -> Result<()> {
        let Some(group) = &mut self.group else {
            return Err(self.unreadable("an event outside a transaction"));
        };
        let mut standalone = match self.address.dialect() {
            Dialect::Mariadb => group.gtid.is_standalone(),
            Dialect::Mysql => !group.has_begun,
        };
        let mut text = None;
        let is_wanted = match event.kind {
            kind::TABLE_MAP => match table_map::peek(&event.body) {
                Some((number, name)) if self.mirrored.contains(&name) => {
                    group.wanted.insert(number);
                    // It may have been altered without a word in the log (sql_log_bin = 0).
                    if self.met.get(&name) != Some(&table_map::shape(&event.body)) {
                        self.hold(event, frame, vec![name]);
                        return Ok(());
                    }
                    true
                }
                Some(_) => false,
                None => return Err(self.unreadable("a table map")),
            },
            kind::QUERY | kind::QUERY_COMPRESSED | kind::EXECUTE_LOAD_QUERY => {
                let query = event::query(event).ok_or_else(|| self.unreadable("a statement"))?;
                standalone &= !self.begins(&query.text);
                let effect = self.effect(&query)?;
                // The decoder names the tables of a statement by their schemas.
                if let Effect::Emptied(names) | Effect::Doubted(names) | Effect::Replaced(names) =
                    &effect
                {
                    let unmet = names.iter().filter(|name| !self.met.contains_key(*name));
                    let unmet: Vec<TableName> = unmet.cloned().collect();
                    if !unmet.is_empty() {
                        self.hold(event, frame, unmet);
                        return Ok(());
                    }
                }
                if !matches!(effect, Effect::None | Effect::Savepoint(_) | Effect::RollbackTo(_)) {
                    self.met.clear();
                }
                text = Some(query.text);
                effect != Effect::None
            }
            number if event::rows_kind(number).is_some() => {
                table_map::number(&event.body).is_some_and(|number| group.wanted.contains(&number))
            }
            // Of a group that is handed over.
            kind::XA_PREPARE => group.begin.is_none(),
            number if event::is_silent(number) || event.flags & FLAG_IGNORABLE != 0 => false,
            number => {
                let what = format!("the log holds an event of type {number}, which is unknown");
                return Err(Error::new(ErrorKind::Setup, what).hint("update Trueup"));
            }
        };
        if is_wanted {
            self.hand_over_begin();
        }
        match event::group_end(event, text.as_deref(), standalone) {
            GroupEnd::No if is_wanted => self.ready.push_back(Captured::Frame(frame)),
            GroupEnd::No => {}
            GroupEnd::Commit | GroupEnd::Rollback => self.end(frame),
        }
        Ok(())
    }

    fn end(&mut self, frame: Bytes) {
        let Some(group) = self.group.take() else { return };
        self.position.advance(group.gtid.id);
        self.move_on();
        self.witness = group.testimony.map(Testimony::finish);
        if group.begin.is_some() {
            self.idle();
            return;
        }
        let reached = self.reached();
        self.ready.push_back(Captured::Frame(said(frame::POSITION, &reached.position)));
        self.ready.push_back(Captured::Frame(frame));
        self.ready.push_back(Captured::End(reached));
    }

    /// Whether a statement is the first of several, in MySQL.
    fn begins(&mut self, text: &str) -> bool {
        if self.address.dialect() == Dialect::Mariadb {
            return false;
        }
        let begins = text.eq_ignore_ascii_case("BEGIN") || XaWord::of(text) == Some(XaWord::Start);
        if let Some(group) = &mut self.group {
            group.has_begun |= begins;
        }
        begins
    }

    /// What a statement does to us. Those that do nothing stay out of the journal: some of them
    /// hold the passwords of accounts.
    fn effect(&self, query: &event::Query) -> Result<Effect> {
        let Some(group) = &self.group else { return Ok(Effect::None) };
        if group.gtid.is_completed_xa() {
            // Its end is handed over like its beginning was.
            return Ok(Effect::Reshaped);
        }
        if self.address.dialect() == Dialect::Mysql && XaWord::of(&query.text).is_some() {
            return Ok(Effect::Reshaped);
        }
        match statement::effect(query, &self.mirrored) {
            Effect::Unknowable { what, why } => Err(binlog::unknowable(&what, why, &group.gtid.id)),
            effect => Ok(effect),
        }
    }

    fn unreadable(&self, what: &str) -> Error {
        let here = &self.position;
        Error::new(ErrorKind::Decode, format!("could not read {what} of the log after {here}"))
    }
}

/// A frame that is a position.
fn said(first: u8, position: &Position) -> Bytes {
    let mut frame = BytesMut::from(&[first][..]);
    frame.put_slice(position.to_string().as_bytes());
    frame.freeze()
}

impl std::fmt::Debug for MysqlStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MysqlStream").field("position", &self.position).finish_non_exhaustive()
    }
}
