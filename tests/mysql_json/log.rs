//! The least that finds the JSON column in the log: rows of `t (id int, n int, j json)`, of one
//! database, whose images are full.

use futures_util::StreamExt;
use mysql_async::BinlogStreamRequest;
use mysql_async::prelude::Queryable;

const TABLE_MAP: u8 = 19;
const WRITE_ROWS: u8 = 30;
const UPDATE_ROWS: u8 = 31;
const PARTIAL_UPDATE_ROWS: u8 = 39;

/// The last image of a row in the log; it has the key and the number of updates.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: u64,
    pub(super) n: u64,
    pub(super) json: Json,
}

/// The column in the last image.
#[derive(Debug)]
pub(super) enum Json {
    Null,
    Full(Vec<u8>),
    Partial { before: Vec<u8>, diffs: Vec<u8> },
}

impl Json {
    /// What the code under test makes of it.
    pub(super) fn text(&self) -> Option<String> {
        let mut out = Vec::new();
        match self {
            Json::Null => out.extend_from_slice(b"NULL"),
            Json::Full(binary) => trueup::source::mysql::json::write_text(binary, &mut out)?,
            Json::Partial { before, diffs } => {
                trueup::source::mysql::json::apply_diffs(before, diffs, &mut out)?;
            }
        }
        Some(String::from_utf8(out).unwrap())
    }
}

/// All rows of a database's `t` in the log.
pub(super) async fn rows(database: &str) -> Vec<Row> {
    let mut session = super::connect(None).await;
    let (file, ..): (String, u64, String) =
        session.query_first("SHOW BINARY LOGS").await.unwrap().unwrap();
    let request = BinlogStreamRequest::new(4_000_000_000 + std::process::id() % 1_000_000)
        .with_non_blocking()
        .with_filename(file.as_bytes())
        .with_pos(4);
    let mut log = session.get_binlog_stream(request).await.unwrap();
    let mut rows = Vec::new();
    let mut number = None;
    while let Some(event) = log.next().await {
        let event = event.unwrap();
        let data = event.data();
        match event.header().event_type_raw() {
            TABLE_MAP => {
                let name = [&[u8::try_from(database.len()).unwrap()], database.as_bytes()];
                let is_ours = data[8..].starts_with(&[&name.concat()[..], b"\0\x01t\0"].concat());
                number = is_ours.then(|| data[..6].to_vec());
            }
            kind @ (WRITE_ROWS | UPDATE_ROWS | PARTIAL_UPDATE_ROWS)
                if number.as_deref() == Some(&data[..6]) =>
            {
                read_rows(kind, data, &mut rows);
            }
            _ => {}
        }
    }
    rows
}

fn read_rows(kind: u8, data: &[u8], rows: &mut Vec<Row>) {
    // Number and flags, the extra data, which counts its own length.
    let extra = usize::from(u16::from_le_bytes(data[8..10].try_into().unwrap()));
    let mut rest = &data[8 + extra..];
    assert_eq!(take(&mut rest, 1), [3], "columns");
    let images = if kind == WRITE_ROWS { 1 } else { 2 };
    for _ in 0..images {
        assert_eq!(take(&mut rest, 1)[0] & 7, 7, "all of them are there");
    }
    while !rest.is_empty() {
        let mut row = read_image(&mut rest, None);
        if kind == UPDATE_ROWS {
            row = read_image(&mut rest, None);
        } else if kind == PARTIAL_UPDATE_ROWS {
            // Options; bit 0 says that bits of the JSON columns follow.
            let options = take(&mut rest, 1)[0];
            let is_partial = options == 1 && take(&mut rest, 1)[0] & 1 == 1;
            let Json::Full(before) = row.json else { panic!("{row:?}") };
            row = read_image(&mut rest, is_partial.then_some(before));
        }
        rows.push(row);
    }
}

fn read_image(rest: &mut &[u8], partial_of: Option<Vec<u8>>) -> Row {
    let nulls = take(rest, 1)[0];
    let id = number(take(rest, 4));
    let n = number(take(rest, 4));
    if nulls & 4 != 0 {
        return Row { id, n, json: Json::Null };
    }
    let length = usize::try_from(number(take(rest, 4))).unwrap();
    let value = take(rest, length).to_vec();
    let json = match partial_of {
        Some(before) => Json::Partial { before, diffs: value },
        None => Json::Full(value),
    };
    Row { id, n, json }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (head, tail) = rest.split_at(count);
    *rest = tail;
    head
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
