//! Parameters of a prepared statement, as literals of the store's SQL. Pure.

use bytes::Bytes;
use pgwire::api::Type;
use tokio_postgres::types::Kind;

use super::binary;
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
        "numeric" | "decimal" => Type::NUMERIC,
        "time" => Type::TIME,
        "uuid" => Type::UUID,
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
    if let Kind::Array(element) = kind.kind() {
        return list(kind, element, is_binary, value);
    }
    let text = if is_binary { from_binary(kind, value)? } else { utf8(value)? };
    let quoted = format!("'{}'", text.replace('\'', "''"));
    Ok(match store_type(kind) {
        Some(name) => format!("CAST({quoted} AS {name})"),
        // A number keeps its scale only as a number.
        None if *kind == Type::NUMERIC && is_number(&text) => match text.starts_with('-') {
            // Behind a minus it would begin a comment.
            true => format!("({text})"),
            false => text,
        },
        None => quoted,
    })
}

/// NULL of a type; `of_text` where the type is text or not known.
pub(super) fn null(kind: &Type, of_text: &str) -> String {
    if let Kind::Array(element) = kind.kind() {
        return format!("CAST(NULL AS {}[])", element_type(element));
    }
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
        Type::UUID => "UUID",
        _ => return None,
    })
}

fn from_binary(kind: &Type, value: &Bytes) -> Result<String> {
    if !binary::is_known(kind) {
        let what = format!("a binary parameter of type {kind} is not understood");
        return Err(Error::new(ErrorKind::Usage, what).hint("send it as text"));
    }
    binary::text(kind, value).ok_or_else(|| malformed(kind))
}

fn malformed(kind: &Type) -> Error {
    Error::new(ErrorKind::Usage, format!("a parameter of type {kind} is malformed"))
}

/// A list of values of one type.
fn list(kind: &Type, element: &Type, is_binary: bool, value: &Bytes) -> Result<String> {
    let name = element_type(element);
    if !is_binary {
        let quoted = utf8(value)?.replace('\'', "''");
        return Ok(format!("CAST(array_in('{quoted}') AS {name}[])"));
    }
    let mut literals = Vec::new();
    for value in binary::elements(value).ok_or_else(|| malformed(kind))? {
        let value = value.map(Bytes::copy_from_slice);
        literals.push(literal(element, true, value.as_ref())?);
    }
    Ok(format!("CAST([{}] AS {name}[])", literals.join(", ")))
}

/// The store's name for the type of a list's elements.
fn element_type(element: &Type) -> &'static str {
    store_type(element).unwrap_or(match *element {
        Type::NUMERIC => "DECIMAL(38, 9)",
        _ => "VARCHAR",
    })
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
        assert_eq!(text(&Type::NUMERIC, "-1.50"), "(-1.50)");
        assert_eq!(text(&Type::NUMERIC, "1); DROP"), "'1); DROP'");
        assert_eq!(text(&Type::UNKNOWN, "5"), "'5'");
        assert_eq!(literal(&Type::DATE, true, None).unwrap(), "CAST(NULL AS DATE)");
    }

    #[test]
    fn binary_parameters_are_read_or_refused_with_a_remedy() {
        let four = Bytes::from_static(&[0, 0, 0, 7]);
        assert_eq!(literal(&Type::INT4, true, Some(&four)).unwrap(), "CAST('7' AS INTEGER)");
        assert!(literal(&Type::INT8, true, Some(&four)).is_err());
        let list = Bytes::from_static(&[
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7,
        ]);
        assert_eq!(
            literal(&Type::INT4_ARRAY, true, Some(&list)).unwrap(),
            "CAST([CAST('7' AS INTEGER)] AS INTEGER[])"
        );
        assert_eq!(
            text(&Type::TEXT_ARRAY, "{a,\"'b\"}"),
            "CAST(array_in('{a,\"''b\"}') AS VARCHAR[])"
        );
        let error = literal(&Type::JSONB, true, Some(&four)).unwrap_err();
        assert_eq!(error.remedy(), Some("send it as text"));
    }
}
