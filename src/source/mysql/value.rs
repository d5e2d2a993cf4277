//! Canonical text of values, shared by copy and log so that the two cannot disagree.
//!
//! It writes text; where the value lies in an event or a result row is for its callers to know.

use std::io::Write;

/// Date and time as the server splits them; all zero is its zero date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) year: u64,
    pub(super) month: u64,
    pub(super) day: u64,
    pub(super) hour: u64,
    pub(super) minute: u64,
    pub(super) second: u64,
    pub(super) micros: u64,
}

/// Appends formatted text.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        // Writing to a vector cannot fail.
        write!($out, $($arg)*).unwrap_or_default()
    };
}

/// An integer, or anything that prints as one.
pub(super) fn write_integer(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    put!(out, "{value}");
}

/// Shortest text that reads back as the same 8 bytes.
pub(super) fn write_double(value: f64, out: &mut Vec<u8>) {
    let size = value.abs();
    if size == 0.0 || (1e-5..1e15).contains(&size) {
        put!(out, "{value}");
    } else {
        put!(out, "{value:e}");
    }
}

/// Shortest text that reads back as the same 4 bytes.
pub(super) fn write_float(value: f32, out: &mut Vec<u8>) {
    let size = value.abs();
    if size == 0.0 || (1e-5..1e15).contains(&size) {
        put!(out, "{value}");
    } else {
        put!(out, "{value:e}");
    }
}

/// A year; the server's zero year is `0000`.
pub(super) fn write_year(year: u64, out: &mut Vec<u8>) {
    put!(out, "{year:04}");
}

/// `YYYY-MM-DD`.
pub(super) fn write_date(at: Moment, out: &mut Vec<u8>) {
    put!(out, "{:04}-{:02}-{:02}", at.year, at.month, at.day);
}

/// `YYYY-MM-DD HH:MM:SS` with as many digits of a second as the column has.
pub(super) fn write_datetime(at: Moment, digits: u8, out: &mut Vec<u8>) {
    write_date(at, out);
    put!(out, " {:02}:{:02}:{:02}", at.hour, at.minute, at.second);
    write_fraction(at.micros, digits, out);
}

/// The same in UTC, with `+00`.
pub(super) fn write_timestamp(at: Moment, digits: u8, out: &mut Vec<u8>) {
    write_datetime(at, digits, out);
    out.extend_from_slice(b"+00");
}

/// `[-]HH:MM:SS`, up to 838 hours.
pub(super) fn write_time(negative: bool, at: Moment, digits: u8, out: &mut Vec<u8>) {
    let sign = if negative { "-" } else { "" };
    put!(out, "{sign}{:02}:{:02}:{:02}", at.hour, at.minute, at.second);
    write_fraction(at.micros, digits, out);
}

fn write_fraction(micros: u64, digits: u8, out: &mut Vec<u8>) {
    if digits > 0 {
        let text = format!(".{micros:06}");
        let end = (usize::from(digits) + 1).min(text.len());
        out.extend_from_slice(text.as_bytes().get(..end).unwrap_or_default());
    }
}

/// `\x` and lowercase hex, followed by zero bytes up to `width` (a BINARY column's padding).
pub(super) fn write_bytes(bytes: &[u8], width: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\x");
    write_hex(bytes, out);
    for _ in bytes.len()..width {
        out.extend_from_slice(b"00");
    }
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            out.push(if half < 10 { b'0' + half } else { b'a' + half - 10 });
        }
    }
}

/// A UUID in the order of its text.
pub(super) fn write_uuid(bytes: &[u8], out: &mut Vec<u8>) {
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        write_hex(std::slice::from_ref(byte), out);
    }
}

/// An IPv6 address as MariaDB prints it: the longest run of zeros shortened, and the last two
/// groups as IPv4 when all before them is zero, or zero but for `ffff`.
pub(super) fn write_inet6(bytes: [u8; 16], out: &mut Vec<u8>) {
    let mut groups = [0_u16; 8];
    for (group, pair) in groups.iter_mut().zip(bytes.chunks_exact(2)) {
        *group = pair.iter().fold(0, |group, byte| group << 8 | u16::from(*byte));
    }
    let (gap_begin, gap_length) = longest_zeros(&groups);
    // Only a gap that begins at the first group and takes five or six leaves an IPv4 tail.
    let tail =
        gap_begin == 0 && (gap_length == 6 || gap_length == 5 && groups.get(5) == Some(&0xffff));
    let mut place = 0;
    while place < 8 {
        if gap_length > 0 && place == gap_begin {
            out.extend_from_slice(if place == 0 { b"::" } else { b":" });
            place += gap_length;
            continue;
        }
        if tail && place == 6 {
            let [.., a, b, c, d] = bytes;
            put!(out, "{a}.{b}.{c}.{d}");
            return;
        }
        put!(out, "{:x}", groups.get(place).copied().unwrap_or_default());
        place += 1;
        if place < 8 {
            out.push(b':');
        }
    }
}

/// The first of the longest runs of zero groups; a length of 0 if there is none.
fn longest_zeros(groups: &[u16; 8]) -> (usize, usize) {
    let mut best = (0, 0);
    let mut begin = 0;
    for (place, group) in groups.iter().enumerate() {
        if *group != 0 {
            begin = place + 1;
        } else if place + 1 - begin > best.1 {
            best = (begin, place + 1 - begin);
        }
    }
    best
}

/// Splits seconds since 1970 into UTC date and time. Zero is the zero timestamp.
pub(super) fn from_epoch(seconds: u64, micros: u64) -> Moment {
    if seconds == 0 && micros == 0 {
        return Moment::default();
    }
    // Howard Hinnant's days-to-civil, for days on or after 1970-01-01.
    let days = seconds / 86_400 + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Moment {
        year: era * 400 + year_of_era + u64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
        hour: seconds % 86_400 / 3_600,
        minute: seconds % 3_600 / 60,
        second: seconds % 60,
        micros,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_read_back_as_the_same_bits() {
        for value in [0.1, -1.0, 1e300, 5e-324, 123_456_789.123, 1e15, 0.00001, f64::MAX, -0.0] {
            let text = text(|out| write_double(value, out));
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
            assert!(text.len() < 26, "{text}");
        }
        assert_eq!(text(|out| write_float(0.1, out)), "0.1");
    }

    #[test]
    fn seconds_become_dates() {
        let at = |seconds| text(|out| write_timestamp(from_epoch(seconds, 0), 0, out));
        assert_eq!(at(1), "1970-01-01 00:00:01+00");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00+00");
        assert_eq!(at(1_704_164_645), "2024-01-02 03:04:05+00");
        assert_eq!(at(2_147_483_647), "2038-01-19 03:14:07+00");
        assert_eq!(at(0), "0000-00-00 00:00:00+00");
    }

    #[test]
    fn addresses_are_shortened_once() {
        let inet6 = |address: &str| {
            let bytes = address.parse::<std::net::Ipv6Addr>().unwrap().octets();
            text(|out| write_inet6(bytes, out))
        };
        for address in ["::1.2.3.4", "::ffff:1.2.3.4", "2001:db8::1", "fe80::", "1:0:2::3:0:4"] {
            assert_eq!(inet6(address), address);
        }
    }
}
