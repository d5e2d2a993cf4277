//! Doors of the fuzz targets to the logs of MariaDB and MySQL: see [`crate::fuzzing`].

mod composed;
mod kinds;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::dialect::Dialect;
use super::event::{self, Event, kind};
use super::gtid::{self as numbers, GtidEvent, XaWord};
use super::json as documents;
use super::rows as images;
use super::statement::{self as statements, Effect, Mirrored};
use super::table_map;
use super::token::tokens;
use super::witness::Witness;
use crate::change::{Cells, Change, Column, Position, Table, TableName, TransactionId};
use crate::config::SourceKind;
use crate::fuzzing::{Input, decodes_in_pieces, is_within, same_again};

/// Journal entries of a MariaDB source.
pub fn binlog_mariadb(data: &[u8]) -> bool {
    decodes_in_pieces(SourceKind::Mariadb, &composed::entry(Dialect::Mariadb, data))
}

/// Journal entries of a MySQL source.
pub fn binlog_mysql(data: &[u8]) -> bool {
    decodes_in_pieces(SourceKind::Mysql, &composed::entry(Dialect::Mysql, data))
}

/// The dialect (1 is MySQL), the number of the event, a table map, and the body of a rows event.
pub fn rows(data: &[u8]) -> bool {
    let mut input = Input(data);
    let head = input.byte();
    let dialect = if head & 1 == 0 { Dialect::Mariadb } else { Dialect::Mysql };
    let number = input.byte();
    let map = input.piece();
    let Some(log) = table_map::parse(map, dialect) else { return false };
    let Some(table) = table_map::merge(&log, &cataloged(&log, head)) else { return false };
    let Some(plan) = table_map::bind(&log, &Arc::new(table)) else { return false };
    // No table has two columns of one name.
    let names: BTreeSet<&String> = plan.table.columns.iter().map(|column| &column.name).collect();
    if names.len() < plan.table.columns.len() {
        return false;
    }
    let Some(event) = images::parse(number, input.0) else { return false };
    let (mut sheets, mut changes) = (images::Sheets::default(), Vec::new());
    let is_read = images::decode(&event, &plan, &mut sheets, &mut changes).is_some();
    sheets.close().unwrap();
    if !is_read {
        assert!(!images::why_unread(&plan).is_empty());
        return false;
    }
    for change in &changes {
        let Change::Row(row) = change else { panic!("rows events give rows") };
        for of in [&row.old, &row.new].into_iter().flatten() {
            for (cell, column) in of.cells().zip(&row.table.columns) {
                if let Some(text) = cell.bytes() {
                    assert!(kinds::is_of(column.kind, text), "{} of {:?}", show(text), column.kind);
                }
            }
        }
    }
    // Names of an enum are told once and may be meant by every row; compression has its own factor.
    let factor = 600 + map.len() * 8;
    assert!(is_within(&changes, input.0.len().saturating_mul(factor).saturating_mul(1_100)));
    true
}

/// A catalog that knows MariaDB's own types, if the head says so.
fn cataloged(log: &table_map::LogTable, head: u8) -> Table {
    let own = ["", "uuid", "inet6", "inet4"][usize::from(head >> 1 & 3)];
    let columns = log.columns.iter().filter(|_| !own.is_empty()).map(|column| Column {
        name: column.name.clone().unwrap_or_default(),
        source_type: own.to_owned(),
        kind: column.codec.kind(),
        key: None,
    });
    Table {
        id: 1,
        name: log.name.clone(),
        columns: columns.collect(),
        cascades: Vec::new(),
        left_out: Vec::new(),
        rows: None,
    }
}

