//! What DuckDB may keep in memory: all that it was given, or, while one transaction is conformed in
//! slices, three eighths. It decides nothing about what a statement needs: who needs more gets all of it.

use super::{Store, refusal};
use crate::error::Error;

/// What it may keep, and why.
#[derive(Debug)]
pub(super) struct Memory {
    /// `limits.store_memory_bytes`.
    bytes: u64,
    is_bounded: bool,
    /// That was too little once: it gets all, until the store is opened anew.
    is_all_needed: bool,
}

impl Memory {
    pub(super) fn of(bytes: u64) -> Self {
        Self { bytes, is_bounded: false, is_all_needed: false }
    }
}

impl Store {
    /// Bounds the memory to three eighths, or gives all of it back. Slices go through a table from end to end, so
    /// that what is kept of it is not asked for again, and their own needs are small.
    pub fn bound_memory(&mut self, is_slice: bool) {
        let is_bounded = is_slice && !self.memory.is_all_needed;
        if is_bounded == self.memory.is_bounded {
            return;
        }
        let bytes = if is_bounded { self.memory.bytes / 8 * 3 } else { self.memory.bytes };
        match self.run(&format!("SET memory_limit = '{bytes}B'"), "bound the memory") {
            Ok(()) => self.memory.is_bounded = is_bounded,
            // Statements of others hold more than that.
            Err(error) => tracing::debug!(error = error.chain(), "the memory stays as it is"),
        }
    }

    /// Gives all of the memory from now on, if its part was too little for what failed; false if that
    /// is no remedy.
    pub fn take_memory(&mut self, failed: &Error) -> bool {
        if !self.memory.is_bounded || !refusal::is_about_memory(failed) {
            return false;
        }
        self.need_all_memory();
        !self.memory.is_bounded
    }

    /// A part of the memory is too little here.
    pub fn need_all_memory(&mut self) {
        self.memory.is_all_needed = true;
        self.bound_memory(false);
    }
}

#[cfg(test)]
mod tests {
    use crate::store::{Live, Store, StoreLimits};

    #[test]
    fn slices_get_a_part_and_all_of_it_once_that_is_too_little() {
        let folder = tempfile::tempdir().unwrap();
        let limits = StoreLimits { memory_bytes: 64 << 20, threads: 1 };
        let mut store = Store::open(folder.path(), limits, &Live::default()).unwrap();
        let limit = |store: &Store| -> String {
            let sql = "SELECT current_setting('memory_limit')";
            store.connection().query_row(sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(limit(&store), "64.0 MiB");
        store.bound_memory(true);
        assert_eq!(limit(&store), "24.0 MiB");
        store.bound_memory(false);
        assert_eq!(limit(&store), "64.0 MiB");
        // GIVEN a statement that a part is too little for
        store.bound_memory(true);
        let large = "SELECT length(string_agg(repeat('a', 1000), '')) FROM range(40000)";
        let failed = store.run(large, "aggregate").unwrap_err();
        assert!(store.take_memory(&failed), "{}", failed.chain());
        // THEN there is all, and it stays
        store.bound_memory(true);
        assert_eq!(limit(&store), "64.0 MiB");
        assert!(!store.take_memory(&failed), "more there is not");
    }
}
