//! Values as the server spells them: blanks, escapes, numbers, and SQL types that JSON has not.

use std::io::Write;

use super::super::codec::Codec;
use super::super::reader::Reader;
use super::super::value::{Moment, write_date, write_datetime, write_integer, write_time};
use super::DEPTH_MAX;
use super::binary::{Budget, Form, Value};

/// SQL types of opaque values by number; all others are printed as bytes.
mod sql {
    pub(super) const TIMESTAMP: u8 = 7;
    pub(super) const DATE: u8 = 10;
    pub(super) const TIME: u8 = 11;
    pub(super) const DATETIME: u8 = 12;
    pub(super) const DECIMAL: u8 = 246;
    pub(super) const VAR_STRING: u8 = 253;
}

/// Appends a value that has `depth` containers around it.
pub(super) fn write(
    value: Value<'_>,
    depth: usize,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Option<()> {
    match value.read(budget)? {
        Form::Object(object) => {
            let depth = deeper(depth)?;
            out.push(b'{');
            for place in 0..object.count() {
                write_key(place, object.key(place, budget)?, out);
                write(object.value(place)?, depth, budget, out)?;
            }
            out.push(b'}');
        }
        Form::Array(array) => {
            let depth = deeper(depth)?;
            out.push(b'[');
            for place in 0..array.count() {
                write_comma(place, out);
                write(array.value(place)?, depth, budget, out)?;
            }
            out.push(b']');
        }
        Form::Null => out.extend_from_slice(b"null"),
        Form::Bool(value) => write_integer(value, out),
        Form::Int(value) => write_integer(value, out),
        Form::Unsigned(value) => write_integer(value, out),
        Form::Double(value) => write_double(value, out)?,
        Form::Text(text) => write_string(text, out),
        Form::Opaque(number, bytes) => write_opaque(number, bytes, out)?,
    }
    Some(())
}

/// The depth inside of a container at `depth`.
pub(super) fn deeper(depth: usize) -> Option<usize> {
    (depth < DEPTH_MAX).then_some(depth + 1)
}

/// What stands before the member at `place`.
pub(super) fn write_comma(place: usize, out: &mut Vec<u8>) {
    if place > 0 {
        out.extend_from_slice(b", ");
    }
}

/// What stands before the value at `place` of an object.
pub(super) fn write_key(place: usize, key: &[u8], out: &mut Vec<u8>) {
    write_comma(place, out);
    write_string(key, out);
    out.extend_from_slice(b": ");
}

/// In quotes; escaped is only what must be.
fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            // Writing to a vector cannot fail.
            0..0x20 => write!(out, "\\u{byte:04x}").unwrap_or_default(),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

/// The shortest digits that read back as the same number; never without a point or an exponent,
/// which tell it from an integer. There is no such number as infinity in JSON.
fn write_double(value: f64, out: &mut Vec<u8>) -> Option<()> {
    if !value.is_finite() {
        return None;
    }
    let shortest = format!("{value:e}");
    let digits = shortest.split('e').next()?.bytes().filter(u8::is_ascii_digit).count();
    // Of two that are as near the server takes the even one: exact rounding does, `{:e}` does not.
    let even = format!("{value:.*e}", digits.checked_sub(1)?);
    let text = if even.parse() == Ok(value) { even } else { shortest };
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    // As the server chooses: with an exponent if that saves zeros beyond the digits of a double.
    if exponent < -15 || exponent >= 15 && i32::try_from(digits).ok()? <= exponent + 1 {
        out.extend_from_slice(text.as_bytes());
        return Some(());
    }
    if mantissa.starts_with('-') {
        out.push(b'-');
    }
    let digits = mantissa.replace(['-', '.'], "");
    let before_point = usize::try_from(exponent.max(-1) + 1).ok()?;
    let zeros = usize::try_from((-exponent).max(0)).ok()?;
    // As many zeros in front as it takes for one digit before the point, and behind for one after.
    let digits = format!("{:0<1$}", "0".repeat(zeros) + &digits, before_point + 1);
    let (whole, part) = digits.split_at_checked(before_point.max(1))?;
    write!(out, "{whole}.{part}").ok()
}

fn write_opaque(number: u8, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match number {
        sql::DECIMAL => {
            let mut reader = Reader(bytes);
            let (precision, scale) = (reader.u8()?, reader.u8()?);
            Codec::Decimal { precision, scale }.decode(&mut reader, out)?;
            reader.is_empty().then_some(())
        }
        sql::DATE | sql::TIME | sql::DATETIME | sql::TIMESTAMP => {
            out.push(b'"');
            write_moment(number, bytes, out)?;
            out.push(b'"');
            Some(())
        }
        sql::VAR_STRING => {
            write_string(bytes, out);
            Some(())
        }
        _ => {
            write!(out, "\"base64:type{number}:").ok()?;
            write_base64(bytes, out);
            out.push(b'"');
            Some(())
        }
    }
}

/// A number of 8 bytes: microseconds in the lower 24 bits, then 17 bits of clock, then the date. A
/// timestamp is in the time zone of the session that wrote it, which nobody knows any more.
fn write_moment(number: u8, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let packed = i64::from_le_bytes(bytes.try_into().ok()?);
    let size = packed.unsigned_abs();
    let micros = size & 0xff_ffff;
    let clock = size >> 24;
    let date = clock >> 17;
    if micros >= 1_000_000 {
        return None;
    }
    let at = Moment {
        year: (date >> 5) / 13,
        month: (date >> 5) % 13,
        day: date & 31,
        hour: clock >> 12 & if number == sql::TIME { 1023 } else { 31 },
        minute: clock >> 6 & 63,
        second: clock & 63,
        micros,
    };
    match number {
        sql::TIME => write_time(packed < 0, at, 6, out),
        _ if packed < 0 || at.year > 9999 => return None,
        sql::DATE => write_date(at, out),
        _ => write_datetime(at, 6, out),
    }
    Some(())
}

/// In lines of 76 letters, as the server breaks them.
fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (place, line) in bytes.chunks(57).enumerate() {
        if place > 0 {
            out.extend_from_slice(b"\\n");
        }
        for group in line.chunks(3) {
            let bits = (0..3).fold(0, |bits, place| {
                bits << 8 | usize::from(group.get(place).copied().unwrap_or_default())
            });
            for place in 0..4 {
                let letter = LETTERS.get(bits >> (18 - 6 * place) & 63).copied();
                out.push(letter.filter(|_| place <= group.len()).unwrap_or(b'='));
            }
        }
    }
}
