//! Conform: journal → mirror → canonical → events. One loop, on a thread of its own, the only
//! writer of the store.
//!
//! ```text
//!  journal ─take─► run of transactions ─decide─► store transaction (open) + events
//!                                                    │
//!                  ledger: batch + outbox blocks ◄─land
//!                                                    │
//!                  store: COMMIT with its mark   ◄─finish─► deliver is told
//! ```
//! The ledger commits first. If the process dies in between, the store is one batch behind and
//! [`replay`] decides the batch again, with the borders, the time and the mappings the ledger
//! remembers; the result must be equal and makes no event twice. A transaction that is larger than a
//! batch is taken in slices ([`slice`]).

mod aside;
mod decide;
mod diff;
pub mod fence;
mod hold;
mod mappings;
mod prepared;
pub mod rebuild;
mod replay;
mod slice;
mod standstill;
mod state;
mod upkeep;
pub mod verify;

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::canon::{Event, MappingSet};
use crate::change::TableName;
use crate::config::{Limits, SourceKind};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Ledger;
use crate::ledger::batch::{Batch, digest};
use crate::ledger::copies::CopyState;
use crate::ledger::journal::{Border, Journal, Reader, Run};
use crate::ledger::standing::Standstill;
use crate::ledger::unread::UnreadRows;
use crate::source::entry::{Lacking, Unproven};
use crate::store::evaluate::Evaluator;
use crate::store::{Live, Mark, OpenTransaction, Store, StoreLimits, is_about_memory};
use decide::Done;
pub use hold::Held;
pub use state::{ConformSeen, ConformState};
use upkeep::{CLOCK_PAUSE, HOUSE_PAUSE};

/// First pause after a failure; doubled up to [`RETRY_PAUSE_MAX`].
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between attempts.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long the loop waits for news before it looks at the clock again.
const NEWS_PAUSE: Duration = Duration::from_millis(500);

/// What conform needs.
#[derive(Debug)]
pub struct Conform {
    /// The state folder: store and kept mapping sets.
    pub state_dir: PathBuf,
    /// Bounds.
    pub limits: Limits,
    /// The kind of every source, by name.
    pub kinds: HashMap<String, SourceKind>,
    /// Whether a source leaves out columns: the journal has them, and is kept no longer than it is
    /// needed.
    pub leaves_out: bool,
    /// The configured mappings.
    pub mappings: MappingSet,
    /// Names of the configured targets: what they have not got is not thrown away.
    pub targets: Vec<String>,
    /// Batches and events.
    pub ledger: Arc<Ledger>,
    /// What to conform, and where our own words go.
    pub journal: Arc<Journal>,
    /// Told to the copies: keys whose rows lack cells.
    pub lacking: watch::Sender<Lacking>,
    /// Told to the captures: tables that must be copied again.
    pub unproven: watch::Sender<Unproven>,
    /// Told to delivery: the last event that the store has.
    pub events: watch::Sender<u64>,
    /// What people see.
    pub state: Arc<ConformState>,
    /// What only the process knows, for the store's readers.
    pub live: Live,
}

/// Conforms until cancelled. Blocks; run it on a thread of its own.
pub fn run(conform: &Conform, cancel: &CancellationToken, runtime: &tokio::runtime::Handle) {
    let mut pause = RETRY_PAUSE;
    let asked = Cell::new(None);
    let mut needs_memory = false;
    while !cancel.is_cancelled() {
        let before = conform.state.seen().batch;
        let ended = Session::open(conform, runtime, &asked).and_then(|mut session| {
            if needs_memory {
                session.store.need_all_memory();
            }
            session.run(cancel)
        });
        let Err(error) = ended else { break };
        // Once a part of the memory was too little, it gets all: that is no matter for a person.
        let is_remedied = is_about_memory(&error) && !std::mem::replace(&mut needs_memory, true);
        if conform.state.seen().batch > before {
            pause = RETRY_PAUSE;
        }
        conform.state.failed(&error);
        let (cause, hint) = (error.chain(), error.remedy().unwrap_or_default());
        let retry_ms = pause.as_millis();
        if is_remedied {
            tracing::warn!(error = cause, retry_ms, "a part of the store's memory was too little");
        } else {
            tracing::error!(error = cause, hint, retry_ms, "conforming failed, it is retried");
        }
        runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancel.cancelled() => {}
            }
        });
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
}

