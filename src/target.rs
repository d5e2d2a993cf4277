//! Targets: the systems that need the events.
//!
//! A target applies rows and keeps, in the same transaction, its own account of what it has:
//! a cursor and the holes below it. *Applied* ⇔ sequence ≤ cursor and no hole. On start the
//! ledger learns from the target, never the reverse.

pub mod postgres;

use std::collections::BTreeMap;

use crate::config::{TargetConfig, TargetKind};
use crate::error::Result;
use crate::finding::Finding;

/// What the target says about itself after a connect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Everything up to this sequence is applied, but for the holes.
    pub cursor: u64,
    /// Sequences at or below the cursor that are not applied, with entity and key.
    pub holes: Vec<Hole>,
    /// How far each entity's baseline has come.
    pub baselines: BTreeMap<String, BaselineState>,
}

/// An event below the cursor that the target does not have yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hole {
    /// The event; [`Hole::BASELINE`] for a baseline row that was refused.
    pub sequence: u64,
    /// Its entity.
    pub entity: String,
    /// Its canonical key.
    pub key: String,
}

impl Hole {
    /// Stands for the baseline row of a key, which has no event. Events count from 1.
    pub const BASELINE: u64 = 0;
}

/// How far a baseline (the rows that were there before the first event) has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaselineState {
    /// Rows up to and including this canonical key are in the target.
    Through(String),
    /// All of them.
    Done,
}

/// One row to bring to the target: the last state of one canonical key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRow {
    /// The entity, which names the table.
    pub entity: String,
    /// The canonical key.
    pub key: String,
    /// Key columns in the order of [`TargetEntity::key`](crate::config::TargetEntity), as text
    /// in PostgreSQL's input syntax.
    pub key_cells: Vec<Option<String>>,
    /// The other columns, likewise; `None` removes the row.
    pub cells: Option<Vec<Option<String>>>,
    /// The sequences this row stands for, ascending; empty for a baseline row, unless its key has
    /// holes, which it then closes. Those of the apply's range become holes if the row is
    /// refused; all others must be holes, and are closed when the row is applied.
    pub sequences: Vec<u64>,
    /// For each soft reference that is set: the cells to write instead, by place among `cells`,
    /// while the row it refers to is missing. So written, the row is [`Refusal::Incomplete`].
    pub soft: Vec<Vec<(usize, Option<String>)>>,
}

impl TargetRow {
    /// The row without the soft references at these places of `soft`.
    #[must_use]
    pub fn without(&self, references: &[usize]) -> Self {
        let mut row = self.clone();
        for (place, instead) in references.iter().filter_map(|n| self.soft.get(*n)).flatten() {
            let cell = row.cells.as_mut().and_then(|cells| cells.get_mut(*place));
            if let Some(cell) = cell {
                cell.clone_from(instead);
            }
        }
        row
    }
}

/// One transaction in the target.
#[derive(Debug, Clone, Default)]
pub struct Apply {
    /// The event range it stands for, `from..=to`; the cursor moves from `from - 1` to `to`.
    /// `None`: the cursor stays (a baseline chunk or a retry of parked rows).
    pub range: Option<(u64, u64)>,
    /// Upserts and deletes. Per key at most one. The order is the order of application for
    /// upserts; deletes come after them in reverse order.
    pub rows: Vec<TargetRow>,
    /// Events of the range that are not to be applied now because their key is parked.
    pub held: Vec<Hole>,
    /// Parked events to be closed without being applied: a person gave them up.
    pub dropped: Vec<Hole>,
    /// Entities that are not delivered here any more: their holes and baselines are removed, so
    /// that nothing of them is owed, and a baseline brings their rows should they come back.
    pub forgotten: Vec<String>,
    /// Baseline progress made by `rows`.
    pub baseline: Option<(String, BaselineState)>,
}