fn show(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// A document (0), or one with its partial update (1).
pub fn json(data: &[u8]) -> bool {
    let mut input = Input(data);
    let is_partial = input.byte() % 2 == 1;
    let mut out = b"before".to_vec();
    let written = if is_partial {
        let before = input.piece();
        documents::apply_diffs(before, input.0, &mut out)
    } else {
        documents::write_text(input.0, &mut out)
    };
    let Some(text) = out.strip_prefix(b"before") else { panic!("what was there is gone") };
    if written.is_none() {
        assert!(text.is_empty(), "{}", show(text));
        return false;
    }
    assert!(text.len() <= 32 * data.len() + 64, "{} bytes of {}", text.len(), data.len());
    assert!(kinds::is_json(text), "{}", show(text));
    true
}

/// The mode of the session, its database, and a statement.
pub fn statement(data: &[u8]) -> bool {
    let mut input = Input(data);
    let sql_mode = [0, 0x4, 0x10_0000, 0x10_0004][usize::from(input.byte()) % 4];
    let database = ["hr", "x", ""][usize::from(input.byte()) % 3].to_owned();
    let text = show(input.0);
    let bytes: usize = tokens(&text, sql_mode).iter().map(|token| token.text().len()).sum();
    assert!(bytes <= text.len(), "tokens are parts of the text");
    let query = event::Query { database, text, sql_mode };
    judge(&query) | XaWord::of(&query.text).is_some()
}

/// Only tables of ours are meant. True if any is.
fn judge(query: &event::Query) -> bool {
    let ours = ["person", "Job", "mem"].map(|name| TableName::new("hr", name));
    let mirrored: Mirrored = ours.iter().collect();
    let effect = statements::effect(query, &mirrored);
    if let Effect::Emptied(tables) | Effect::Doubted(tables) | Effect::Replaced(tables) = &effect {
        assert!(!tables.is_empty() && tables.iter().all(|table| mirrored.contains(table)));
    }
    // What takes something back does so whoever is asked.
    let is_rollback = |effect: &Effect| matches!(effect, Effect::RollbackTo(_));
    let nobody = statements::effect(query, &Mirrored::default());
    assert_eq!(is_rollback(&nobody), is_rollback(&effect));
    effect != Effect::None
}

/// Which event, and its body.
pub fn gtid(data: &[u8]) -> bool {
    let mut input = Input(data);
    const KINDS: [u8; 11] = [
        kind::GTID_OF_MYSQL,
        kind::GTID_TAGGED,
        kind::GTID,
        kind::GTID_LIST,
        kind::PREVIOUS_GTIDS,
        kind::XA_PREPARE,
        kind::TRANSACTION_PAYLOAD,
        kind::QUERY,
        kind::QUERY_COMPRESSED,
        kind::EXECUTE_LOAD_QUERY,
        kind::ANONYMOUS_GTID,
    ];
    let kind = KINDS[usize::from(input.byte()) % KINDS.len()];
    let body = Bytes::copy_from_slice(input.0);
    let event = Event { timestamp_secs: 1, kind, server: 1, flags: 0, body };
    match kind {
        kind::GTID_LIST => {
            let Some(list) = numbers::gtid_list(&event) else { return false };
            assert!(list.len() * 16 <= event.body.len());
            list.into_iter().for_each(survives);
        }
        kind::PREVIOUS_GTIDS => {
            let Some(set) = numbers::previous_gtids(&event) else { return false };
            same_again::<Position>(&Position::Gtids(set).to_string()).unwrap();
        }
        kind::XA_PREPARE => return numbers::prepared(&event).is_some(),
        kind::TRANSACTION_PAYLOAD => return numbers::payload_bytes(&event).is_some(),
        kind::QUERY | kind::QUERY_COMPRESSED | kind::EXECUTE_LOAD_QUERY => {
            let Some(query) = event::query(&event) else { return false };
            judge(&query);
        }
        _ => {
            let Some(group) = GtidEvent::parse(&event) else { return false };
            assert_eq!(group.xid.is_some(), group.is_prepared_xa() || group.is_completed_xa());
            survives(group.id);
        }
    }
    true
}

/// A transaction is read as it is written, and so is the position after it.
fn survives(id: TransactionId) {
    same_again::<TransactionId>(&id.to_string()).unwrap();
    let mut position = match id {
        TransactionId::Tagged(..) => "gtids:".parse::<Position>().unwrap(),
        _ => "gtid:".parse().unwrap(),
    };
    position.advance(id);
    same_again::<Position>(&position.to_string()).unwrap();
    assert_eq!(position.includes(id), Some(true));
}

/// Whether a text is the witness of a position.
pub(crate) fn witness(text: &str) -> bool {
    same_again::<Witness>(text).is_some()
}