/// Everything that is thrown away after a failure: the store's connection and what was read.
struct Session<'a> {
    conform: &'a Conform,
    runtime: &'a tokio::runtime::Handle,
    store: Store,
    reader: Reader,
    decoders: HashMap<String, prepared::Decoding>,
    evaluator: Evaluator,
    /// The mapping set at hand.
    mappings: MappingSet,
    /// The hash of the set in force at the mark.
    in_force: String,
    /// What is unproven may have changed in the batch at hand.
    proof_changed: bool,
    /// Sources with tables that are unproven at the mark.
    doubtful: BTreeSet<String>,
    /// The mirror's tables changed: the evaluator must look at them again.
    is_stale: bool,
    mark: Mark,
    /// The transaction in whose middle the mark is.
    open: Option<OpenTransaction>,
    /// The last entry by which this process asked for a full evaluation; survives the session.
    asked: &'a Cell<Option<u64>>,
    /// The last entry that said that time has passed.
    ticked: u64,
    looked_at_clock: Instant,
    kept_house: Instant,
    /// Sources that stand still, and the first journal entry of each that is not conformed.
    standing: HashMap<String, Vec<Standstill>>,
    /// Up to this entry transactions are taken one by one: one of them cannot be conformed.
    singly_upto: u64,
}

/// A batch whose store transaction is open.
struct Decided {
    batch: Batch,
    events: Vec<Event>,
    /// A chunk after which the copy wants to know what still lacks cells.
    looks: bool,
    unread: Vec<UnreadRows>,
    began: Instant,
}

impl<'a> Session<'a> {
    fn open(
        conform: &'a Conform,
        runtime: &'a tokio::runtime::Handle,
        asked: &'a Cell<Option<u64>>,
    ) -> Result<Self> {
        let limits = StoreLimits {
            memory_bytes: conform.limits.store_memory_bytes,
            threads: conform.limits.store_threads,
        };
        let store = Store::open(&conform.state_dir, limits, &conform.live)?;
        let mark = store.mark()?;
        let open = store.open_transaction()?;
        let mappings = mappings::in_force(conform)?;
        let evaluator = mappings::evaluator(conform, &mappings)?;
        let mut session = Self {
            conform,
            runtime,
            store,
            reader: conform.journal.reader(),
            decoders: HashMap::new(),
            evaluator,
            in_force: mappings.hash().to_owned(),
            mappings,
            proof_changed: false,
            doubtful: BTreeSet::new(),
            is_stale: true,
            mark,
            open,
            asked,
            ticked: 0,
            looked_at_clock: Instant::now(),
            kept_house: Instant::now(),
            standing: HashMap::new(),
            singly_upto: 0,
        };
        session.read_standing()?;
        session.catch_up()?;
        session.prepare_evaluator()?;
        let (reader, canon) = (session.store.reader()?, session.store.reader()?);
        conform.state.opened(reader, canon, session.mark, session.open.clone());
        conform.events.send_replace(session.mark.event_sequence);
        session.tell_lacking()?;
        session.tell_unproven()?;
        session.ask_for_evaluation()?;
        session.ask_for_what_failed()?;
        Ok(session)
    }

    fn run(&mut self, cancel: &CancellationToken) -> Result<()> {
        while let Some(run) = self.take(cancel)? {
            match self.decide(&run) {
                Ok(decided) => match self.mass_change(&decided)? {
                    None => {
                        self.land(&decided)?;
                        self.finish(decided)?;
                    }
                    Some(held) => {
                        if !self.hold(held, cancel)? {
                            break;
                        }
                    }
                },
                Err(failure) => self.blame(&run, failure)?,
            }
        }
        Ok(())
    }

    /// The next run; `None` when cancelled.
    fn take(&mut self, cancel: &CancellationToken) -> Result<Option<Run>> {
        let mut news = self.conform.journal.news();
        let mut fence = self.conform.state.fencing.bound();
        loop {
            // With nothing to do these follow every run; under load, by the clock.
            self.look_at_clock(CLOCK_PAUSE)?;
            self.keep_house(HOUSE_PAUSE)?;
            self.answer()?;
            self.conform.state.went_round();
            let last = self.bound(*news.borrow_and_update());
            let bound = *fence.borrow_and_update();
            let run = self.read(bound.map_or(last, |bound| bound.min(last)))?;
            if run.border > self.border() {
                return Ok(Some(run));
            }
            if let Some(bound) = bound {
                self.conform.state.fencing.come_to(bound, self.mark.journal_seq);
            }
            self.use_the_pause()?;
            if !self.wait(&mut news, &mut fence, cancel) {
                return Ok(None);
            }
        }
    }

    /// Waits for news, and then a little for more of it, so that a burst shares a batch. False
    /// when cancelled.
    fn wait(
        &self,
        news: &mut watch::Receiver<u64>,
        fence: &mut watch::Receiver<Option<u64>>,
        cancel: &CancellationToken,
    ) -> bool {
        let more = Duration::from_millis(self.conform.limits.batch_wait_ms);
        self.runtime.block_on(async {
            tokio::select! {
                () = cancel.cancelled() => false,
                () = tokio::time::sleep(NEWS_PAUSE) => true,
                moved = fence.changed() => moved.is_ok(),
                changed = news.changed() => {
                    tokio::time::sleep(more).await;
                    changed.is_ok()
                }
            }
        })
    }

