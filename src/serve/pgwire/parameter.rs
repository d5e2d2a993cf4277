//! Parameters of a prepared statement, as literals of the store's SQL. Pure.

use bytes::Bytes;
use pgwire::api::Type;

use crate::error::{Error, ErrorKind, Result};

/// The type that a client means by the name it casts a parameter to.
pub(super) fn named(name: &str) -> Option<Type> {
    Some(match name {
        "bool" | "boolean" => Type::BOOL,
        "int2" | "smallint" => Type::INT2,
        "int4" | "int" | "integer" => Type::INT4,
        "int8" | "bigint" => Type::INT8,
        "float4" | "real" => Type::FLOAT4,
        "float8" | "double" => Type::FLOAT8,
        "date" => Type::DATE,
        "timestamp" => Type::TIMESTAMP,
        "timestamptz" => Type::TIMESTAMPTZ,
        "text" | "varchar" => Type::TEXT,
        _ => return None,
    })
}

/// A parameter as a literal. `value` is `None` for NULL.
///
/// # Errors
/// [`ErrorKind::Usage`] for a binary value of a type that is not known here.
pub(super) fn literal(kind: &Type, is_binary: bool, value: Option<&Bytes>) -> Result<String> {
    let Some(value) = value else { return Ok(null(kind, "NULL")) };
    let text = if is_binary { from_binary(kind, value)? } else { utf8(value)? };
    let quoted = format!("'{}'", text.replace('\'', "''"));
    Ok(match store_type(kind) {
        Some(name) => format!("CAST({quoted} AS {name})"),
        // A number keeps its scale only as a number.
        None if *kind == Type::NUMERIC && is_number(&text) => text,
        None => quoted,
    })
}

/// NULL of a type; `of_text` where the type is text or not known.
pub(super) fn null(kind: &Type, of_text: &str) -> String {
    store_type(kind).map_or(of_text.to_owned(), |name| format!("CAST(NULL AS {name})"))
}

/// The store's name for a type; `None` where a plain literal is best.
fn store_type(kind: &Type) -> Option<&'static str> {
    Some(match *kind {
        Type::BOOL => "BOOLEAN",
        Type::INT2 => "SMALLINT",
        Type::INT4 => "INTEGER",
        Type::INT8 | Type::OID => "BIGINT",
        Type::FLOAT4 => "FLOAT",
        Type::FLOAT8 => "DOUBLE",
        Type::DATE => "DATE",
        Type::TIME => "TIME",
        Type::TIMESTAMP => "TIMESTAMP",
        Type::TIMESTAMPTZ => "TIMESTAMP WITH TIME ZONE",
        _ => return None,
    })
}

fn from_binary(kind: &Type, value: &Bytes) -> Result<String> {
    let malformed =
        || Error::new(ErrorKind::Usage, format!("a parameter of type {kind} is malformed"));
    let text = match *kind {
        Type::BOOL => fixed(value).map(|[byte]: [u8; 1]| (byte != 0).to_string()),
        Type::INT2 => fixed(value).map(|bytes| i16::from_be_bytes(bytes).to_string()),
        Type::INT4 => fixed(value).map(|bytes| i32::from_be_bytes(bytes).to_string()),
        Type::INT8 => fixed(value).map(|bytes| i64::from_be_bytes(bytes).to_string()),
        Type::OID => fixed(value).map(|bytes| u32::from_be_bytes(bytes).to_string()),
        Type::FLOAT4 => fixed(value).map(|bytes| f32::from_be_bytes(bytes).to_string()),
        Type::FLOAT8 => fixed(value).map(|bytes| f64::from_be_bytes(bytes).to_string()),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
            return utf8(value);
        }
        _ => {
            let what = format!("a binary parameter of type {kind} is not understood");
            return Err(Error::new(ErrorKind::Usage, what).hint("send it as text"));
        }
    };
    text.ok_or_else(malformed)
}

fn fixed<const N: usize>(value: &Bytes) -> Option<[u8; N]> {
    value.as_ref().try_into().ok()
}

fn utf8(value: &Bytes) -> Result<String> {
    std::str::from_utf8(value)
        .map(str::to_owned)
        .map_err(|_| Error::new(ErrorKind::Usage, "a parameter is not UTF-8"))
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all(whole) && all(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: &Type, value: &'static str) -> String {
        literal(kind, false, Some(&Bytes::from_static(value.as_bytes()))).unwrap()
    }

    #[test]
    fn a_parameter_is_one_literal_whatever_it_holds() {
        assert_eq!(text(&Type::TEXT, "O'Hara'; DROP"), "'O''Hara''; DROP'");
        assert_eq!(text(&Type::INT4, "1) OR (1=1"), "CAST('1) OR (1=1' AS INTEGER)");
        assert_eq!(text(&Type::NUMERIC, "-1.50"), "-1.50");
        assert_eq!(text(&Type::NUMERIC, "1); DROP"), "'1); DROP'");
        assert_eq!(text(&Type::UNKNOWN, "5"), "'5'");
        assert_eq!(literal(&Type::DATE, true, None).unwrap(), "CAST(NULL AS DATE)");
    }

    #[test]
    fn binary_parameters_are_read_or_refused_with_a_remedy() {
        let four = Bytes::from_static(&[0, 0, 0, 7]);
        assert_eq!(literal(&Type::INT4, true, Some(&four)).unwrap(), "CAST('7' AS INTEGER)");
        assert!(literal(&Type::INT8, true, Some(&four)).is_err());
        let error = literal(&Type::NUMERIC, true, Some(&four)).unwrap_err();
        assert_eq!(error.remedy(), Some("send it as text"));
    }
}
