//! The events that number the log: which transaction begins, what came before a file, and which XA
//! transaction is meant. Pure.

use bytes::{BufMut, Bytes, BytesMut};
use uuid::Uuid;

use super::event::{Event, kind};
use super::reader::Reader;
use crate::change::gtid_set::Tsid;
use crate::change::position::Gtid;
use crate::change::{GtidSet, Position, TransactionId};
use crate::error::{Error, ErrorKind, Result};

/// The event that begins a group of events (a transaction, or one statement).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GtidEvent {
    /// The transaction; one without a number is told by where it begins, which is not said here.
    pub(super) id: TransactionId,
    /// MariaDB's.
    flags: u8,
    /// MariaDB: the identity of an XA transaction, see [`xid`].
    pub(super) xid: Option<Bytes>,
    /// MySQL: when it was committed, microseconds since 1970-01-01 UTC.
    pub(super) committed_at_micros: Option<i64>,
}

impl GtidEvent {
    const STANDALONE: u8 = 1;
    const GROUP_COMMIT: u8 = 2;
    const PREPARED_XA: u8 = 64;
    const COMPLETED_XA: u8 = 128;

    /// Of no transaction of any log.
    pub(super) fn none() -> Self {
        let id = TransactionId::Gtid(0, Gtid::default());
        Self { id, flags: 0, xid: None, committed_at_micros: None }
    }

    /// Whether an event is one.
    pub(super) fn is_one(number: u8) -> bool {
        matches!(
            number,
            kind::GTID | kind::GTID_OF_MYSQL | kind::GTID_TAGGED | kind::ANONYMOUS_GTID
        )
    }

    pub(super) fn parse(event: &Event) -> Option<Self> {
        match event.kind {
            kind::GTID => Self::of_mariadb(event),
            kind::GTID_OF_MYSQL | kind::ANONYMOUS_GTID => Self::of_mysql(event),
            kind::GTID_TAGGED => Self::tagged(&event.body),
            _ => None,
        }
    }

    fn of_mariadb(event: &Event) -> Option<Self> {
        let mut reader = Reader(&event.body);
        let sequence = reader.le(8)?;
        let domain = reader.u32()?;
        let flags = reader.u8()?;
        if flags & Self::GROUP_COMMIT != 0 {
            reader.take(8)?;
        }
        let mut xid = None;
        if flags & (Self::PREPARED_XA | Self::COMPLETED_XA) != 0 {
            let begin = reader.0;
            reader.take(4)?;
            let parts = usize::from(reader.u8()?) + usize::from(reader.u8()?);
            reader.take(parts)?;
            xid = Some(Bytes::copy_from_slice(begin.get(..begin.len() - reader.0.len())?));
        }
        let id = TransactionId::Gtid(domain, Gtid { server: event.server, sequence });
        Some(Self { id, flags, xid, committed_at_micros: None })
    }

    fn of_mysql(event: &Event) -> Option<Self> {
        let mut reader = Reader(&event.body);
        // Flags: whether statements may be in it.
        reader.u8()?;
        let uuid = Uuid::from_slice(reader.take(16)?).ok()?;
        let number = reader.le(8)?;
        let id = match event.kind {
            kind::ANONYMOUS_GTID => Self::none().id,
            _ => tagged_id(uuid, "", number)?,
        };
        // Type code and two logical clocks, then the time of the commit on this server: 55 bits, and one
        // that says that the first server's follows.
        let time = reader.take(17).and_then(|_| reader.le(7));
        let micros = time.map(|time| time & !(1 << 55));
        let committed_at_micros = micros.and_then(|micros| i64::try_from(micros).ok());
        Some(Self { id, flags: 0, xid: None, committed_at_micros })
    }

