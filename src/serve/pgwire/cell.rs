//! Cells in PostgreSQL's formats: text, and binary for the types that drivers ask it for. Pure.

use bytes::{BufMut, BytesMut};
use jiff::civil::{Date, DateTime, Time};
use pgwire::api::Type;

use crate::error::{Error, ErrorKind, Result};
use crate::store::answer::Kind;

/// 2000-01-01, from which PostgreSQL counts.
const EPOCH: Date = Date::constant(2000, 1, 1);

/// The PostgreSQL type of a column.
pub(super) fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Bool => Type::BOOL,
        Kind::Int16 => Type::INT2,
        Kind::Int32 => Type::INT4,
        Kind::Int64 => Type::INT8,
        Kind::Float32 => Type::FLOAT4,
        Kind::Float64 => Type::FLOAT8,
        Kind::Decimal => Type::NUMERIC,
        Kind::Date => Type::DATE,
        Kind::Time => Type::TIME,
        Kind::Timestamp => Type::TIMESTAMP,
        Kind::TimestampTz => Type::TIMESTAMPTZ,
        Kind::Text => Type::TEXT,
    }
}

/// Bytes of a value of a column; -1 if they vary.
pub(super) fn width_of(kind: Kind) -> i16 {
    match kind {
        Kind::Bool => 1,
        Kind::Int16 => 2,
        Kind::Int32 | Kind::Float32 | Kind::Date => 4,
        Kind::Int64 | Kind::Float64 | Kind::Time | Kind::Timestamp | Kind::TimestampTz => 8,
        Kind::Decimal | Kind::Text => -1,
    }
}

/// Writes a cell with its length in front.
///
/// # Errors
/// [`ErrorKind::Usage`] if the value has no binary form (an infinite date, a year before Christ).
pub(super) fn write(
    out: &mut BytesMut,
    kind: Kind,
    is_binary: bool,
    cell: Option<&str>,
) -> Result<()> {
    let Some(text) = cell else {
        out.put_i32(-1);
        return Ok(());
    };
    let place = out.len();
    out.put_i32(0);
    if is_binary {
        binary(out, kind, text).ok_or_else(|| no_binary(kind))?;
    } else {
        match (kind, text) {
            (Kind::Bool, "true") => out.put_u8(b't'),
            (Kind::Bool, "false") => out.put_u8(b'f'),
            _ => out.put_slice(text.as_bytes()),
        }
    }
    let length = i32::try_from(out.len() - place - 4).unwrap_or(i32::MAX);
    if let Some(head) = out.get_mut(place..place + 4) {
        head.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

fn no_binary(kind: Kind) -> Error {
    Error::new(ErrorKind::Usage, format!("a value of type {} has no binary form", type_of(kind)))
        .hint("cast the column to varchar")
}

fn binary(out: &mut BytesMut, kind: Kind, text: &str) -> Option<()> {
    match kind {
        Kind::Bool => out.put_u8(u8::from(text == "true")),
        Kind::Int16 => out.put_i16(text.parse().ok()?),
        Kind::Int32 => out.put_i32(text.parse().ok()?),
        Kind::Int64 => out.put_i64(text.parse().ok()?),
        Kind::Float32 => out.put_f32(text.parse().ok()?),
        Kind::Float64 => out.put_f64(text.parse().ok()?),
        Kind::Decimal => numeric(out, text)?,
        Kind::Date => out.put_i32(days(text)?),
        Kind::Time => out.put_i64(micros_of_day(text.parse().ok()?)),
        Kind::Timestamp => out.put_i64(micros(text)?),
        Kind::TimestampTz => out.put_i64(micros(text.strip_suffix("+00")?)?),
        Kind::Text => out.put_slice(text.as_bytes()),
    }
    Some(())
}

fn days(text: &str) -> Option<i32> {
    let date: Date = text.parse().ok()?;
    date.since(EPOCH).ok().map(|span| span.get_days())
}

fn micros_of_day(time: Time) -> i64 {
    let seconds = (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60;
    (seconds + i64::from(time.second())) * 1_000_000 + i64::from(time.subsec_nanosecond()) / 1_000
}

fn micros(text: &str) -> Option<i64> {
    let at: DateTime = text.parse().ok()?;
    let days = i64::from(at.date().since(EPOCH).ok()?.get_days());
    Some(days * 86_400_000_000 + micros_of_day(at.time()))
}

/// PostgreSQL's binary numeric: groups of four decimal digits.
fn numeric(out: &mut BytesMut, text: &str) -> Option<()> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (0x4000_u16, digits),
        None => (0, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if digits.is_empty() || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let before = whole.len().div_ceil(4) * 4;
    let after = fraction.len().div_ceil(4) * 4;
    let padded = format!("{whole:0>before$}{fraction:0<after$}");
    let mut groups: Vec<u16> = Vec::with_capacity(padded.len() / 4);
    for at in (0..padded.len()).step_by(4) {
        groups.push(padded.get(at..at + 4)?.parse().ok()?);
    }
    let mut weight = i16::try_from(before / 4).ok()? - 1;
    let leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..leading);
    weight -= i16::try_from(leading).ok()?;
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let sign = if groups.is_empty() { 0 } else { sign };
    out.put_i16(i16::try_from(groups.len()).ok()?);
    out.put_i16(if groups.is_empty() { 0 } else { weight });
    out.put_u16(sign);
    out.put_i16(i16::try_from(fraction.len()).ok()?);
    groups.into_iter().for_each(|group| out.put_u16(group));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kind: Kind, text: &str) -> Vec<u8> {
        let mut out = BytesMut::new();
        write(&mut out, kind, true, Some(text)).unwrap();
        assert_eq!(out[..4], i32::try_from(out.len() - 4).unwrap().to_be_bytes());
        out[4..].to_vec()
    }

    #[test]
    fn times_count_from_2000() {
        assert_eq!(bytes(Kind::Date, "2000-01-02"), 1_i32.to_be_bytes());
        assert_eq!(bytes(Kind::Date, "1999-12-31"), (-1_i32).to_be_bytes());
        assert_eq!(bytes(Kind::Time, "00:00:01.5"), 1_500_000_i64.to_be_bytes());
        let second = 1_000_000_i64;
        assert_eq!(bytes(Kind::Timestamp, "2000-01-01 00:00:01"), second.to_be_bytes());
        assert_eq!(bytes(Kind::Timestamp, "1999-12-31 23:59:59"), (-second).to_be_bytes());
        assert_eq!(bytes(Kind::TimestampTz, "2000-01-01 00:00:01+00"), second.to_be_bytes());
        let mut out = BytesMut::new();
        assert!(write(&mut out, Kind::Date, true, Some("infinity")).is_err());
    }

    #[test]
    fn text_is_as_postgresql_spells_it() {
        let mut out = BytesMut::new();
        write(&mut out, Kind::Bool, false, Some("true")).unwrap();
        write(&mut out, Kind::Text, false, Some("true")).unwrap();
        write(&mut out, Kind::Int32, true, None).unwrap();
        assert_eq!(&out[..], b"\0\0\0\x01t\0\0\0\x04true\xff\xff\xff\xff");
    }
}
