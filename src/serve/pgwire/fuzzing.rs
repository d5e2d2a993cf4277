//! Doors of the fuzz targets to what clients of the SQL listener send: see [`crate::fuzzing`].

use bytes::{Bytes, BytesMut};
use pgwire::api::Type;

use super::cursor::Cursor;
use super::text::{self, Kind, Token};
use super::{binary, catalog, cell, parameter, word};
use crate::fuzzing::Input;
use crate::store::answer;

/// A literal that would do much if it were not one.
const LITERAL: &str = "'x; $1 -- '''";

/// A statement.
pub fn sql_statement(data: &[u8]) -> bool {
    let Ok(sql) = std::str::from_utf8(data) else { return false };
    let pieces = text::pieces(sql);
    assert_eq!(pieces.iter().map(|(_, text)| *text).collect::<String>(), sql);
    let tokens = text::tokens(sql);
    assert!(tokens.windows(2).all(|pair| pair[0].0.end <= pair[1].0.start));
    assert!(tokens.iter().all(|(place, _)| sql.get(place.clone()).is_some()));
    let is_parameter = |token: &Token| matches!(token, Token::Parameter(..));
    let parameters = tokens.iter().filter(|(_, token)| is_parameter(token)).count();
    let filled = text::filled(sql, |_| LITERAL.to_owned()).expect("it is short");
    // Each parameter has become one literal, and nothing else is another thing than it was.
    let left = text::tokens(&filled);
    assert!(!left.iter().any(|(_, token)| is_parameter(token)), "{filled}");
    assert_eq!(left.len(), tokens.len() - parameters, "{filled}");
    let literals =
        text::pieces(&filled).iter().filter(|piece| **piece == (Kind::Literal, LITERAL)).count();
    let before = pieces.iter().filter(|piece| **piece == (Kind::Literal, LITERAL)).count();
    assert_eq!(literals - before, parameters, "{filled}");
    if let Some(single) = text::single(sql) {
        let is_end = |(_, token): &(_, Token)| *token == Token::Semicolon;
        assert!(!text::tokens(single).iter().any(is_end), "{single}");
    }
    word::word(sql);
    if let Some(Cursor::Declare(_, select)) = Cursor::of(sql) {
        assert!(sql.ends_with(&select));
    }
    let understood = catalog::understood(&filled);
    assert!(understood.len() <= 32 * filled.len() + 64);
    !pieces.is_empty()
}

/// The type of a parameter, whether it is binary, and the value.
pub fn sql_parameter(data: &[u8]) -> bool {
    let types = [
        Type::BOOL,
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::OID,
        Type::FLOAT4,
        Type::FLOAT8,
        Type::NUMERIC,
        Type::DATE,
        Type::TIME,
        Type::TIMESTAMP,
        Type::TIMESTAMPTZ,
        Type::UUID,
        Type::TEXT,
        Type::UNKNOWN,
        Type::INT4_ARRAY,
        Type::TEXT_ARRAY,
        Type::NUMERIC_ARRAY,
    ];
    let mut input = Input(data);
    let kind = &types[usize::from(input.byte()) % types.len()];
    let is_binary = input.byte() % 2 == 1;
    let value = Bytes::copy_from_slice(input.0);
    let Ok(literal) = parameter::literal(kind, is_binary, Some(&value)) else { return false };
    // Each element of a list has a head of four bytes.
    assert!(literal.len() <= 64 + 512 * (value.len() + 1), "{} of {}", literal.len(), value.len());
    is_one_value(&literal);
    if is_binary && let Some(text) = binary::text(kind, &value) {
        comes_back(kind, &text);
    }
    true
}

/// Nothing in it is a parameter, a comment or the end of a statement; what is opened is closed.
fn is_one_value(literal: &str) {
    assert_eq!(text::tokens(literal), [], "{literal}");
    let mut depth = 0_usize;
    for (kind, piece) in text::pieces(literal) {
        match (kind, piece) {
            (Kind::Blank, blank) => assert_eq!(blank.trim(), "", "{literal}"),
            (_, "(" | "[") => depth += 1,
            (_, ")" | "]") => depth = depth.checked_sub(1).expect("it is open"),
            _ => {}
        }
    }
    assert_eq!(depth, 0, "{literal}");
    // Behind any sign.
    let subtracted = format!("1 -{literal}");
    assert!(
        !text::pieces(&subtracted).iter().any(|(_, piece)| piece.starts_with("--")),
        "{literal}"
    );
}

/// A value that was read is sent, and read again, as it was.
fn comes_back(kind: &Type, text: &str) {
    let sent = match *kind {
        Type::BOOL => answer::Kind::Bool,
        Type::INT2 => answer::Kind::Int16,
        Type::INT4 => answer::Kind::Int32,
        Type::INT8 => answer::Kind::Int64,
        Type::FLOAT4 => answer::Kind::Float32,
        Type::FLOAT8 => answer::Kind::Float64,
        Type::NUMERIC => answer::Kind::Decimal,
        Type::DATE => answer::Kind::Date,
        Type::TIME => answer::Kind::Time,
        Type::TIMESTAMP => answer::Kind::Timestamp,
        Type::TIMESTAMPTZ => answer::Kind::TimestampTz,
        _ => return,
    };
    let mut out = BytesMut::new();
    // Not everything has a binary form: an infinite date.
    if cell::write(&mut out, sent, true, Some(text)).is_ok() {
        assert_eq!(binary::text(kind, &out[4..]).as_deref(), Some(text));
    }
}
