//! The TABLE_MAP event: what a table looked like when its rows were written.
//!
//! With `binlog_row_metadata = FULL` it carries names, signs, character sets, enum values and the
//! primary key. It lacks foreign keys and MariaDB's own types (UUID, INET), which the catalog
//! knows: [`bind`] joins the two.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::charset::Charset;
use super::codec::Codec;
use super::dialect::Dialect;
use super::reader::Reader;
use crate::change::{Column, Table, TableName};

/// The widest BINARY column that either server makes.
const BINARY_BYTES_MAX: usize = 255;

/// A table as the log knows it.
#[derive(Debug, Clone)]
pub(super) struct LogTable {
    pub(super) name: TableName,
    pub(super) columns: Vec<LogColumn>,
}

/// A column as the log knows it.
#[derive(Debug, Clone)]
pub(super) struct LogColumn {
    /// `None` unless the server logs full metadata.
    pub(super) name: Option<String>,
    pub(super) codec: Codec,
    pub(super) key: Option<u16>,
}

/// Only number and name, which is all that capture needs; the body of the event.
pub(super) fn peek(body: &[u8]) -> Option<(u64, TableName)> {
    header(&mut Reader(body))
}

fn header(reader: &mut Reader<'_>) -> Option<(u64, TableName)> {
    let number = reader.le(6)?;
    reader.take(2)?;
    let schema = String::from_utf8_lossy(reader.counted(1)?).into_owned();
    reader.take(1)?;
    let name = String::from_utf8_lossy(reader.counted(1)?).into_owned();
    reader.take(1)?;
    Some((number, TableName { schema, name }))
}

/// What a TABLE_MAP says but for the number, which changes with every flush.
pub(super) fn shape(body: &Bytes) -> Bytes {
    body.slice(6.min(body.len())..)
}

/// The number of the table in a TABLE_MAP or a rows event.
pub(super) fn number(body: &[u8]) -> Option<u64> {
    Reader(body).le(6)
}

/// Reads the whole body; `None` if it is malformed.
pub(super) fn parse(body: &[u8], dialect: Dialect) -> Option<LogTable> {
    let mut reader = Reader(body);
    let (_, name) = header(&mut reader)?;
    let count = reader.length()?;
    let types = reader.take(count)?;
    let mut metadata = Reader(reader.text()?);
    reader.take(count.div_ceil(8))?;
    let details = Details::read(reader)?;
    let mut raw_types = Vec::with_capacity(count);
    for number in types {
        raw_types.push(RawType::read(*number, &mut metadata)?);
    }
    let columns = details.columns(&raw_types, dialect)?;
    Some(LogTable { name, columns })
}

/// A type number with its metadata.
#[derive(Debug, Clone, Copy)]
struct RawType {
    number: u8,
    a: u8,
    b: u8,
}

impl RawType {
    fn read(number: u8, metadata: &mut Reader<'_>) -> Option<Self> {
        let bytes = match number {
            // Blobs, float, double, geometry, and the times with fractions.
            4 | 5 | 17 | 18 | 19 | 140 | 242 | 245 | 249..=252 | 255 => 1,
            15 | 16 | 141 | 246 | 247 | 248 | 253 | 254 => 2,
            _ => 0,
        };
        let raw = metadata.take(bytes)?;
        let mut a = raw.first().copied().unwrap_or_default();
        let b = raw.get(1).copied().unwrap_or_default();
        let mut real = number;
        if number == 254 && a & 0x30 == 0x30 {
            // ENUM and SET hide behind STRING.
            real = a;
            a = 0;
        } else if number == 254 {
            // The two upper bits of a length above 255, inverted.
            real = a | 0x30;
            a = (a & 0x30 ^ 0x30) >> 4;
        }
        Some(Self { number: real, a, b })
    }

    /// YEAR is counted among the columns that have a sign.
    fn is_numeric(self) -> bool {
        matches!(self.number, 1..=5 | 8 | 9 | 13 | 246)
    }

    fn is_enum_or_set(self) -> bool {
        matches!(self.number, 247 | 248)
    }

    /// MariaDB counts geometry among the columns that have a character set, MySQL its vectors.
    fn is_character(self, dialect: Dialect) -> bool {
        match self.number {
            15 | 140 | 141 | 249..=254 => true,
            255 => dialect == Dialect::Mariadb,
            242 => dialect == Dialect::Mysql,
            _ => false,
        }
    }