    /// Numbered fields with numbers of their own width (MySQL's serialization library, version 2):
    /// version, size, the last field that must be understood, then the fields.
    fn tagged(body: &[u8]) -> Option<Self> {
        const FLAGS: u64 = 0;
        const UUID: u64 = 1;
        const NUMBER: u64 = 2;
        const TAG: u64 = 3;
        const COMMITTED_AT: u64 = 6;
        let mut reader = Reader(body);
        (reader.u8()? == 2).then_some(())?;
        let size = usize::try_from(varlen(&mut reader)?).ok()?;
        let mut reader = Reader(body.get(body.len() - reader.0.len()..size)?);
        varlen(&mut reader)?;
        let mut uuid = [0; 16];
        let (mut number, mut tag, mut committed_at_micros) = (None, String::new(), None);
        while !reader.is_empty() {
            match varlen(&mut reader)? {
                FLAGS => drop(varlen(&mut reader)?),
                UUID => {
                    for byte in &mut uuid {
                        *byte = u8::try_from(varlen(&mut reader)?).ok()?;
                    }
                }
                // The lowest bit is the sign.
                NUMBER => {
                    let raw = varlen(&mut reader)?;
                    number = (raw & 1 == 0).then_some(raw >> 1);
                }
                TAG => {
                    let bytes = usize::try_from(varlen(&mut reader)?).ok()?;
                    tag = std::str::from_utf8(reader.take(bytes)?).ok()?.to_owned();
                }
                COMMITTED_AT => committed_at_micros = i64::try_from(varlen(&mut reader)?).ok(),
                // All fields after it are numbers that we do not need; one that is not may follow them.
                _ => match varlen(&mut reader) {
                    Some(_) => {}
                    None => break,
                },
            }
        }
        let id = tagged_id(Uuid::from_bytes(uuid), &tag, number?)?;
        Some(Self { id, flags: 0, xid: None, committed_at_micros })
    }

    /// A group of one statement, without BEGIN and COMMIT. (MySQL does not say it.)
    pub(super) fn is_standalone(&self) -> bool {
        self.flags & Self::STANDALONE != 0
    }

    /// The group is an XA transaction that is prepared, not committed. (MySQL does not say it.)
    pub(super) fn is_prepared_xa(&self) -> bool {
        self.flags & Self::PREPARED_XA != 0
    }

    /// The group commits or rolls back a prepared XA transaction. (MySQL does not say it.)
    pub(super) fn is_completed_xa(&self) -> bool {
        self.flags & Self::COMPLETED_XA != 0
    }
}

/// No transaction has the number 0: a position with it could be written, but not read again.
fn tagged_id(uuid: Uuid, tag: &str, number: u64) -> Option<TransactionId> {
    (number > 0).then_some(TransactionId::Tagged(Tsid::new(uuid, tag)?, number))
}

/// The lowest bits that are set say how many bytes follow.
fn varlen(reader: &mut Reader<'_>) -> Option<u64> {
    let first = reader.u8()?;
    let more = first.trailing_ones();
    if more == 8 {
        return reader.le(8);
    }
    let rest = reader.le(usize::try_from(more).ok()?)?;
    let head = u64::from(first) >> (more + 1);
    // (Seven more bytes leave nothing of the first one.)
    Some(head | rest << (7 - more))
}

/// MariaDB's event at the start of each binlog file: what the files before it hold.
pub(super) fn gtid_list(event: &Event) -> Option<Vec<TransactionId>> {
    let mut reader = Reader(&event.body);
    // The upper four bits are flags.
    let count = reader.u32()? & 0x0fff_ffff;
    let mut list = Vec::new();
    for _ in 0..count {
        let domain = reader.u32()?;
        let server = reader.u32()?;
        list.push(TransactionId::Gtid(domain, Gtid { server, sequence: reader.le(8)? }));
    }
    Some(list)
}

/// MySQL's. With tags, the first and the last byte of the count say so.
pub(super) fn previous_gtids(event: &Event) -> Option<GtidSet> {
    let mut reader = Reader(&event.body);
    let head = reader.le(8)?;
    let is_tagged = head >> 56 == 1;
    let count = if is_tagged { head << 8 >> 16 } else { head };
    let mut set = GtidSet::default();
    for _ in 0..count {
        let uuid = Uuid::from_slice(reader.take(16)?).ok()?;
        let bytes = if is_tagged { usize::try_from(varlen(&mut reader)?).ok()? } else { 0 };
        let tsid = Tsid::new(uuid, std::str::from_utf8(reader.take(bytes)?).ok()?)?;
        for _ in 0..reader.le(8)? {
            let first = reader.le(8).filter(|first| *first > 0)?;
            set.insert(tsid, first, reader.le(8)?.checked_sub(1)?);
        }
    }
    Some(set)
}

