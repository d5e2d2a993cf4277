//! Column types of the log and their values as canonical text.
//!
//! A codec is made from a table map ([`super::table_map`]); it decodes one cell and knows nothing
//! of rows.

use super::charset::Charset;
use super::json;
use super::reader::{Reader, bit};
use super::value::{
    self, Moment, write_bytes, write_date, write_datetime, write_double, write_float, write_inet6,
    write_integer, write_time, write_timestamp, write_uuid, write_year,
};
use crate::change::Kind;

/// How a column's values lie in a rows event.
#[derive(Debug, Clone)]
pub(super) enum Codec {
    Int {
        bytes: u8,
        signed: bool,
    },
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Year,
    Bit {
        bits: u16,
    },
    Date,
    Time {
        digits: u8,
    },
    DateTime {
        digits: u8,
    },
    Timestamp {
        digits: u8,
    },
    /// The three types of tables that were made before MariaDB 10.1, without fractions.
    OldTime,
    OldDateTime,
    OldTimestamp,
    Text {
        length_bytes: u8,
        charset: Charset,
        /// Part of the key, which must be found again by its text.
        is_key: bool,
    },
    /// `width` is that of a BINARY column, whose trailing zeros the log leaves out; 0 for others.
    Bytes {
        length_bytes: u8,
        width: usize,
    },
    /// `values` in UTF-8.
    Enum {
        bytes: u8,
        values: Vec<Vec<u8>>,
    },
    Set {
        bytes: u8,
        values: Vec<Vec<u8>>,
    },
    Uuid,
    Inet6,
    Inet4,
    /// MySQL's binary JSON.
    Json {
        length_bytes: u8,
    },
    /// A value we cannot read, but step over: text in a character set that we do not know, or compressed.
    Opaque {
        length_bytes: u8,
        number: u8,
    },
    /// A type number we cannot read.
    Unsupported(u8),
}

impl Codec {
    /// The same, where nobody has to find a row by its text.
    pub(super) fn outside_the_key(self) -> Self {
        match self {
            Codec::Text { length_bytes, charset, .. } => {
                Codec::Text { length_bytes, charset, is_key: false }
            }
            other => other,
        }
    }