    fn codec(
        self,
        unsigned: bool,
        charset: Option<Charset>,
        is_key: bool,
        values: Vec<Vec<u8>>,
    ) -> Codec {
        let string = |length_bytes, width| string(length_bytes, width, charset, is_key);
        let signed = !unsigned;
        let long = |length: usize| if length > 255 { 2 } else { 1 };
        let width = usize::from(self.b) | usize::from(self.a) << 8;
        match self.number {
            1 => Codec::Int { bytes: 1, signed },
            2 => Codec::Int { bytes: 2, signed },
            9 => Codec::Int { bytes: 3, signed },
            3 => Codec::Int { bytes: 4, signed },
            8 => Codec::Int { bytes: 8, signed },
            4 => Codec::Float,
            5 => Codec::Double,
            246 => Codec::Decimal { precision: self.a, scale: self.b },
            13 => Codec::Year,
            16 => match u16::from(self.b) * 8 + u16::from(self.a) {
                bits @ 1..=64 => Codec::Bit { bits },
                _ => Codec::Unsupported(self.number),
            },
            10 | 14 => Codec::Date,
            17..=19 if self.a > 6 => Codec::Unsupported(self.number),
            19 => Codec::Time { digits: self.a },
            18 => Codec::DateTime { digits: self.a },
            17 => Codec::Timestamp { digits: self.a },
            11 => Codec::OldTime,
            12 => Codec::OldDateTime,
            7 => Codec::OldTimestamp,
            247 => Codec::Enum { bytes: self.b, values },
            248 => Codec::Set { bytes: self.b, values },
            // Geometry, and MySQL's vectors.
            255 | 242 => Codec::Bytes { length_bytes: self.a, width: 0 },
            245 => Codec::Json { length_bytes: self.a },
            249..=252 => string(self.a, 0),
            15 => {
                let longest = usize::from(self.a) | usize::from(self.b) << 8;
                string(long(longest), 0)
            }
            253 | 254 => string(long(width), width),
            // MariaDB's compressed columns.
            140 => Codec::Opaque { length_bytes: self.a, number: 140 },
            141 => {
                let longest = usize::from(self.a) | usize::from(self.b) << 8;
                Codec::Opaque { length_bytes: long(longest), number: 141 }
            }
            number => Codec::Unsupported(number),
        }
    }
}

fn string(length_bytes: u8, width: usize, charset: Option<Charset>, is_key: bool) -> Codec {
    match charset {
        // Every value is filled up to the width.
        Some(Charset::Binary) if width > BINARY_BYTES_MAX => Codec::Unsupported(254),
        Some(Charset::Binary) => Codec::Bytes { length_bytes, width },
        Some(charset) if charset.is_supported() => Codec::Text { length_bytes, charset, is_key },
        _ => Codec::Opaque { length_bytes, number: 254 },
    }
}

/// The optional metadata, raw.
#[derive(Debug, Default)]
struct Details<'a> {
    signs: &'a [u8],
    names: Vec<String>,
    charsets: Charsets,
    enum_charsets: Charsets,
    set_values: Vec<Vec<&'a [u8]>>,
    enum_values: Vec<Vec<&'a [u8]>>,
    key: Vec<usize>,
}

/// Collations of the character columns, counted among themselves.
#[derive(Debug, Default)]
struct Charsets {
    default: Option<u16>,
    other: HashMap<usize, u16>,
}

impl Charsets {
    fn at(&self, place: usize) -> Option<Charset> {
        self.other.get(&place).copied().or(self.default).and_then(Charset::of_collation)
    }

    fn read_default(&mut self, mut field: Reader<'_>) -> Option<()> {
        self.default = Some(u16::try_from(field.length()?).ok()?);
        while !field.is_empty() {
            let place = field.length()?;
            self.other.insert(place, u16::try_from(field.length()?).ok()?);
        }
        Some(())
    }

    fn read_each(&mut self, mut field: Reader<'_>) -> Option<()> {
        while !field.is_empty() {
            self.other.insert(self.other.len(), u16::try_from(field.length()?).ok()?);
        }
        Some(())
    }
}

impl<'a> Details<'a> {
    fn read(mut reader: Reader<'a>) -> Option<Self> {
        let mut details = Self::default();
        while !reader.is_empty() {
            let number = reader.u8()?;
            let mut field = Reader(reader.text()?);
            match number {
                1 => details.signs = field.0,
                2 => details.charsets.read_default(field)?,
                3 => details.charsets.read_each(field)?,
                4 => {
                    while !field.is_empty() {
                        details.names.push(String::from_utf8_lossy(field.text()?).into_owned());
                    }
                }
                5 => details.set_values = values(field)?,
                6 => details.enum_values = values(field)?,
                8 | 9 => {
                    while !field.is_empty() {
                        details.key.push(field.length()?);
                        if number == 9 {
                            // How much of the column the key covers.
                            field.length()?;
                        }
                    }
                }
                10 => details.enum_charsets.read_default(field)?,
                11 => details.enum_charsets.read_each(field)?,
                _ => {}
            }
        }
        Some(details)
    }