/// Each binlog file begins with what the files before it hold: more than was read, up to `here`, means that
/// something was left out.
pub(super) fn check_list(event: &Event, here: &Position) -> Result<()> {
    let list = gtid_list(event).ok_or_else(|| unreadable("a GTID list", here))?;
    match list.into_iter().find(|id| here.includes(*id) != Some(true)) {
        None => Ok(()),
        Some(id) => Err(left_out(&id, here)),
    }
}

/// The same in MySQL.
pub(super) fn check_set(event: &Event, here: &Position) -> Result<()> {
    let set = previous_gtids(event);
    let before =
        Position::Gtids(set.ok_or_else(|| unreadable("the GTIDs before a binlog file", here))?);
    if here.covers(&before)? { Ok(()) } else { Err(left_out(&before, here)) }
}

fn unreadable(what: &str, here: &Position) -> Error {
    Error::new(ErrorKind::Decode, format!("could not read {what} of the log after {here}"))
}

fn left_out(before: &dyn std::fmt::Display, here: &Position) -> Error {
    let what = format!("the log goes on after {before}, but we have read only to {here}");
    Error::new(ErrorKind::Gap, what).hint("copy the source again")
}

/// What a statement says of an XA transaction in MySQL's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum XaWord {
    /// Its rows follow.
    Start,
    /// Its rows are complete.
    End,
    /// It is committed after all.
    Commit(Bytes),
    /// Or it is not.
    Rollback(Bytes),
}

impl XaWord {
    /// `None` for other statements. The log has `XA COMMIT X'67',X'62',1`.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        words.next().filter(|word| word.eq_ignore_ascii_case("XA"))?;
        let verb = words.next()?.to_ascii_uppercase();
        let rest = words.collect::<String>();
        match verb.as_str() {
            "START" | "BEGIN" => Some(XaWord::Start),
            "END" => Some(XaWord::End),
            "COMMIT" => named(&rest).map(XaWord::Commit),
            "ROLLBACK" => named(&rest).map(XaWord::Rollback),
            _ => None,
        }
    }
}

fn named(text: &str) -> Option<Bytes> {
    let mut parts = text.split(',');
    let mut hex = || {
        let digits = parts.next()?.strip_prefix(['X', 'x'])?.trim_matches('\'');
        (digits.len() % 2 == 0).then_some(())?;
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        digits.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()
    };
    let (global, branch) = (hex()?, hex()?);
    xid(parts.next()?.parse().ok()?, &global, &branch)
}

/// MySQL's event at the end of a prepared XA transaction: its identity; `None` where it is committed in
/// one phase (`Some(None)`) or malformed.
pub(super) fn prepared(event: &Event) -> Option<Option<Bytes>> {
    let mut reader = Reader(&event.body);
    let is_one_phase = reader.u8()? != 0;
    let format = reader.u32()?;
    let (global, branch) = (reader.u32()?, reader.u32()?);
    let global = reader.take(usize::try_from(global).ok()?)?;
    let branch = reader.take(usize::try_from(branch).ok()?)?;
    let xid = xid(format, global, branch)?;
    Some((!is_one_phase).then_some(xid))
}

/// The identity of an XA transaction, as MariaDB's log has it: format, lengths and both parts.
fn xid(format: u32, global: &[u8], branch: &[u8]) -> Option<Bytes> {
    let mut xid = BytesMut::with_capacity(6 + global.len() + branch.len());
    xid.put_u32_le(format);
    xid.put_u8(u8::try_from(global.len()).ok()?);
    xid.put_u8(u8::try_from(branch.len()).ok()?);
    xid.put_slice(global);
    xid.put_slice(branch);
    Some(xid.freeze())
}

