//! A table is read in chunks by one session or several, each with snapshots of its own.

use rand::Rng;

use super::{Mirroring, Rows, Source, table};
use crate::change::{Cell, Visibility};

/// Keys are below this.
const KEYS_END: i32 = 40;
/// Rows of a chunk.
const CHUNK_ROWS: usize = 5;

/// What one session reads: the keys after the first up to the second; and its chunk that is on its way.
struct Part {
    after: i32,
    upto: i32,
    read: Option<Read>,
    is_over: bool,
}

struct Read {
    rows: Rows,
    visibility: Visibility,
    /// The log when the snapshot was taken: all of it comes before the chunk.
    seen: usize,
}

/// Reads the table in chunks, and again what lacks cells, while people write. The chunks of several sessions
/// come in any order, those of older snapshots after those of newer ones.
pub(super) fn read_chunks(source: &mut Source, mirroring: &mut Mirroring, sessions: usize) {
    let width = KEYS_END / i32::try_from(sessions).unwrap();
    let part = |after: i32| Part { after, upto: after + width, read: None, is_over: false };
    let mut parts: Vec<Part> =
        (0..KEYS_END).step_by(width.unsigned_abs() as usize).map(part).collect();
    if let Some(last) = parts.last_mut() {
        last.upto = i32::MAX;
    }
    while parts.iter().any(|part| !part.is_over) {
        writes(source);
        let some = source.rng.random_range(mirroring.conformed..=source.log.len());
        mirroring.log(source, some);
        for part in parts.iter_mut().filter(|part| !part.is_over && part.read.is_none()) {
            if sessions > 1 && source.rng.random_ratio(1, 3) {
                continue;
            }
            let (rows, visibility) = source.snapshot();
            let rows = rows.range(part.after + 1..).filter(|(key, _)| **key <= part.upto);
            let rows = rows.take(CHUNK_ROWS).map(|(key, row)| (*key, row.clone())).collect();
            part.read = Some(Read { rows, visibility, seen: source.log.len() });
            writes(source);
        }
        let on_their_way: Vec<usize> =
            (0..parts.len()).filter(|at| parts[*at].read.is_some()).collect();
        let Some(first) = on_their_way.first() else { continue };
        let part = &mut parts
            [*on_their_way.get(source.rng.random_range(0..on_their_way.len())).unwrap_or(first)];
        let Read { rows, visibility, seen } = part.read.take().unwrap();
        let entry = source.rng.random_range(seen.max(mirroring.conformed)..=source.log.len());
        mirroring.log(source, entry);
        mirroring.chunk(&rows, &visibility);
        match rows.last_key_value() {
            Some((last, _)) => part.after = *last,
            None => part.is_over = true,
        }
    }
    read_again(source, mirroring);
}

fn writes(source: &mut Source) {
    for _ in 0..source.rng.random_range(0..6) {
        source.write();
    }
}

fn read_again(source: &mut Source, mirroring: &mut Mirroring) {
    let name = table().name.clone();
    for _ in 0..20 {
        let lacking = mirroring.store.lacking_keys("erp", &name).unwrap();
        if lacking.is_empty() {
            break;
        }
        let (rows, visibility) = source.snapshot();
        let wanted = |id: &i32| lacking.contains(&vec![Cell::text(&id.to_string())]);
        let chunk = rows.into_iter().filter(|(id, _)| wanted(id)).collect();
        mirroring.log(source, source.log.len());
        mirroring.chunk(&chunk, &visibility);
        source.invisible.clear();
    }
}