impl Apply {
    /// The holes that a row of this apply leaves if it is refused. A baseline row stands for its
    /// key as a whole: what was parked of the key is closed, and the row alone is open.
    #[must_use]
    pub fn holes_of(&self, row: &TargetRow) -> Vec<Hole> {
        let hole = |sequence| Hole { sequence, entity: row.entity.clone(), key: row.key.clone() };
        if self.baseline.is_some() || row.sequences.is_empty() {
            return vec![hole(Hole::BASELINE)];
        }
        row.sequences.iter().copied().map(hole).collect()
    }
}

/// What became of an [`Apply`]. The transaction is committed; the cursor has moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows the target refused, or has only in part; holes for their sequences were committed with
    /// the rest.
    pub refused: Vec<Refused>,
}

/// A row the target refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The row.
    pub row: TargetRow,
    /// Why, as a class.
    pub class: Refusal,
    /// The target's own words, without row values.
    pub words: String,
}

/// Why a target refuses a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It refers to a row the target does not have yet: wait.
    Dependency,
    /// It was written, but without soft references to rows the target does not have yet. To the
    /// account it is refused: its holes stay until it is written as it is.
    Incomplete,
    /// The row itself: a person must look.
    Rejected,
}

impl Refusal {
    /// One word, as stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Refusal::Dependency => "dependency",
            Refusal::Incomplete => "incomplete",
            Refusal::Rejected => "rejected",
        }
    }

    /// The class of a word; of an unknown one, that which asks for a person.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        let others = [Refusal::Dependency, Refusal::Incomplete];
        others.into_iter().find(|class| class.word() == word).unwrap_or(Refusal::Rejected)
    }
}

/// How a ledger takes a target, and how the target knows it from a copy of that ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Greater than any used before: sessions with an older one are refused from then on.
    pub epoch: u64,
    /// What the target holds from then on. The same again while the outcome is not known.
    pub token: String,
    /// What it held when it was last opened from here.
    pub former: Option<String>,
}

/// A configured target. A closed list.
#[derive(Debug)]
pub enum Target {
    /// Tables in a PostgreSQL database.
    Postgres(postgres::PostgresTarget),
}

impl Target {
    /// A target from its configuration; connects to nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) for an unusable URL or secret.
    pub fn new(name: &str, install: &str, config: &TargetConfig) -> Result<Self> {
        Ok(match config.kind {
            TargetKind::Postgres => {
                Target::Postgres(postgres::PostgresTarget::new(name, install, config)?)
            }
        })
    }

    /// Connects, makes `_trueup` if it is missing, takes the target by compare-and-set, and reads
    /// the account.
    ///
    /// # Errors
    /// `Unreachable` when the outcome is not known; or `Gap` when the target is held under another
    /// token than the claim names, or under its epoch or a later one (a clone or a restored
    /// ledger).
    pub async fn open(&mut self, claim: &Claim) -> Result<Account> {
        match self {
            Target::Postgres(target) => target.open(claim).await,
        }
    }

    /// Applies one transaction: rows, cursor, holes and baseline together or not at all.
    ///
    /// # Errors
    /// `Unreachable` when the outcome is not known: open again and read the account. `Gap` when
    /// another process raised the epoch. Refused rows are not errors.
    pub async fn apply(&mut self, apply: Apply) -> Result<Applied> {
        match self {
            Target::Postgres(target) => target.apply(apply).await,
        }
    }

    /// A snapshot of the target to compare with, on a connection of its own; it needs no `open`.
    ///
    /// # Errors
    /// `Unreachable`; `Setup` if a table does not fit its mapping.
    pub async fn survey(&self) -> Result<postgres::survey::PostgresSurvey> {
        match self {
            Target::Postgres(target) => target.survey().await,
        }
    }

    /// Examines the target for `check`.
    pub async fn examine(&mut self) -> Vec<Finding> {
        match self {
            Target::Postgres(target) => target.examine().await,
        }
    }
}
