//! Canonical texts of values, by family. Pure.

use super::Family;

/// See [`Family::canonical`].
pub(super) fn canonical(family: Family, value: &str) -> Option<String> {
    match family {
        Family::Number => number(value),
        Family::Boolean => boolean(value),
        Family::Date => date(value),
        Family::Time => time(value),
        Family::Timestamp => timestamp(value),
        Family::TimestampTz => zoned(value),
        Family::Text => Some(value.to_owned()),
        Family::Stamp => Some(value.strip_suffix("+00").unwrap_or(value).to_owned()),
        Family::Padded => Some(value.trim_end_matches(' ').to_owned()),
        Family::Bytes => value.strip_prefix("\\x").map(str::to_ascii_lowercase),
    }
}

fn number(value: &str) -> Option<String> {
    let value = value.trim();
    let (sign, digits) = match value.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", value.strip_prefix('+').unwrap_or(value)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && part.is_empty()) || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(match (whole, part) {
        ("0", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        (whole, part) => format!("{sign}{whole}.{part}"),
    })
}

fn boolean(value: &str) -> Option<String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "on" => Some("1".to_owned()),
        "false" | "f" | "0" | "no" | "off" => Some("0".to_owned()),
        _ => None,
    }
}

fn date(value: &str) -> Option<String> {
    if value.ends_with("infinity") {
        return Some(value.to_owned());
    }
    let day = value.split([' ', 'T']).next().unwrap_or(value);
    let day: jiff::civil::Date = day.parse().ok().filter(|day| is_spelled(*day))?;
    Some(day.strftime("%Y-%m-%d").to_string())
}

fn time(value: &str) -> Option<String> {
    let time: jiff::civil::Time = value.parse().ok()?;
    Some(trimmed(&time.strftime("%H:%M:%S%.6f").to_string()))
}

fn timestamp(value: &str) -> Option<String> {
    if value.ends_with("infinity") {
        return Some(value.to_owned());
    }
    let parsed: jiff::civil::DateTime = match value.len() {
        10 => value.parse::<jiff::civil::Date>().ok()?.to_datetime(jiff::civil::Time::midnight()),
        _ => value.parse().ok()?,
    };
    is_spelled(parsed.date()).then_some(())?;
    Some(trimmed(&parsed.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()))
}

/// An instant, in UTC; without an offset it is UTC already.
fn zoned(value: &str) -> Option<String> {
    if value.ends_with("infinity") {
        return Some(value.to_owned());
    }
    let instant = match value.parse::<jiff::Timestamp>() {
        Ok(instant) => instant,
        Err(_) => {
            let local: jiff::civil::DateTime = value.parse().ok()?;
            local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()
        }
    };
    let utc = instant.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    is_spelled(utc.date()).then_some(())?;
    Some(trimmed(&utc.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()))
}

/// Years before Christ are spelled in each engine's own way.
fn is_spelled(day: jiff::civil::Date) -> bool {
    day.year() > 0
}

/// Without zeros at the end of the fraction.
fn trimmed(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}
