//! A copy's chunk lies *under* the log: what to do with each of its rows. Pure.
//!
//! When a chunk is conformed, every change its snapshot could see has been conformed before it
//! (capture admits it only then). So per key:
//!
//! | the log so far | the chunk's row |
//! |---|---|
//! | never touched the key | is the row |
//! | touched it last in a transaction the chunk **saw** | is the row (and knows every cell) |
//! | touched it last in a transaction the chunk did **not** see | only fills cells the log did not carry |
//!
//! That holds for each chunk by itself: parts of a table are read side by side, and a chunk may come after one
//! with a newer snapshot. No two chunks have a key in common.
//!
//! A row may have moved between keys while the chunk was read; its missing cells lie in the
//! chunk under the key it had *in the chunk's snapshot*. Dropping the chunk's row instead of
//! laying it under the log loses unchanged TOAST values (`reference/proofs.md` 5).

use std::collections::HashMap;

use super::collapse::Key;
use crate::change::{Cell, TransactionId, Visibility};
use crate::error::Result;

/// What the log did to a key since the table's copy began.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked {
    /// The last transaction that touched it.
    pub transaction: TransactionId,
    /// True if there is no row under it any more.
    pub gone: bool,
    /// Places of the cells nobody has carried yet.
    pub missing: Vec<usize>,
    /// Keys its row had before, oldest first, each with who moved it away.
    pub left: Vec<(Key, TransactionId)>,
}

/// What to write for one key; cells that stay as they are in the mirror are missing.
pub type Placement = (Key, Vec<Cell>);

/// Decides what a chunk's rows do to the mirror.
///
/// `tracked` holds every tracked key of the chunk and every key with missing cells;
/// `truncated` is the last TRUNCATE of the table since its copy began. `is_told`: the log tells of every
/// change of a row; otherwise (only some rows are chosen) a cell that a row lacks may be older in the chunk,
/// and waits until it is read again.
///
/// # Errors
/// Transaction ids and visibility of different kinds of source.
pub fn place(
    rows: Vec<(Key, Vec<Cell>)>,
    visibility: &Visibility,
    (tracked, is_told): (&HashMap<Key, Tracked>, bool),
    truncated: Option<TransactionId>,
) -> Result<Vec<Placement>> {
    let emptied_unseen = match truncated {
        Some(transaction) => !visibility.sees(transaction)?,
        None => false,
    };
    let mut placements = match is_told {
        true => fills(&rows, visibility, tracked)?,
        false => Vec::new(),
    };
    for (key, cells) in rows {
        let is_the_row = match tracked.get(&key) {
            Some(state) => visibility.sees(state.transaction)?,
            None => !emptied_unseen,
        };
        if is_the_row {
            placements.push((key, cells));
        }
    }
    Ok(placements)
}

/// Rows of the log that lack cells, filled from the chunk's row of the key they had in its
/// snapshot.
fn fills(
    rows: &[(Key, Vec<Cell>)],
    visibility: &Visibility,
    tracked: &HashMap<Key, Tracked>,
) -> Result<Vec<Placement>> {
    let mut lacking = Vec::new();
    for (key, state) in tracked {
        if !state.gone && !state.missing.is_empty() && !visibility.sees(state.transaction)? {
            lacking.push((key, state));
        }
    }
    if lacking.is_empty() {
        return Ok(Vec::new());
    }
    let by_key: HashMap<&Key, &Vec<Cell>> = rows.iter().map(|(key, row)| (key, row)).collect();
    let mut placements = Vec::new();
    for (key, state) in lacking {
        let seen_under = key_in_snapshot(key, state, visibility)?;
        if let Some(row) = by_key.get(seen_under) {
            let mut cells = vec![Cell::Missing; row.len()];
            for place in &state.missing {
                if let (Some(to), Some(from)) = (cells.get_mut(*place), row.get(*place)) {
                    *to = from.clone();
                }
            }
            placements.push((key.clone(), cells));
        }
    }
    placements.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(placements)
}

