//! Paths as the server writes them into partial updates: `$.name."other name"[3][last-1]`, without
//! wildcards, ranges and blanks.

use std::borrow::Cow;

use super::super::reader::Reader;
use super::DEPTH_MAX;

/// A step from a container to a member of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leg<'a> {
    Member(Cow<'a, [u8]>),
    Cell { index: usize, from_end: bool },
}

/// `None` if it is no path, or leads deeper than a document can be.
pub(super) fn parse(path: &[u8]) -> Option<Vec<Leg<'_>>> {
    let mut reader = Reader(path.strip_prefix(b"$")?);
    let mut legs = Vec::new();
    while !reader.is_empty() {
        if legs.len() == DEPTH_MAX {
            return None;
        }
        legs.push(match (reader.u8()?, reader.0.first()?) {
            (b'.', b'"') => Leg::Member(quoted(&mut reader)?),
            (b'.', _) => Leg::Member(Cow::Borrowed(identifier(&mut reader)?)),
            (b'[', _) => cell(&mut reader)?,
            _ => return None,
        });
    }
    Some(legs)
}

/// Reads while bytes are `wanted`.
fn span<'a>(reader: &mut Reader<'a>, wanted: impl Fn(u8) -> bool) -> Option<&'a [u8]> {
    let length = reader.0.iter().take_while(|byte| wanted(**byte)).count();
    reader.take(length)
}

/// The server leaves the quotes out for letters, digits and what resembles them.
fn identifier<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || b"_$".contains(&byte) || byte >= 0x80;
    let name = span(reader, is_in)?;
    (!name.is_empty()).then_some(name)
}

/// A name in quotes, escaped like any JSON string.
fn quoted<'a>(reader: &mut Reader<'a>) -> Option<Cow<'a, [u8]>> {
    reader.take(1)?;
    let mut name = Cow::Borrowed(&[][..]);
    loop {
        let plain = span(reader, |byte| !b"\"\\".contains(&byte))?;
        match name.is_empty() {
            true => name = Cow::Borrowed(plain),
            false => name.to_mut().extend_from_slice(plain),
        }
        if reader.u8()? == b'"' {
            return Some(name);
        }
        let letter = match reader.u8()? {
            b'b' => '\u{8}',
            b't' => '\t',
            b'n' => '\n',
            b'f' => '\u{c}',
            b'r' => '\r',
            b'u' => {
                let digits = std::str::from_utf8(reader.take(4)?).ok()?;
                char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
            }
            byte @ (b'"' | b'\\' | b'/') => char::from(byte),
            _ => return None,
        };
        name.to_mut().extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

fn cell<'a>(reader: &mut Reader<'a>) -> Option<Leg<'a>> {
    let text = std::str::from_utf8(span(reader, |byte| byte != b']')?).ok()?;
    reader.take(1)?;
    let (from_end, digits) = match text.strip_prefix("last") {
        Some("") => (true, "0"),
        Some(rest) => (true, rest.strip_prefix('-')?),
        None => (false, text),
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let index = digits.parse::<u32>().ok().filter(|_| is_number)?;
    Some(Leg::Cell { index: usize::try_from(index).ok()?, from_end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_the_server_writes_them() {
        let member = |name: &'static str| Leg::Member(Cow::Borrowed(name.as_bytes()));
        let cell = |index, from_end| Leg::Cell { index, from_end };
        let path = "$.a.\"b \\\"c\\\\\\n\\u0001é\"[0].größe$_1[last][last-12].\"\"";
        let legs = parse(path.as_bytes()).unwrap();
        let expected = [
            member("a"),
            member("b \"c\\\n\u{1}é"),
            cell(0, false),
            member("größe$_1"),
            cell(0, true),
            cell(12, true),
            member(""),
        ];
        assert_eq!(legs, expected);
        assert_eq!(parse(b"$"), Some(Vec::new()));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let wrong = [
            "",
            "a",
            "$a",
            "$.",
            "$.*",
            "$**.a",
            "$[*]",
            "$[]",
            "$[1",
            "$[1 to 2]",
            "$[last+1]",
            "$[last-]",
            "$[+1]",
            "$[-1]",
            "$[4294967296]",
            "$.\"a",
            "$.\"\\x\"",
            "$.\"\\ud800\"",
            "$.a b",
            "$..a",
            "$[1]]",
        ];
        for path in wrong {
            assert_eq!(parse(path.as_bytes()), None, "{path}");
        }
        assert!(parse(format!("${}", "[0]".repeat(100)).as_bytes()).is_some());
        assert!(parse(format!("${}", "[0]".repeat(101)).as_bytes()).is_none());
    }
}