/// How many bytes the events of MySQL's compressed transaction have together.
pub(super) fn payload_bytes(event: &Event) -> Option<u64> {
    const END: usize = 0;
    const PAYLOAD_BYTES: usize = 1;
    const ALGORITHM: usize = 2;
    const EVENT_BYTES: usize = 3;
    const UNCOMPRESSED: u64 = 255;
    let mut reader = Reader(&event.body);
    let (mut packed, mut unpacked, mut is_plain) = (None, None, false);
    loop {
        match reader.length()? {
            END => break,
            number => {
                let mut field = Reader(reader.text()?);
                let value = field.length().and_then(|value| u64::try_from(value).ok())?;
                match number {
                    PAYLOAD_BYTES => packed = Some(value),
                    ALGORITHM => is_plain = value == UNCOMPRESSED,
                    EVENT_BYTES => unpacked = Some(value),
                    _ => {}
                }
            }
        }
    }
    if is_plain { packed } else { unpacked }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn event(number: u8, body: &[u8]) -> Event {
        let body = Bytes::copy_from_slice(body);
        Event { timestamp_secs: 0, kind: number, server: 1, flags: 0, body }
    }

    #[test]
    fn words_about_xa_name_the_same_identity_as_the_event_does() {
        let named = [&7_u32.to_le_bytes()[..], &[2, 3], b"gtbra"].concat();
        let xid = Bytes::from(named);
        let word = |text: &str| XaWord::of(text);
        assert_eq!(word("XA START X'6774',X'627261',7"), Some(XaWord::Start));
        assert_eq!(word("xa end X'6774',X'627261',7"), Some(XaWord::End));
        assert_eq!(word("XA COMMIT X'6774',X'627261',7"), Some(XaWord::Commit(xid.clone())));
        assert_eq!(word("XA ROLLBACK X'6774',X'627261',7"), Some(XaWord::Rollback(xid.clone())));
        for other in
            ["XA COMMIT X'6',X'',1", "XA COMMIT 'a'", "XA", "COMMIT", "UPDATE xa SET a = 1"]
        {
            assert_eq!(word(other), None, "{other}");
        }
        let body = |one_phase: u8| {
            let lengths = [7_u32, 2, 3].map(u32::to_le_bytes).concat();
            [&[one_phase][..], &lengths, b"gtbra"].concat()
        };
        assert_eq!(prepared(&event(kind::XA_PREPARE, &body(0))), Some(Some(xid)));
        assert_eq!(prepared(&event(kind::XA_PREPARE, &body(1))), Some(None));
        assert_eq!(prepared(&event(kind::XA_PREPARE, &body(0)[..12])), None);
    }

    #[test]
    fn numbers_of_their_own_width_are_read() {
        let read = |bytes: &[u8]| {
            let mut reader = Reader(bytes);
            varlen(&mut reader).filter(|_| reader.is_empty())
        };
        assert_eq!(read(&[0]), Some(0));
        assert_eq!(read(&[0xfe]), Some(127));
        assert_eq!(read(&[0x01, 0x02]), Some(128));
        assert_eq!(read(&[0x7f, 1, 0, 0, 0, 0, 0, 0]), Some(1));
        assert_eq!(read(&[&[0xff][..], &[0xff; 8]].concat()), Some(u64::MAX));
        assert_eq!(read(&[0x03, 0]), None);
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_a_panic(
            number in 30_u8..45,
            body in vec(any::<u8>(), 0..80),
            begins_well in any::<bool>(),
            text in "XA (COMMIT|ROLLBACK) [X'0-9a-f,]{0,20}",
        ) {
            let body = if begins_well { [&[2, 160, 0][..], &body].concat() } else { body };
            let event = event(number, &body);
            GtidEvent::parse(&event);
            previous_gtids(&event);
            gtid_list(&event);
            prepared(&event);
            payload_bytes(&event);
            XaWord::of(&text);
        }
    }
}
