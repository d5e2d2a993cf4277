//! Binlog events as bytes: the common header, statements, and which event ends a group. How groups
//! are numbered: [`super::gtid`].
//!
//! Rows and table maps have their own files ([`super::rows`], [`super::table_map`]); statements
//! are only taken apart here, [`super::statement`] says what they do.

use std::io::Read;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use mysql_async::binlog::events::Event as RawEvent;

use super::charset::Charset;
use super::reader::Reader;
use crate::source::frame;

/// The common header: timestamp, type, server, size, next position, flags.
pub(super) const HEADER_BYTES: usize = 19;

/// How often the server speaks when it has nothing to say.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(2);

/// Event types by number.
pub(super) mod kind {
    pub(in super::super) const QUERY: u8 = 2;
    pub(in super::super) const STOP: u8 = 3;
    pub(in super::super) const ROTATE: u8 = 4;
    pub(in super::super) const INTVAR: u8 = 5;
    pub(in super::super) const APPEND_BLOCK: u8 = 9;
    pub(in super::super) const DELETE_FILE: u8 = 11;
    pub(in super::super) const RAND: u8 = 13;
    pub(in super::super) const USER_VAR: u8 = 14;
    pub(in super::super) const FORMAT_DESCRIPTION: u8 = 15;
    pub(in super::super) const XID: u8 = 16;
    pub(in super::super) const BEGIN_LOAD_QUERY: u8 = 17;
    pub(in super::super) const EXECUTE_LOAD_QUERY: u8 = 18;
    pub(in super::super) const TABLE_MAP: u8 = 19;
    pub(in super::super) const INCIDENT: u8 = 26;
    pub(in super::super) const HEARTBEAT: u8 = 27;
    pub(in super::super) const XA_PREPARE: u8 = 38;
    // MySQL's own.
    pub(in super::super) const IGNORABLE: u8 = 28;
    pub(in super::super) const ROWS_QUERY: u8 = 29;
    pub(in super::super) const GTID_OF_MYSQL: u8 = 33;
    pub(in super::super) const ANONYMOUS_GTID: u8 = 34;
    pub(in super::super) const PREVIOUS_GTIDS: u8 = 35;
    pub(in super::super) const TRANSACTION_CONTEXT: u8 = 36;
    pub(in super::super) const VIEW_CHANGE: u8 = 37;
    pub(in super::super) const PARTIAL_UPDATE: u8 = 39;
    pub(in super::super) const TRANSACTION_PAYLOAD: u8 = 40;
    pub(in super::super) const HEARTBEAT_V2: u8 = 41;
    pub(in super::super) const GTID_TAGGED: u8 = 42;
    // MariaDB's own.
    pub(in super::super) const ANNOTATE: u8 = 160;
    pub(in super::super) const CHECKPOINT: u8 = 161;
    pub(in super::super) const GTID: u8 = 162;
    pub(in super::super) const GTID_LIST: u8 = 163;
    pub(in super::super) const START_ENCRYPTION: u8 = 164;
    pub(in super::super) const QUERY_COMPRESSED: u8 = 165;
}

/// The log continues as if the event were not there.
pub(super) const FLAG_IGNORABLE: u16 = 0x80;
/// The event is not in the log: the server made it for this connection.
pub(super) const FLAG_ARTIFICIAL: u16 = 0x20;

/// What a rows event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowsKind {
    Write,
    Update,
    Delete,
}

/// A rows event by its type: what it does, whether it has the longer header of version 2, and
/// whether its rows are compressed.
pub(super) fn rows_kind(event: u8) -> Option<(RowsKind, bool, bool)> {
    let (first, v2, compressed) = match event {
        23..=25 => (23, false, false),
        30..=32 => (30, true, false),
        kind::PARTIAL_UPDATE => return Some((RowsKind::Update, true, false)),
        166..=168 => (166, false, true),
        169..=171 => (169, true, true),
        _ => return None,
    };
    let kind = match event - first {
        0 => RowsKind::Write,
        1 => RowsKind::Update,
        _ => RowsKind::Delete,
    };
    Some((kind, v2, compressed))
}

/// An event without its checksum.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Seconds since 1970, of the statement's start.
    pub(super) timestamp_secs: u32,
    pub(super) kind: u8,
    pub(super) server: u32,
    pub(super) flags: u16,
    pub(super) body: Bytes,
}

impl Event {
    /// Takes header and body apart; `None` if there is no whole header.
    pub(super) fn parse(event: &Bytes) -> Option<Self> {
        let mut reader = Reader(event.get(..HEADER_BYTES)?);
        let timestamp_secs = reader.u32()?;
        let kind = reader.u8()?;
        let server = reader.u32()?;
        reader.take(8)?;
        let flags = reader.u16()?;
        Some(Self { timestamp_secs, kind, server, flags, body: event.slice(HEADER_BYTES..) })
    }
}

/// Header and body as the server sent them, the checksum left out.
pub(super) fn frame(raw: &RawEvent) -> Bytes {
    let header = raw.header();
    let mut framed = BytesMut::with_capacity(1 + HEADER_BYTES + raw.data().len());
    framed.put_u8(frame::BINLOG_EVENT);
    framed.put_u32_le(header.timestamp());
    framed.put_u8(header.event_type_raw());
    framed.put_u32_le(header.server_id());
    framed.put_u32_le(header.event_size());
    framed.put_u32_le(header.log_pos());
    framed.put_u16_le(header.flags_raw());
    framed.put_slice(raw.data());
    framed.freeze()
}

/// Where in its file an event begins (the header says where it ends); `None` if it is in none.
pub(super) fn offset(event: &[u8]) -> Option<u32> {
    let mut reader = Reader(event.get(..HEADER_BYTES)?);
    reader.take(9)?;
    let size = reader.u32()?;
    let end = reader.u32()?;
    end.checked_sub(size).filter(|offset| *offset > 0)
}