    /// Decides a new batch, up to but not including the commits.
    fn decide(&mut self, run: &Run) -> Result<Decided> {
        let began = Instant::now();
        self.store.bound_memory(self.open.is_some() || run.border.part > 0);
        self.prepare_evaluator()?;
        self.ask_for_evaluation()?;
        let as_of_micros = jiff::Timestamp::now().as_microsecond();
        let batch = Batch {
            id: self.mark.batch + 1,
            seq_after: self.mark.journal_seq,
            seq_upto: run.border.seq,
            part: run.border.part,
            as_of_micros,
            mappings: String::new(),
            event_first: self.mark.event_sequence + 1,
            event_last: self.mark.event_sequence,
            digest: String::new(),
        };
        let Done { events, looks, unread } = self.conform_batch(&batch, run, &[])?;
        let batch = Batch {
            event_last: batch.event_last + events.len() as u64,
            digest: digest(&events),
            mappings: self.mappings.hash().to_owned(),
            ..batch
        };
        Ok(Decided { batch, events, looks, unread, began })
    }

    /// The ledger has the batch and its events: from here on it happens, whatever else does.
    fn land(&self, decided: &Decided) -> Result<()> {
        self.conform.ledger.commit_batch(
            &decided.batch,
            &decided.events,
            self.conform.limits.block_events,
            (&decided.unread, self.conform.limits.unread_bytes_max),
        )?;
        for rows in &decided.unread {
            tracing::error!(
                source = %rows.source,
                table = %rows.table,
                position = %rows.position,
                entry = rows.seq,
                why = %rows.why,
                "rows of the log cannot be read: they are kept as they are (`trueup unread`), and the \
                 table is copied again"
            );
        }
        crate::failpoint::reach("after-outbox-commit");
        Ok(())
    }

    /// The store has it too, and delivery is told.
    fn finish(&mut self, decided: Decided) -> Result<()> {
        let was_open = self.open.is_some();
        self.commit(&decided.batch)?;
        let took = decided.began.elapsed();
        self.conform.state.conformed(&decided.batch, &decided.events, took, self.open.clone());
        self.conform.events.send_replace(self.mark.event_sequence);
        if decided.looks {
            self.tell_lacking()?;
        }
        let changed = self.store.take_doubt() | std::mem::take(&mut self.proof_changed);
        // (Who waits to hear how far we are waits only while there are some.)
        if changed || !self.doubtful.is_empty() {
            self.tell_unproven()?;
        }
        if was_open && self.open.is_none() {
            self.store.bound_memory(false);
        }
        if was_open && self.open.is_none() && self.evaluator.has_failed() {
            // In the middle of a transaction rows may look as they never were.
            self.ask()?;
        }
        Ok(())
    }

    fn commit(&mut self, batch: &Batch) -> Result<()> {
        let mark = mark_of(batch);
        let open = if batch.part > 0 { self.store.open_transaction()? } else { None };
        self.store.commit(mark, batch.as_of_micros)?;
        (self.mark, self.open) = (mark, open);
        self.in_force.clone_from(&batch.mappings);
        Ok(())
    }

    /// Tells the copies which keys still lack cells, as of the mark. Only of tables whose chunks
    /// are all there: nobody waits for the others, and a source may have hundreds.
    fn tell_lacking(&self) -> Result<()> {
        let mut lacking = Lacking::new();
        for source in self.conform.kinds.keys() {
            let copies = self.conform.journal.copies(source)?;
            let swept = |name: &TableName| {
                let name = name.to_string();
                copies.iter().any(|copy| copy.state == CopyState::Swept && copy.table == name)
            };
            for table in self.store.mirrors().of_source(source) {
                if table.state.is_tracked() && swept(table.name()) {
                    let keys = self.store.lacking_keys(source, table.name())?;
                    let told = (self.mark.journal_seq, keys);
                    lacking.insert((source.clone(), table.name().clone()), told);
                }
            }
        }
        self.conform.lacking.send_replace(lacking);
        Ok(())
    }

    /// Tells the captures what must be copied again, as of the mark.
    fn tell_unproven(&mut self) -> Result<()> {
        let (sources, tables) = self.store.unproven()?;
        self.doubtful = sources;
        self.conform.unproven.send_replace(Unproven { upto: self.mark.journal_seq, tables });
        Ok(())
    }

    /// Where the mark is in the journal.
    fn border(&self) -> Border {
        Border { seq: self.mark.journal_seq, part: self.mark.part }
    }

    fn bug(what: impl Into<String>) -> Error {
        Error::new(ErrorKind::Bug, what).hint("please report this with the log of the daemon")
    }
}

/// The store's mark once it has the batch.
fn mark_of(batch: &Batch) -> Mark {
    Mark {
        batch: batch.id,
        journal_seq: batch.seq_upto,
        part: batch.part,
        event_sequence: batch.event_last,
    }
}

#[cfg(test)]
mod tests;