/// The key under which the snapshot saw the row that is now under `key`: the first one it left
/// in a transaction the snapshot did not see.
fn key_in_snapshot<'a>(
    key: &'a Key,
    state: &'a Tracked,
    visibility: &Visibility,
) -> Result<&'a Key> {
    for (left, by) in &state.left {
        if !visibility.sees(*by)? {
            return Ok(left);
        }
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: TransactionId = TransactionId::Xid(50);
    const UNSEEN: TransactionId = TransactionId::Xid(150);

    fn snapshot() -> Visibility {
        Visibility::Snapshot { xmin: 100, xmax: 100, running: Vec::new() }
    }

    fn key(name: &'static str) -> Key {
        Key::from_static(name.as_bytes())
    }

    fn row(name: &'static str) -> (Key, Vec<Cell>) {
        (key(name), vec![Cell::text(name), Cell::text("old"), Cell::text("BIG")])
    }

    fn tracked(
        transaction: TransactionId,
        gone: bool,
        missing: &[usize],
        left: &[(&'static str, TransactionId)],
    ) -> Tracked {
        let left = left.iter().map(|(name, by)| (key(name), *by)).collect();
        Tracked { transaction, gone, missing: missing.to_vec(), left }
    }

    fn placed(rows: &[&'static str], known: &[(&'static str, Tracked)]) -> Vec<Placement> {
        let tracked = known.iter().map(|(name, state)| (key(name), state.clone())).collect();
        let rows = rows.iter().map(|name| row(name)).collect();
        place(rows, &snapshot(), (&tracked, true), None).unwrap()
    }

    fn only_big(name: &'static str) -> Placement {
        (key(name), vec![Cell::Missing, Cell::Missing, Cell::text("BIG")])
    }

    #[test]
    fn untouched_and_seen_keys_take_the_chunks_row() {
        assert_eq!(placed(&["a"], &[]), vec![row("a")]);
        assert_eq!(placed(&["a"], &[("a", tracked(SEEN, false, &[2], &[]))]), vec![row("a")]);
    }

    #[test]
    fn an_unseen_update_wins_but_its_missing_cells_come_from_the_chunk() {
        assert_eq!(
            placed(&["a"], &[("a", tracked(UNSEEN, false, &[2], &[]))]),
            vec![only_big("a")]
        );
        assert_eq!(placed(&["a"], &[("a", tracked(UNSEEN, false, &[], &[]))]), vec![]);
    }

    #[test]
    fn an_unseen_delete_keeps_the_row_away() {
        assert_eq!(placed(&["a"], &[("a", tracked(UNSEEN, true, &[], &[]))]), vec![]);
    }

    #[test]
    fn a_moved_row_is_filled_from_the_key_it_had_in_the_snapshot() {
        let moved = [
            ("a", tracked(UNSEEN, true, &[], &[])),
            ("b", tracked(UNSEEN, false, &[2], &[("a", UNSEEN)])),
        ];
        assert_eq!(placed(&["a"], &moved), vec![only_big("b")]);
        // a -> b seen, b -> c not: the snapshot has it under b
        let chain = [
            ("a", tracked(SEEN, true, &[], &[])),
            ("b", tracked(UNSEEN, true, &[], &[])),
            ("c", tracked(UNSEEN, false, &[2], &[("a", SEEN), ("b", UNSEEN)])),
        ];
        assert_eq!(placed(&["b"], &chain), vec![only_big("c")]);
    }

    #[test]
    fn a_reused_key_does_not_inherit_cells_of_the_row_that_left_it() {
        // a -> b unseen, then another row inserted under a, unseen, with all its cells
        let reused = [
            ("a", tracked(UNSEEN, false, &[], &[])),
            ("b", tracked(UNSEEN, false, &[2], &[("a", UNSEEN)])),
        ];
        assert_eq!(placed(&["a"], &reused), vec![only_big("b")]);
    }

    #[test]
    fn an_unseen_truncate_keeps_all_rows_away() {
        let rows = vec![row("a")];
        let none = HashMap::new();
        assert_eq!(place(rows.clone(), &snapshot(), (&none, true), Some(UNSEEN)).unwrap(), vec![]);
        assert_eq!(place(rows.clone(), &snapshot(), (&none, true), Some(SEEN)).unwrap(), rows);
    }
}