    /// How the text of such a column is kept.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Codec::Int { bytes, signed } => {
                let bytes = if *bytes == 3 { 4 } else { *bytes };
                if *signed { Kind::Int { bytes } } else { Kind::Unsigned { bytes } }
            }
            Codec::Float => Kind::Float4,
            Codec::Double => Kind::Float8,
            Codec::Decimal { precision, scale } => decimal_kind(*precision, *scale),
            Codec::Year => Kind::Int { bytes: 2 },
            Codec::Bit { bits } => bit_kind(*bits),
            Codec::Date => Kind::Date,
            Codec::Time { .. } | Codec::OldTime => Kind::Time,
            Codec::DateTime { .. } | Codec::OldDateTime => Kind::Timestamp,
            Codec::Timestamp { .. } | Codec::OldTimestamp => Kind::TimestampTz,
            Codec::Text { .. } | Codec::Enum { .. } | Codec::Set { .. } => Kind::Text,
            Codec::Bytes { .. } | Codec::Opaque { .. } | Codec::Unsupported(_) => Kind::Bytes,
            Codec::Uuid => Kind::Uuid,
            Codec::Inet6 | Codec::Inet4 => Kind::Text,
            Codec::Json { .. } => Kind::Json,
        }
    }

    /// The type for people, where only the log knows it.
    pub(super) fn spelling(&self) -> String {
        match self {
            Codec::Int { bytes, signed } => {
                let name = match bytes {
                    1 => "tinyint",
                    2 => "smallint",
                    3 => "mediumint",
                    4 => "int",
                    _ => "bigint",
                };
                let unsigned = if *signed { "" } else { " unsigned" };
                format!("{name}{unsigned}")
            }
            Codec::Float => "float".to_owned(),
            Codec::Double => "double".to_owned(),
            Codec::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
            Codec::Year => "year".to_owned(),
            Codec::Bit { bits } => format!("bit({bits})"),
            Codec::Date => "date".to_owned(),
            Codec::Time { digits } => format!("time({digits})"),
            Codec::DateTime { digits } => format!("datetime({digits})"),
            Codec::Timestamp { digits } => format!("timestamp({digits})"),
            Codec::OldTime => "time".to_owned(),
            Codec::OldDateTime => "datetime".to_owned(),
            Codec::OldTimestamp => "timestamp".to_owned(),
            Codec::Text { .. } => "text".to_owned(),
            Codec::Bytes { .. } => "blob".to_owned(),
            Codec::Enum { .. } => "enum".to_owned(),
            Codec::Set { .. } => "set".to_owned(),
            Codec::Uuid => "uuid".to_owned(),
            Codec::Inet6 => "inet6".to_owned(),
            Codec::Inet4 => "inet4".to_owned(),
            Codec::Json { .. } => "json".to_owned(),
            Codec::Opaque { number, .. } | Codec::Unsupported(number) => format!("type {number}"),
        }
    }

    /// Reads one value that is not NULL and appends its text; `None` if it is cut short or of a
    /// type we cannot read.
    pub(super) fn decode(&self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Codec::Int { bytes, signed } => {
                let raw = reader.le(usize::from(*bytes))?;
                match signed {
                    true => write_integer(sign_extend(raw, *bytes), out),
                    false => write_integer(raw, out),
                }
            }
            Codec::Float => write_float(f32::from_bits(reader.u32()?), out),
            Codec::Double => write_double(f64::from_bits(reader.le(8)?), out),
            Codec::Decimal { precision, scale } => decimal(reader, *precision, *scale, out)?,
            Codec::Year => {
                let year = u64::from(reader.u8()?);
                write_year(if year == 0 { 0 } else { year + 1900 }, out);
            }
            Codec::Bit { bits } => write_integer(reader.be(usize::from(bits.div_ceil(8)))?, out),
            Codec::Text { length_bytes, charset, is_key } => {
                let bytes = reader.counted(usize::from(*length_bytes))?;
                if *is_key && !charset.converts_back(bytes) {
                    return None;
                }
                charset.write_utf8(bytes, out);
            }
            Codec::Bytes { length_bytes, width } => {
                write_bytes(reader.counted(usize::from(*length_bytes))?, *width, out);
            }
            Codec::Enum { bytes, values } => {
                let number = usize::try_from(reader.le(usize::from(*bytes))?).ok()?;
                // Number 0 is the empty text that stands for a value that was refused.
                if let Some(place) = number.checked_sub(1) {
                    out.extend_from_slice(values.get(place)?);
                }
            }
            Codec::Set { bytes, values } => set(reader.take(usize::from(*bytes))?, values, out),
            Codec::Uuid => write_uuid(&uuid(reader.counted(1)?), out),
            Codec::Inet6 => {
                let mut address = [0; 16];
                fill(&mut address, reader.counted(1)?);
                write_inet6(address, out);
            }
            Codec::Inet4 => {
                let mut address = [0; 4];
                fill(&mut address, reader.counted(1)?);
                write_integer(std::net::Ipv4Addr::from(address), out);
            }
            Codec::Json { length_bytes } => {
                json::write_text(reader.counted(usize::from(*length_bytes))?, out)?;
            }
            Codec::Opaque { .. } | Codec::Unsupported(_) => return None,
            _ => return self.decode_time(reader, out),
        }
        Some(())
    }

    /// Steps over one value that is not NULL, of a column that is not mirrored.
    pub(super) fn step_over(&self, reader: &mut Reader<'_>, scratch: &mut Vec<u8>) -> Option<()> {
        if let Codec::Opaque { length_bytes, .. } = self {
            return reader.counted(usize::from(*length_bytes)).map(drop);
        }
        let before = scratch.len();
        self.decode(reader, scratch)?;
        scratch.truncate(before);
        Some(())
    }

    fn decode_time(&self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Codec::Date => {
                let raw = reader.le(3)?;
                let at = Moment {
                    year: raw >> 9,
                    month: raw >> 5 & 15,
                    day: raw & 31,
                    ..Moment::default()
                };
                write_date(at, out);
            }
            Codec::DateTime { digits } => {
                let raw = reader.be(5)?.checked_sub(1 << 39)?;
                let micros = fraction(reader, *digits)?;
                let at = Moment {
                    year: (raw >> 22) / 13,
                    month: (raw >> 22) % 13,
                    day: raw >> 17 & 31,
                    ..clock(raw, micros)
                };
                write_datetime(at, *digits, out);
            }
            Codec::Timestamp { digits } => {
                let seconds = reader.be(4)?;
                let micros = fraction(reader, *digits)?;
                write_timestamp(value::from_epoch(seconds, micros), *digits, out);
            }
            Codec::Time { digits } => time(reader, *digits, out)?,
            Codec::OldTimestamp => {
                write_timestamp(value::from_epoch(reader.le(4)?, 0), 0, out);
            }
            Codec::OldDateTime => {
                let raw = reader.le(8)?;
                let (date, clock) = (raw / 1_000_000, raw % 1_000_000);
                let at = Moment {
                    year: date / 10_000,
                    month: date / 100 % 100,
                    day: date % 100,
                    hour: clock / 10_000,
                    minute: clock / 100 % 100,
                    second: clock % 100,
                    micros: 0,
                };
                write_datetime(at, 0, out);
            }
            Codec::OldTime => {
                let raw = sign_extend(reader.le(3)?, 3);
                let size = raw.unsigned_abs();
                let at = Moment {
                    hour: size / 10_000,
                    minute: size / 100 % 100,
                    second: size % 100,
                    ..Moment::default()
                };
                write_time(raw < 0, at, 0, out);
            }
            _ => return None,
        }
        Some(())
    }
}

/// How a decimal is kept: no typed column holds more than 38 digits.
pub(super) fn decimal_kind(precision: u8, scale: u8) -> Kind {
    if precision <= 38 { Kind::Decimal { precision, scale } } else { Kind::Text }
}

