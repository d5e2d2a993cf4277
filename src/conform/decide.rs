//! One batch, up to its commits: what a run of the journal does to mirror, canon and events.
//!
//! The same for a new batch and for a replay: everything it depends on is in the batch and the
//! journal.

use std::sync::Arc;

use super::Session;
use super::aside::set_aside;
use crate::canon::Event;
use crate::change::condition::Condition;
use crate::change::keyless::fill_up;
use crate::change::{Cell, Change, Table, TableName};
use crate::error::Result;
use crate::ledger::batch::Batch;
use crate::ledger::journal::Run;
use crate::ledger::segment::{Entry, EntryKind};
use crate::ledger::unread::UnreadRows;
use crate::source::decode::Decoder;
use crate::source::entry::{Control, CopyHeader, decode_chunk};
use crate::store::collapse::key_of;
use crate::store::evaluate::{Delta, Evaluated, Moment};
use crate::store::mirror::reshape::Followed;
use crate::store::mirror::{Placed, Touched};

/// What came of a batch, besides what is in the store's transaction.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) events: Vec<Event>,
    /// A copy waits to hear what still lacks cells.
    pub(super) looks: bool,
    /// Rows that could not be read.
    pub(super) unread: Vec<UnreadRows>,
}

impl Session<'_> {
    /// Begins the store's transaction and does the batch in it. A mapping that fails is parked and
    /// the batch done again without it. `aside`: what could not be read when it was decided first.
    pub(super) fn conform_batch(
        &mut self,
        batch: &Batch,
        run: &Run,
        aside: &[UnreadRows],
    ) -> Result<Done> {
        loop {
            self.store.begin()?;
            let failed = match self.attempt(batch, run, aside) {
                Ok(done) => {
                    self.store.trust();
                    return Ok(done);
                }
                Err(error) => error,
            };
            if let Err(error) = self.store.rollback() {
                tracing::error!(error = %error.chain(), "a batch could not be given up");
                return Err(failed);
            }
            // What was decoded is decoded again.
            self.decoders.clear();
            let parked = self.evaluator.take_failure();
            self.evaluator.recall(self.store.connection())?;
            let Some(parked) = parked else {
                if self.store.take_care(&failed) || self.store.take_memory(&failed) {
                    continue;
                }
                return Err(failed);
            };
            tracing::error!(
                source = %parked.source,
                entity = %parked.entity,
                cause = %parked.cause,
                "a mapping failed, its entity is parked until it is mended"
            );
            self.store.begin()?;
            self.evaluator.park(self.store.connection(), parked, batch.id)?;
            self.store.commit_beside()?;
        }
    }

    fn attempt(&mut self, batch: &Batch, run: &Run, aside: &[UnreadRows]) -> Result<Done> {
        let moment = Moment { as_of_micros: batch.as_of_micros, batch: batch.id };
        let ready_before = self.store.ready_entities()?;
        self.note_open(run, batch)?;
        let mut done = Done::default();
        let mut found = Evaluated::default();
        let first = run.transactions.first().and_then(|parts| parts.first());
        match first.map(|entry| (entry.kind, entry)) {
            None => {}
            Some((EntryKind::Log, _)) => {
                let mut placed = self.decode(run)?;
                set_aside(&mut placed, aside, &self.conform.kinds)?;
                done.unread = placed.iter().flat_map(unread).collect();
                let followed = self.store.follow_columns(&mut placed)?;
                self.after_following(&followed)?;
                let touched = self.store.stage_log(placed)?;
                found = self.write(&touched, moment)?;
            }
            Some((EntryKind::Copy, entry)) => {
                let (touched, last) = self.stage_chunk(entry)?;
                found = self.write(&touched, moment)?;
                done.looks = last;
            }
            Some((EntryKind::Control, entry)) => {
                found = self.obey(entry, batch, moment)?;
            }
        }
        for difference in found.differences {
            // Rows of an entity that was not ready are its baseline: targets read it from canon.
            if !ready_before.contains(&difference.entity) {
                continue;
            }
            let sequence = batch.event_first + done.events.len() as u64;
            let correlation = format!("{}/{}", difference.entity, difference.key);
            done.events.push(Event {
                sequence,
                entity: difference.entity,
                key: difference.key,
                op: difference.op,
                time_micros: difference.time_micros,
                correlation,
                old: difference.old,
                new: difference.new,
            });
        }
        self.store.append_events(self.conform.ledger.install(), batch.id, &done.events)?;
        Ok(done)
    }

    fn decode(&mut self, run: &Run) -> Result<Vec<Placed>> {
        let mut placed = Vec::new();
        for parts in &run.transactions {
            for entry in parts {
                let transactions = self.decoder(entry)?.feed(entry.bytes.clone())?;
                placed.extend(transactions.into_iter().map(|transaction| Placed {
                    seq: entry.seq,
                    source: entry.source.clone(),
                    transaction,
                }));
            }
            self.note_prepared(parts)?;
        }
        placed.extend(self.slice_of(run)?);
        Ok(placed)
    }

    /// The decoder of the entry's source, with the tables as they were before the entry.
    pub(super) fn decoder(&mut self, entry: &Entry) -> Result<&mut Decoder> {
        if !self.decoders.contains_key(&entry.source) {
            let mut decoding = self.decoding(entry)?;
            self.skim(&mut decoding.decoder)?;
            self.decoders.insert(entry.source.clone(), decoding);
        }
        self.decoders
            .get_mut(&entry.source)
            .map(|decoding| &mut decoding.decoder)
            .ok_or_else(|| Self::bug("a decoder that was just made is not there"))
    }

    fn stage_chunk(&mut self, entry: &Entry) -> Result<(Vec<Touched>, bool)> {
        let (header, rows) = decode_chunk(entry.bytes.clone())?;
        if header.table.is_keyless() {
            return self.stage_piece(entry, &header, rows);
        }
        let table = Arc::new(header.table);
        let mut keyed = Vec::with_capacity(rows.len());
        for cells in rows {
            let key = key_of(&table, &cells).ok_or_else(|| {
                Self::bug(format!("a copied row of {} lacks its key", table.name))
            })?;
            keyed.push((key, cells));
        }
        let followed = self.store.follow_chunk(&entry.source, &table, &header.visibility)?;
        self.after_following(&followed)?;
        let touched = self.store.stage_chunk(
            &entry.source,
            &table,
            &header.visibility,
            keyed,
            entry.at_micros,
        )?;
        Ok((touched, header.last))
    }

    /// The same of a table without a key.
    fn stage_piece(
        &mut self,
        entry: &Entry,
        header: &CopyHeader,
        mut rows: Vec<Vec<Cell>>,
    ) -> Result<(Vec<Touched>, bool)> {
        let (source, table) = (&entry.source, &header.table);
        rows.iter_mut().for_each(|row| fill_up(table, row));
        let followed = self.store.follow_chunk(source, table, &header.visibility)?;
        self.after_following(&followed)?;
        let seen = (&header.visibility, header.piece.as_ref(), header.last);
        let touched = self.store.stage_piece(source, table, seen, &rows, entry.at_micros)?;
        Ok((touched.into_iter().collect(), header.last))
    }

    /// Mappings that miss a column are left out, others are let back; all of them wait where they would
    /// evaluate guesses.
    fn after_following(&mut self, followed: &Followed) -> Result<()> {
        if !followed.has_changed {
            return Ok(());
        }
        self.proof_changed = true;
        self.evaluator.create_tables(self.store.connection())?;
        self.evaluator.wait(self.store.connection(), &followed.guessed)
    }

    /// Writes the staged rows and evaluates what they touch. Sources whose first copy is not
    /// done are mirrored only.
    fn write(&mut self, touched: &[Touched], moment: Moment) -> Result<Evaluated> {
        if self.store.take_widened() {
            // In this very batch: a replay finds the types so from here on.
            self.evaluator.create_tables(self.store.connection())?;
        }
        let deltas: Vec<Delta> = touched
            .iter()
            .filter(|one| self.store.mirrors().is_ready(&one.source))
            .map(|one| Delta {
                source: one.source.clone(),
                table: one.mirror.clone(),
                before: one.before.clone(),
                after: one.after.clone(),
            })
            .collect();
        if deltas.is_empty() {
            self.store.write_staged(touched)?;
            self.store.forget_staged(touched)?;
            return Ok(Evaluated::default());
        }
        self.evaluator.touch_before(self.store.connection(), &deltas)?;
        self.store.write_staged(touched)?;
        self.evaluator.touch_after(self.store.connection(), &deltas)?;
        self.store.forget_staged(touched)?;
        self.evaluator.evaluate(self.store.connection(), moment)
    }

    /// A word of our own.
    fn obey(&mut self, entry: &Entry, batch: &Batch, moment: Moment) -> Result<Evaluated> {
        match Control::decode(&entry.bytes)? {
            Control::CopyBegin { tables } => {
                for (mirror, table) in &tables {
                    self.store.begin_copy(&entry.source, mirror, table)?;
                }
                self.proof_changed = true;
                self.is_stale = true;
                Ok(Evaluated::default())
            }
            Control::Anew { tables } => self.begin_anew(entry, &tables, moment),
            Control::Resync { table, only } => {
                self.proof_changed = true;
                let (source, is_whole) = (&entry.source, only.is_none());
                let doubled =
                    self.store.begin_resync((source, &table), is_whole, entry.at_micros)?;
                doubled.map_or(Ok(Evaluated::default()), |one| self.write(&[one], moment))
            }
            Control::ResyncStop { table } => {
                self.proof_changed = true;
                self.store.stop_resync(&entry.source, &table, entry.at_micros)?;
                Ok(Evaluated::default())
            }
            Control::CopyDone { table, only } => {
                self.copy_done(entry, (&table, only.as_ref()), moment)
            }
            Control::Leave { table } => {
                self.proof_changed = true;
                let is_ready = self.store.leave(&entry.source, &table)?;
                self.is_stale = true;
                match is_ready {
                    true => self.evaluate_ready(&entry.source, moment),
                    false => Ok(Evaluated::default()),
                }
            }
            Control::Tick { micros } => {
                let moment = Moment { as_of_micros: micros, ..moment };
                self.evaluator.evaluate_due(self.store.connection(), moment)
            }
            Control::Mappings { hash } if self.is_superseded(&hash, batch) => {
                Ok(Evaluated::default())
            }
            Control::Mappings { hash } => self.let_in(&hash, moment),
        }
    }

    /// The log of a source begins anew. What was prepared or in flight in the old one has no end in the new
    /// one, and no schema of it counts.
    fn begin_anew(
        &mut self,
        entry: &Entry,
        tables: &[(String, Table)],
        moment: Moment,
    ) -> Result<Evaluated> {
        self.end_standstill(entry)?;
        self.decoders.remove(&entry.source);
        self.store.set_prepared(&entry.source, &[])?;
        (self.proof_changed, self.is_stale) = (true, true);
        // A word that a table leaves may be among what is left out.
        let is_listed = |name: &TableName| tables.iter().any(|(_, table)| table.name == *name);
        let known = self.store.mirrors().of_source(&entry.source).map(|mirror| mirror.name());
        let gone: Vec<String> =
            known.filter(|name| !is_listed(name)).map(ToString::to_string).collect();
        let mut is_ready = false;
        for table in gone {
            is_ready |= self.store.leave(&entry.source, &table)?;
        }
        let mut doubled = Vec::new();
        for (mirror, table) in tables {
            doubled.extend(self.store.begin_anew(&entry.source, mirror, table, entry.at_micros)?);
        }
        let found = self.write(&doubled, moment)?;
        match is_ready && self.store.mirrors().is_ready(&entry.source) {
            true => self.evaluate_ready(&entry.source, moment),
            false => Ok(found),
        }
    }

    /// A table has every row: of a first copy, the source may be ready with it; of a resync, rows that
    /// the source does not have go.
    fn copy_done(
        &mut self,
        entry: &Entry,
        (table, only): (&TableName, Option<&Condition>),
        moment: Moment,
    ) -> Result<Evaluated> {
        self.proof_changed = true;
        let source = &entry.source;
        let leftover = self.store.end_resync((source, table), only, entry.at_micros)?;
        let found = match leftover {
            Some(touched) => self.write(&[touched], moment)?,
            None => Evaluated::default(),
        };
        match self.store.finish_copy(source, table)? {
            true => self.evaluate_ready(source, moment),
            false => Ok(found),
        }
    }

    /// A source is ready: everything that it contributes is evaluated.
    fn evaluate_ready(&mut self, source: &String, moment: Moment) -> Result<Evaluated> {
        let sources = std::slice::from_ref(source);
        let connection = self.store.connection();
        self.evaluator.let_back(connection, sources, moment.batch)?;
        let found = self.evaluator.evaluate_all(connection, sources, moment)?;
        self.note_ready_entities()?;
        Ok(found)
    }

    /// A set that was asked for but never came into force is passed over once another one is
    /// configured: it may have been held for good reason. A replay does what the batch did.
    fn is_superseded(&self, hash: &str, batch: &Batch) -> bool {
        let comes = match batch.mappings.as_str() {
            "" => self.conform.mappings.hash(),
            decided => decided,
        };
        hash != self.in_force && hash != comes
    }

    /// A set of mappings comes into force, with everything evaluated anew; or, if it is in force
    /// already, the mappings that were left out are let back.
    fn let_in(&mut self, hash: &str, moment: Moment) -> Result<Evaluated> {
        // Not by the set at hand: an attempt that was given up may have switched it.
        let is_new = hash != self.in_force;
        if is_new {
            self.switch_mappings(hash)?;
        }
        let sources = self.ready_sources();
        let connection = self.store.connection();
        self.evaluator.let_back(connection, &sources, moment.batch)?;
        let found = if is_new {
            self.evaluator.evaluate_all(connection, &sources, moment)?
        } else {
            // What waits for columns waits until they were shown.
            // (As the store has it: a replay may be several batches long.)
            let (doubtful, _) = self.store.unproven()?;
            let proven = sources.iter().filter(|source| !doubtful.contains(*source));
            let proven: Vec<String> = proven.cloned().collect();
            self.evaluator.evaluate_waiting(connection, &proven, moment)?
        };
        self.note_ready_entities()?;
        Ok(found)
    }

    /// Entities all of whose sources were copied: from the next batch on, differences are events.
    fn note_ready_entities(&self) -> Result<()> {
        let contributions = self.mappings.contributions();
        for entity in self.mappings.contributed() {
            let ready = contributions
                .iter()
                .filter(|one| one.mapping.entity == entity.name)
                .all(|one| self.store.mirrors().is_ready(&one.source));
            if ready {
                self.store.entity_is_ready(&entity.name)?;
            }
        }
        Ok(())
    }
}

/// What could not be read of a transaction. Its table is copied again.
fn unread(placed: &Placed) -> impl Iterator<Item = UnreadRows> {
    placed.transaction.changes.iter().filter_map(|change| {
        let Change::Unread(unread) = change else { return None };
        Some(UnreadRows {
            id: 0,
            source: placed.source.clone(),
            table: unread.table.name.to_string(),
            position: placed.transaction.position.to_string(),
            seq: placed.seq,
            at_micros: placed.transaction.committed_at_micros,
            why: unread.why.clone(),
            frames: unread.frames.to_vec(),
        })
    })
}