    fn columns(&self, types: &[RawType], dialect: Dialect) -> Option<Vec<LogColumn>> {
        let (mut numeric, mut text, mut listed) = (0, 0, 0);
        let (mut enums, mut sets) = (self.enum_values.iter(), self.set_values.iter());
        let mut columns = Vec::with_capacity(types.len());
        for (place, raw) in types.iter().enumerate() {
            let mut unsigned = false;
            let mut charset = None;
            let mut names = Vec::new();
            if raw.is_numeric() {
                // The first column is the highest bit.
                let byte = self.signs.get(numeric / 8).copied().unwrap_or_default();
                unsigned = byte >> (7 - numeric % 8) & 1 == 1;
                numeric += 1;
            } else if raw.is_enum_or_set() {
                charset = self.enum_charsets.at(listed);
                let raw_values = if raw.number == 247 { enums.next() } else { sets.next() };
                names = utf8_values(raw_values.map_or(&[], Vec::as_slice), charset);
                listed += 1;
            } else if raw.is_character(dialect) {
                charset = self.charsets.at(text).map(|charset| charset.in_dialect(dialect));
                text += 1;
            }
            let rank = self.key.iter().position(|key| *key == place);
            let is_key = rank.is_some();
            columns.push(LogColumn {
                name: self.names.get(place).cloned(),
                codec: raw.codec(unsigned, charset, is_key, names),
                key: rank.and_then(|rank| u16::try_from(rank).ok()),
            });
        }
        Some(columns)
    }
}

fn values(mut field: Reader<'_>) -> Option<Vec<Vec<&[u8]>>> {
    let mut columns = Vec::new();
    while !field.is_empty() {
        let count = field.length()?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(field.text()?);
        }
        columns.push(values);
    }
    Some(columns)
}

fn utf8_values(values: &[&[u8]], charset: Option<Charset>) -> Vec<Vec<u8>> {
    let charset = charset.unwrap_or(Charset::Utf8);
    let convert = |value: &&[u8]| {
        let mut out = Vec::new();
        charset.write_utf8(value, &mut out);
        out
    };
    values.iter().map(convert).collect()
}

/// The codec of each column of the log and its place in `table`; `None` for a column that the
/// table does not have.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) table: Arc<Table>,
    pub(super) columns: Vec<(Codec, Option<usize>)>,
}

/// Joins a table of the log with the schema history by column names. `None` if the log carries
/// no names.
pub(super) fn bind(log: &LogTable, table: &Arc<Table>) -> Option<Plan> {
    let mut columns = Vec::with_capacity(log.columns.len());
    for column in &log.columns {
        let name = column.name.as_ref()?;
        let place = table.columns.iter().position(|known| known.name == *name);
        let spelling = place.and_then(|place| table.columns.get(place));
        let codec = own_type(&column.codec, spelling).unwrap_or_else(|| column.codec.clone());
        // (The log calls the first unique key of a table without a primary key its key.)
        let codec = if table.is_keyless() { codec.outside_the_key() } else { codec };
        columns.push((codec, place));
    }
    Some(Plan { table: Arc::clone(table), columns })
}

/// MariaDB's own types, which the log calls BINARY.
fn own_type(codec: &Codec, column: Option<&Column>) -> Option<Codec> {
    let Codec::Bytes { width, .. } = codec else { return None };
    match (column?.source_type.as_str(), width) {
        ("uuid", 16) => Some(Codec::Uuid),
        ("inet6", 16) => Some(Codec::Inet6),
        ("inet4", 4) => Some(Codec::Inet4),
        _ => None,
    }
}

/// The table as it was in the log: names, order, types and key from the table map, what only the
/// catalog knows from `catalog` where the two agree. `None` if the log carries no names. What the log calls
/// the key of a table without a primary key is its first unique one; whether it may be taken for the key, the
/// catalog says.
pub(super) fn merge(log: &LogTable, catalog: &Table) -> Option<Table> {
    let mut columns = Vec::with_capacity(log.columns.len());
    // MySQL keeps what an index computes as hidden columns.
    let is_hidden = |name: &str| name.starts_with("!hidden!");
    for column in &log.columns {
        let name = column.name.as_ref()?;
        if is_hidden(name) {
            continue;
        }
        let known = catalog.columns.iter().find(|known| known.name == *name);
        let own = own_type(&column.codec, known);
        let kind = own.as_ref().unwrap_or(&column.codec).kind();
        let source_type = match known {
            // (By its name a type of MariaDB's own is found again, see `bind`.)
            Some(known) if known.kind == kind || own.is_some() => known.source_type.clone(),
            _ => column.codec.spelling(),
        };
        let key = column.key.filter(|_| !catalog.is_keyless());
        columns.push(Column { name: name.clone(), source_type, kind, key });
    }
    Some(Table {
        id: catalog.id,
        name: log.name.clone(),
        columns,
        cascades: catalog.cascades.clone(),
        left_out: Vec::new(),
        rows: None,
    })
}