/// How a bit field is kept: as the number it stands for.
pub(super) fn bit_kind(bits: u16) -> Kind {
    let bytes = match bits {
        0..=8 => 1,
        9..=16 => 2,
        17..=32 => 4,
        _ => 8,
    };
    Kind::Unsigned { bytes }
}

fn sign_extend(raw: u64, bytes: u8) -> i64 {
    let shift = 64 - u32::from(bytes.min(8)) * 8;
    (raw << shift).cast_signed() >> shift
}

/// The time of day in the lower 17 bits.
fn clock(raw: u64, micros: u64) -> Moment {
    Moment {
        hour: raw >> 12 & 31,
        minute: raw >> 6 & 63,
        second: raw & 63,
        micros,
        ..Moment::default()
    }
}

/// Microseconds out of as many bytes as the digits need, two digits each.
fn fraction(reader: &mut Reader<'_>, digits: u8) -> Option<u64> {
    let bytes = usize::from(digits.div_ceil(2));
    let scale = [1, 10_000, 100, 1].get(bytes).copied()?;
    Some(reader.be(bytes)? * scale).filter(|micros| *micros < 1_000_000)
}

/// A TIME: hours, minutes, seconds and fraction as one number above the middle of its range.
fn time(reader: &mut Reader<'_>, digits: u8, out: &mut Vec<u8>) -> Option<()> {
    let fraction_bytes = digits.div_ceil(2);
    let bits = 24 + 8 * u32::from(fraction_bytes);
    let raw = reader.be(usize::from(3 + fraction_bytes))?.cast_signed() - (1 << (bits - 1));
    let size = raw.unsigned_abs();
    let whole = size >> (8 * u32::from(fraction_bytes));
    let part = size & ((1 << (8 * u32::from(fraction_bytes))) - 1);
    let scale = [1, 10_000, 100, 1].get(usize::from(fraction_bytes)).copied()?;
    let micros = Some(part * scale).filter(|micros| *micros < 1_000_000)?;
    let at = Moment { hour: whole >> 12 & 1023, ..clock(whole, micros) };
    write_time(raw < 0, at, digits, out);
    Some(())
}

/// Nine digits per four bytes, big-endian, the sign in the first bit, negatives inverted.
fn decimal(reader: &mut Reader<'_>, precision: u8, scale: u8, out: &mut Vec<u8>) -> Option<()> {
    const BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
    let size = |digits: usize| Some(digits / 9 * 4 + BYTES.get(digits % 9).copied()?);
    let whole_digits = usize::from(precision.checked_sub(scale)?);
    let part_digits = usize::from(scale);
    let mut raw = reader.take(size(whole_digits)? + size(part_digits)?)?.to_vec();
    let negative = raw.first()? & 0x80 == 0;
    *raw.first_mut()? ^= 0x80;
    if negative {
        raw.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let mut raw = Reader(&raw);
    let mut digits = String::new();
    let mut group = |count: usize, digits: &mut String| {
        let value = raw.be(BYTES.get(count).copied()?)?;
        // The bytes have room for more than the digits: what is there then is no number at all.
        (value < 10_u64.checked_pow(u32::try_from(count).ok()?)?).then_some(())?;
        let text = format!("{value:0count$}");
        digits.push_str(&text);
        Some(())
    };
    if whole_digits % 9 > 0 {
        group(whole_digits % 9, &mut digits)?;
    }
    for _ in 0..whole_digits / 9 {
        group(9, &mut digits)?;
    }
    for _ in 0..part_digits / 9 {
        group(9, &mut digits)?;
    }
    if part_digits % 9 > 0 {
        group(part_digits % 9, &mut digits)?;
    }
    let (whole, part) = digits.split_at_checked(whole_digits)?;
    if negative && digits.bytes().any(|digit| digit != b'0') {
        out.push(b'-');
    }
    let whole = whole.trim_start_matches('0');
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole.as_bytes() });
    if !part.is_empty() {
        out.push(b'.');
        out.extend_from_slice(part.as_bytes());
    }
    Some(())
}

fn set(raw: &[u8], values: &[Vec<u8>], out: &mut Vec<u8>) {
    let mut first = true;
    for (place, value) in values.iter().enumerate() {
        if bit(raw, place) {
            if !first {
                out.push(b',');
            }
            out.extend_from_slice(value);
            first = false;
        }
    }
}

/// A fixed-width value whose trailing zeros the log leaves out.
fn fill(value: &mut [u8], bytes: &[u8]) {
    for (slot, byte) in value.iter_mut().zip(bytes) {
        *slot = *byte;
    }
}

/// MariaDB keeps UUIDs of versions 1 to 5 with their parts reversed, so that they sort by time;
/// the others as they are. The same test as the server's own tells which.
fn uuid(bytes: &[u8]) -> [u8; 16] {
    let mut raw = [0; 16];
    fill(&mut raw, bytes);
    let [n0, n1, n2, n3, n4, n5, c0, c1, h0, h1, m0, m1, l0, l1, l2, l3] = raw;
    let reversed = c0 & 0x80 != 0 && h0 > 0 && h0 < 0x60;
    if reversed { [l0, l1, l2, l3, m0, m1, h0, h1, c0, c1, n0, n1, n2, n3, n4, n5] } else { raw }
}
