//! A statement as text: its parameters, and whether it is one statement. Pure.
//!
//! It only tells quotes and comments from the rest. What may run is not decided here: whatever
//! comes out is bound to `FROM query($1)`, which takes nothing but a SELECT.

use std::ops::Range;

/// A piece of a statement that is neither quoted nor a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// `$1`: the number of a parameter, from 1, and the type that it is cast to right there.
    Parameter(usize, Option<String>),
    /// `;`
    Semicolon,
}

/// The parameters and semicolons of a statement, with their places in bytes.
pub(super) fn tokens(sql: &str) -> Vec<(Range<usize>, Token)> {
    let mut found = Vec::new();
    walk(sql, |place, token| found.extend(token.map(|token| (place, token))));
    found
}

/// What a piece of a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a keyword, or digits.
    Word,
    /// A name in double quotes.
    Name,
    /// A text in quotes.
    Literal,
    /// A comment or white space.
    Blank,
    /// `::`, or any other single character.
    Sign,
}

/// A statement as pieces, which together are all of it.
pub(super) fn pieces(sql: &str) -> Vec<(Kind, &str)> {
    let bytes = sql.as_bytes();
    let mut places: Vec<(Kind, Range<usize>)> = Vec::new();
    walk(sql, |place, token| {
        let first = bytes.get(place.start).copied().unwrap_or(b' ');
        let kind = match first {
            b'\'' => Kind::Literal,
            b'"' => Kind::Name,
            b'-' | b'/' | b'$' if place.len() > 1 && token.is_none() => match first {
                b'$' => Kind::Literal,
                _ => Kind::Blank,
            },
            _ if is_name(first) => Kind::Word,
            _ if first.is_ascii_whitespace() => Kind::Blank,
            _ => Kind::Sign,
        };
        match places.last_mut() {
            Some((last, range))
                if (kind == Kind::Word && *last == Kind::Word)
                    || (first == b':' && sql.get(range.clone()) == Some(":")) =>
            {
                range.end = place.end;
            }
            _ => places.push((kind, place)),
        }
    });
    places.into_iter().filter_map(|(kind, place)| Some((kind, sql.get(place)?))).collect()
}

/// A statement with its parameters filled in takes no more than this: each place of a parameter takes in all
/// of its value.
const FILLED_BYTES_MAX: usize = 64 << 20;

/// Goes through a statement: every quoted text and comment as a whole, every token, and all other
/// bytes one by one.
fn walk(sql: &str, mut found: impl FnMut(Range<usize>, Option<Token>)) {
    let bytes = sql.as_bytes();
    // Where a parameter has ended: what follows it begins anew.
    let (mut at, mut edge) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let (length, token) = match byte {
            b'\'' => (quoted(rest, b'\'', escapes(bytes, edge, at)), None),
            b'"' => (quoted(rest, b'"', false), None),
            b'-' if rest.starts_with(b"--") => (line(rest), None),
            b'/' if rest.starts_with(b"/*") => (comment(rest), None),
            b'$' if is_name(before(bytes, edge, at)) => (1, None),
            b'$' => dollar(sql, at),
            b';' => (1, Some(Token::Semicolon)),
            _ => (1, None),
        };
        let is_parameter = matches!(token, Some(Token::Parameter(..)));
        found(at..at + length, token);
        at += length;
        edge = if is_parameter { at } else { edge };
    }
}

/// A parameter, or a text in dollar quotes.
fn dollar(sql: &str, at: usize) -> (usize, Option<Token>) {
    let rest = sql.as_bytes().get(at..).unwrap_or_default();
    let digits = rest.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let end = at + 1 + digits;
    let number = sql.get(at + 1..end).and_then(|text| text.parse().ok());
    match number.filter(|number| *number > 0) {
        Some(number) => {
            let cast = cast(sql.get(end..).unwrap_or_default());
            (1 + digits, Some(Token::Parameter(number, cast)))
        }
        None => (dollar_quoted(rest), None),
    }
}

