//! For tests: other bytes in the files of a state folder, as if they had always been there.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// Puts other bytes in the place of some, in entries of the capture log and in what could not be read; in how
/// many.
pub(crate) fn rewrite(folder: &Path, from: &[u8], to: &[u8]) -> usize {
    let journal = std::fs::read_dir(folder.join("journal")).unwrap();
    let files = journal.map(|file| file.unwrap().path());
    let is_segment = |path: &PathBuf| path.extension() == Some("segment".as_ref());
    let entries = files.filter(is_segment).map(|path| (path, "entry", "seq", "bytes"));
    let mut count = 0;
    for (path, table, id, column) in entries.chain([(ledger(folder), "unread", "id", "frames")]) {
        let file = Connection::open(&path).unwrap();
        let sql = format!("SELECT {id}, {column} FROM {table}");
        let mut statement = file.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let rows: Vec<(u64, Vec<u8>)> = rows.map(Result::unwrap).collect();
        for (number, mut bytes) in rows {
            let place = bytes.windows(from.len()).position(|window| window == from);
            let Some(place) = place else { continue };
            bytes.splice(place..place + from.len(), to.iter().copied());
            let sql = format!("UPDATE {table} SET {column} = ?2 WHERE {id} = ?1");
            count += file.execute(&sql, (number, bytes)).unwrap();
        }
    }
    count
}

/// As if the bytes of what could not be read had never been kept.
pub(crate) fn forget_unread_bytes(folder: &Path) {
    let ledger = Connection::open(ledger(folder)).unwrap();
    ledger.execute("UPDATE unread SET frames = x''", []).unwrap();
}

fn ledger(folder: &Path) -> PathBuf {
    folder.join("ledger.sqlite")
}