/// A statement as the log carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// The session's default database, empty if none.
    pub(super) database: String,
    pub(super) text: String,
    /// The session's `sql_mode` bits.
    pub(super) sql_mode: u64,
}

/// Reads a QUERY, QUERY_COMPRESSED or EXECUTE_LOAD_QUERY event.
pub(super) fn query(event: &Event) -> Option<Query> {
    let mut reader = Reader(&event.body);
    reader.take(8)?;
    let database_bytes = usize::from(reader.u8()?);
    reader.take(2)?;
    let status_bytes = usize::from(reader.u16()?);
    if event.kind == kind::EXECUTE_LOAD_QUERY {
        reader.take(13)?;
    }
    let (sql_mode, charset) = status(reader.take(status_bytes)?);
    let database = String::from_utf8_lossy(reader.take(database_bytes)?).into_owned();
    reader.take(1)?;
    let inflated;
    let raw = if event.kind == kind::QUERY_COMPRESSED {
        inflated = inflate(reader.0)?;
        inflated.as_slice()
    } else {
        reader.0
    };
    let mut text = Vec::with_capacity(raw.len());
    match charset.and_then(Charset::of_collation) {
        Some(charset) if charset.is_supported() => charset.write_utf8(raw, &mut text),
        _ => text.extend_from_slice(raw),
    }
    Some(Query { database, text: String::from_utf8_lossy(&text).into_owned(), sql_mode })
}

/// `sql_mode` and the client's collation from the status variables, which come in a fixed order;
/// stops at the first one it does not know.
fn status(bytes: &[u8]) -> (u64, Option<u16>) {
    let mut reader = Reader(bytes);
    let (mut sql_mode, mut charset) = (0, None);
    while let Some(code) = reader.u8() {
        let read = match code {
            0 | 3 => reader.take(4).map(drop),
            1 => reader.le(8).map(|mode| sql_mode = mode),
            2 | 6 => reader.counted(1).map(drop).and_then(|()| match code {
                2 => reader.take(1).map(drop),
                _ => Some(()),
            }),
            4 => reader.u16().map(|id| charset = Some(id)).and_then(|()| reader.take(4).map(drop)),
            _ => None,
        };
        if read.is_none() {
            break;
        }
    }
    (sql_mode, charset)
}

/// Undoes MariaDB's `log_bin_compress`: one byte of algorithm and length width, the length, zlib.
/// `None` if it is not that.
pub(super) fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader(bytes);
    let head = reader.u8()?;
    // Bit 7 says compressed, bits 4 to 6 the algorithm (0 is zlib, the only one).
    if head & 0xf0 != 0x80 {
        return None;
    }
    let length = usize::try_from(reader.be(usize::from(head & 0x07).min(8))?).ok()?;
    let mut out = Vec::with_capacity(length.min(1 << 20));
    let limit = u64::try_from(length).ok()?;
    flate2::read::ZlibDecoder::new(reader.0).take(limit).read_to_end(&mut out).ok()?;
    (out.len() == length).then_some(out)
}

/// What a group's event does to the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupEnd {
    /// The group goes on.
    No,
    /// It is committed (or, for XA, prepared).
    Commit,
    /// It is rolled back; it is in the log because of tables that cannot roll back.
    Rollback,
}

/// Whether `event` ends the group it stands in. `statement` is its text if it is a QUERY.
pub(super) fn group_end(event: &Event, statement: Option<&str>, standalone: bool) -> GroupEnd {
    if standalone {
        let leads = matches!(
            event.kind,
            kind::INTVAR
                | kind::RAND
                | kind::USER_VAR
                | kind::TABLE_MAP
                | kind::ANNOTATE
                | kind::ROWS_QUERY
                | kind::BEGIN_LOAD_QUERY
                | kind::APPEND_BLOCK
                | kind::DELETE_FILE
        );
        return if leads { GroupEnd::No } else { GroupEnd::Commit };
    }
    match (event.kind, statement.map(str::trim)) {
        (kind::XID | kind::XA_PREPARE, _) => GroupEnd::Commit,
        (_, Some(text)) if text.eq_ignore_ascii_case("COMMIT") => GroupEnd::Commit,
        (_, Some(text)) if text.eq_ignore_ascii_case("ROLLBACK") => GroupEnd::Rollback,
        _ => GroupEnd::No,
    }
}

/// Events of a group that carry no rows and no statement of ours.
pub(super) fn is_silent(number: u8) -> bool {
    matches!(
        number,
        kind::XID
            | kind::ANNOTATE
            | kind::IGNORABLE
            | kind::ROWS_QUERY
            | kind::TRANSACTION_CONTEXT
            | kind::VIEW_CHANGE
            | kind::INTVAR
            | kind::RAND
            | kind::USER_VAR
            | kind::APPEND_BLOCK
            | kind::DELETE_FILE
            | kind::BEGIN_LOAD_QUERY
    )
}

/// Events that the server made up for this connection carry no checksum of their own.
pub(super) fn has_bad_checksum(raw: &RawEvent) -> bool {
    let header = raw.header();
    let is_made_up = header.flags_raw() & FLAG_ARTIFICIAL != 0
        || matches!(
            header.event_type_raw(),
            kind::ROTATE | kind::HEARTBEAT | kind::HEARTBEAT_V2 | kind::FORMAT_DESCRIPTION
        );
    if is_made_up {
        return false;
    }
    match raw.footer().get_checksum_alg() {
        Ok(Some(alg)) if alg as u8 == 1 => {
            raw.checksum().is_some_and(|sum| u32::from_le_bytes(sum) != raw.calc_checksum(alg))
        }
        _ => false,
    }
}