/// The statement without the semicolon at its end; `None` if more follows it.
pub(super) fn single(sql: &str) -> Option<&str> {
    let first = tokens(sql).into_iter().find(|(_, token)| *token == Token::Semicolon);
    let Some((place, _)) = first else { return Some(sql) };
    let rest = sql.get(place.end..).unwrap_or_default();
    let is_empty = rest.chars().all(|c| c == ';' || c.is_whitespace());
    if is_empty { sql.get(..place.start) } else { None }
}

/// Puts `literal(number)` in the place of every parameter, apart from what touches it: a quote would go on
/// with it. `None` if that becomes too long.
pub(super) fn filled(sql: &str, mut literal: impl FnMut(usize) -> String) -> Option<String> {
    let is_apart = |byte: Option<&u8>| {
        byte.is_none_or(|byte| byte.is_ascii_whitespace() || b"(),;=:".contains(byte))
    };
    let mut text = String::with_capacity(sql.len() + 32);
    let mut end = 0;
    for (place, token) in tokens(sql) {
        let Token::Parameter(number, _) = token else { continue };
        text.push_str(sql.get(end..place.start).unwrap_or_default());
        if !is_apart(text.as_bytes().last()) {
            text.push(' ');
        }
        text.push_str(&literal(number));
        if !is_apart(sql.as_bytes().get(place.end)) {
            text.push(' ');
        }
        if text.len() > FILLED_BYTES_MAX {
            return None;
        }
        end = place.end;
    }
    text.push_str(sql.get(end..).unwrap_or_default());
    Some(text)
}

/// The first words of a statement, in upper case, without comments.
pub(super) fn words(sql: &str) -> Vec<String> {
    let mut rest = sql.as_bytes();
    let mut words = Vec::new();
    while words.len() < 4 {
        let skipped = match rest {
            [b'-', b'-', ..] => line(rest),
            [b'/', b'*', ..] => comment(rest),
            [byte, ..] if !is_name(*byte) => 1,
            [] => break,
            _ => 0,
        };
        if skipped > 0 {
            rest = rest.get(skipped..).unwrap_or_default();
            continue;
        }
        let length = rest.iter().take_while(|byte| is_name(**byte)).count();
        let word = rest.get(..length).unwrap_or_default();
        words.push(String::from_utf8_lossy(word).to_ascii_uppercase());
        rest = rest.get(length..).unwrap_or_default();
    }
    words
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The byte before `at`, a blank at the edge.
fn before(bytes: &[u8], edge: usize, at: usize) -> u8 {
    let place = at.checked_sub(1).filter(|place| *place >= edge);
    place.and_then(|place| bytes.get(place)).copied().unwrap_or(b' ')
}

/// `E'…'` has backslashes.
fn escapes(bytes: &[u8], edge: usize, at: usize) -> bool {
    let is_e = matches!(before(bytes, edge, at), b'e' | b'E');
    is_e && at.checked_sub(1).is_some_and(|at| !is_name(before(bytes, edge, at)))
}

/// Bytes up to and with the closing quote; a doubled one does not close.
fn quoted(bytes: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == b'\\' && escapes {
            at += 1;
        } else if *byte == quote {
            if bytes.get(at) != Some(&quote) {
                return at;
            }
            at += 1;
        }
    }
    bytes.len()
}

fn line(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1)
}

