//! Whether a text is one of its kind, by a judgement of its own: not by the code that wrote it.

use crate::change::Kind;

pub(super) fn is_of(kind: Kind, text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        // Texts are as the server has them, and so are the strings in JSON.
        return matches!(kind, Kind::Text | Kind::Json);
    };
    match kind {
        Kind::Boolean => matches!(text, "t" | "f"),
        Kind::Int { bytes } => {
            let limit = 1_i128 << (8 * u32::from(bytes) - 1);
            text.parse::<i128>().is_ok_and(|number| (-limit..limit).contains(&number))
        }
        Kind::Unsigned { bytes } => {
            text.parse::<u128>().is_ok_and(|number| number < 1 << (8 * u32::from(bytes)))
        }
        Kind::Decimal { precision, scale } => is_decimal(text, precision.into(), scale.into()),
        Kind::Float4 => text.parse::<f32>().is_ok(),
        Kind::Float8 => text.parse::<f64>().is_ok(),
        Kind::Date => is_date(text),
        Kind::Time => is_time(text),
        Kind::Timestamp => is_moment(text),
        Kind::TimestampTz => text.strip_suffix("+00").is_some_and(is_moment),
        Kind::Interval => false,
        Kind::Uuid => uuid::Uuid::try_parse(text).is_ok(),
        Kind::Json => is_json(text.as_bytes()),
        Kind::Bytes => text.strip_prefix("\\x").is_some_and(|hex| {
            hex.len() % 2 == 0 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        }),
        Kind::Text => true,
    }
}

/// JSON, if it is a text at all: strings are not checked.
pub(super) fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_err()
        || serde_json::from_slice::<&serde_json::value::RawValue>(text).is_ok()
}

fn is_decimal(text: &str, precision: usize, scale: usize) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    // The zero before the point is none of the digits.
    let whole_digits = if whole == "0" { 0 } else { whole.len() };
    let is_short = !whole.starts_with('0') || whole == "0";
    is_short
        && part.len() == scale
        && whole_digits + scale <= precision
        && are_digits([whole])
        && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts[..], [year, month, day]
        if year.len() >= 4 && month.len() == 2 && day.len() == 2 && are_digits([year, month, day]))
}

fn is_time(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (clock, part) = text.split_once('.').unwrap_or((text, "0"));
    let parts: Vec<&str> = clock.split(':').collect();
    matches!(parts[..], [hour, minute, second]
        if minute.len() == 2 && second.len() == 2 && are_digits([hour, minute, second]))
        && part.len() <= 6
        && are_digits([part])
}

fn is_moment(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(date, time)| is_date(date) && is_time(time))
}

fn are_digits<const N: usize>(parts: [&str; N]) -> bool {
    parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}
