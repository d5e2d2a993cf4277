//! What writers of one source share: which tables there are just now, and what was done.
//!
//! It is what the soak believes; what is true only the servers know. A statement that fails because the
//! two differ for a moment is a writer's life.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, RwLock};

use rand::Rng;
use rand::rngs::StdRng;

/// A type of columns that come and go.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) sql: &'static str,
    /// An expression; see [`super::engine::value`].
    pub(crate) value: &'static str,
}

/// A table with a key `id` and columns that come and go.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) name: String,
    /// Names, and numbers of their kinds.
    pub(crate) columns: Vec<(String, usize)>,
    /// Keys are between its negative and itself.
    pub(crate) keys: i64,
    /// Names of its indexes.
    pub(crate) indexes: Vec<String>,
}

/// One source's.
#[derive(Debug)]
pub(crate) struct World {
    shapes: RwLock<Vec<Shape>>,
    pub(crate) stop: AtomicBool,
    /// The source is a gap: nothing is prepared meanwhile, as the manual asks for.
    pub(crate) has_gap: AtomicBool,
    pub(crate) counts: Counts,
    /// Tables that may make the source a gap: their keys change, or they are copied for the first time while
    /// their columns change.
    risky: Mutex<BTreeSet<String>>,
    /// Tables whose columns have changed: they may differ until they were copied again.
    reshaped: Mutex<BTreeSet<String>>,
    number: AtomicU64,
}

/// What was done to one source, and acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) changes: AtomicU64,
    pub(crate) transactions: AtomicU64,
    pub(crate) rolled_back: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) large: AtomicU64,
    pub(crate) prepared: AtomicU64,
    pub(crate) ddl: AtomicU64,
    pub(crate) resyncs: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) server_kills: AtomicU64,
}

impl World {
    pub(crate) fn new(shapes: Vec<Shape>) -> Self {
        Self {
            shapes: RwLock::new(shapes),
            stop: AtomicBool::new(false),
            has_gap: AtomicBool::new(false),
            counts: Counts::default(),
            risky: Mutex::default(),
            reshaped: Mutex::default(),
            number: AtomicU64::new(0),
        }
    }

    pub(crate) fn shapes(&self) -> Vec<Shape> {
        self.shapes.read().unwrap().clone()
    }

    pub(crate) fn any(&self, rng: &mut StdRng) -> Shape {
        let shapes = self.shapes.read().unwrap();
        shapes[rng.random_range(0..shapes.len())].clone()
    }

    /// A table is as `shape` from now on.
    pub(crate) fn put(&self, shape: Shape) {
        let mut shapes = self.shapes.write().unwrap();
        match shapes.iter_mut().find(|one| one.name == shape.name) {
            Some(one) => *one = shape,
            None => shapes.push(shape),
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        self.shapes.write().unwrap().retain(|shape| shape.name != name);
    }

    /// A name that nothing had before: what is dropped and made again under its old name before
    /// another row comes cannot be told from what it was (as the manual says).
    pub(crate) fn fresh(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.number.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn expect_gap(&self, table: &str) {
        self.risky.lock().unwrap().insert(table.to_owned());
    }

    pub(crate) fn expect_drift(&self, table: &str) {
        self.reshaped.lock().unwrap().insert(table.to_owned());
    }

    /// Whether a gap with this message is one that we made.
    pub(crate) fn is_expected(&self, message: &str) -> bool {
        names_any(message, &self.risky.lock().unwrap())
    }

    /// Whether a difference that is told here may be there for a while.
    pub(crate) fn may_differ(&self, message: &str) -> bool {
        names_any(message, &self.reshaped.lock().unwrap())
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn is_gap(&self) -> bool {
        self.has_gap.load(Ordering::Relaxed)
    }
}

pub(crate) fn count(of: &AtomicU64, more: u64) {
    of.fetch_add(more, Ordering::Relaxed);
}

pub(crate) fn seen(of: &AtomicU64) -> u64 {
    of.load(Ordering::Relaxed)
}

fn names_any(message: &str, tables: &BTreeSet<String>) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    message.split(|letter| !is_word(letter)).any(|word| tables.contains(word))
}