/// Comments may stand in comments.
fn comment(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < bytes.len() {
        let pair = bytes.get(at..at + 2).unwrap_or_default();
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    at.min(bytes.len())
}

/// `$$…$$`, `$name$…$name$`; a lone dollar is one byte.
fn dollar_quoted(bytes: &[u8]) -> usize {
    let name = bytes.iter().skip(1).take_while(|byte| is_name(**byte)).count();
    let Some(tag) = bytes.get(..name + 2).filter(|tag| tag.last() == Some(&b'$')) else { return 1 };
    let rest = bytes.get(tag.len()..).unwrap_or_default();
    let end = rest.windows(tag.len()).position(|window| window == tag);
    end.map_or(bytes.len(), |end| end + 2 * tag.len())
}

/// The type in `::type` right behind a parameter.
fn cast(rest: &str) -> Option<String> {
    let rest = rest.trim_start().strip_prefix("::")?.trim_start();
    let name: String =
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parameters(sql: &str) -> Vec<(usize, Option<String>)> {
        let of = |(_, token)| match token {
            Token::Parameter(number, cast) => Some((number, cast)),
            Token::Semicolon => None,
        };
        tokens(sql).into_iter().filter_map(of).collect()
    }

    #[test]
    fn quotes_and_comments_hide_what_is_in_them() {
        for hidden in [
            "SELECT '$1;'",
            "SELECT 'a''$1;'",
            "SELECT E'\\'$1;'",
            "SELECT \"$1;\"",
            "SELECT 1 -- $1;",
            "SELECT 1 /* $1; /* $2 */ ; */",
            "SELECT $$ $1; $$",
            "SELECT $a$ $1; $$ $a$",
            "SELECT a$1",
            "SELECT '$1;",
        ] {
            assert_eq!(tokens(hidden), [], "{hidden}");
        }
        assert_eq!(
            parameters("SELECT $1, e'x' || $12::INT4"),
            [(1, None), (12, Some("int4".to_owned()))]
        );
        assert_eq!(parameters("SELECT name'\\' || $1"), [(1, None)], "no E string");
    }

    #[test]
    fn a_statement_falls_into_pieces() {
        let sql = "SELECT a.\"b c\"::int4 -- x\n FROM é$1, 'it''s' /* y */ || $$z$$";
        let solid = pieces(sql).into_iter().filter(|(kind, _)| *kind != Kind::Blank);
        let texts: Vec<_> = solid.map(|(_, text)| text).collect();
        assert_eq!(
            texts,
            [
                "SELECT", "a", ".", "\"b c\"", "::", "int4", "FROM", "é", "$", "1", ",", "'it''s'",
                "|", "|", "$$z$$"
            ]
        );
    }

    #[test]
    fn one_statement_is_told_from_several() {
        assert_eq!(single("SELECT 1"), Some("SELECT 1"));
        assert_eq!(single("SELECT ';' ; \n;"), Some("SELECT ';' "));
        assert_eq!(single("SELECT 1; DROP TABLE a"), None);
        assert_eq!(words("/* a */ -- b\n begin  Read-only"), ["BEGIN", "READ", "ONLY"]);
        assert_eq!(words(""), [""; 0]);
    }

    #[test]
    fn parameters_are_filled_in_where_they_stand() {
        let text = filled("SELECT $2, '$1', $1;", |number| format!("<{number}>"));
        assert_eq!(text.unwrap(), "SELECT <2>, '$1', <1>;");
        // What touches a parameter does not become part of its value.
        let text = |sql: &str| filled(sql, |_| "'a'".to_owned()).unwrap();
        assert_eq!(
            text("SELECT $1$2, 1-$1, 'b'$1'c', $1::INT4"),
            "SELECT 'a' 'a', 1- 'a', 'b' 'a' 'c', 'a'::INT4"
        );
        assert_eq!(text("$1e'\\'$2'"), "'a' e'\\'$2'");
        let long = "x".repeat(1 << 20);
        assert_eq!(filled(&"$1 ".repeat(70), |_| long.clone()), None);
    }

    proptest! {
        #[test]
        fn any_text_is_taken_without_a_panic(sql in "[ -~äß\n'\"$;/*]{0,40}") {
            let places = tokens(&sql);
            prop_assert!(places.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start));
            prop_assert!(places.iter().all(|(place, _)| sql.get(place.clone()).is_some()));
            let whole: String = pieces(&sql).into_iter().map(|(_, text)| text).collect();
            prop_assert_eq!(&whole, &sql);
            single(&sql);
            words(&sql);
            filled(&sql, |number| format!("${number}"));
        }
    }
}
