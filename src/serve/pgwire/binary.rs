//! Values of parameters in PostgreSQL's binary form, as text. Pure; the other way is in `cell.rs`.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use pgwire::api::Type;

/// Digits before and after the point of a number, each: a client's eight bytes may say 130,000. The store has
/// 38 of them in its decimals and 309 in its floats.
const DIGITS_MAX: u16 = 1_000;

/// 2000-01-01, from which PostgreSQL counts.
const EPOCH: Date = Date::constant(2000, 1, 1);

/// True if values of this type can be read here.
pub(super) fn is_known(kind: &Type) -> bool {
    matches!(
        *kind,
        Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::OID
            | Type::FLOAT4
            | Type::FLOAT8
            | Type::NUMERIC
            | Type::DATE
            | Type::TIME
            | Type::TIMESTAMP
            | Type::TIMESTAMPTZ
            | Type::UUID
            | Type::TEXT
            | Type::VARCHAR
            | Type::BPCHAR
            | Type::NAME
            | Type::UNKNOWN
    )
}

/// The value as text; `None` if it is none of its type.
pub(super) fn text(kind: &Type, value: &[u8]) -> Option<String> {
    Some(match *kind {
        Type::BOOL => (fixed::<1>(value)? != [0]).to_string(),
        Type::INT2 => i16::from_be_bytes(fixed(value)?).to_string(),
        Type::INT4 => i32::from_be_bytes(fixed(value)?).to_string(),
        Type::INT8 => i64::from_be_bytes(fixed(value)?).to_string(),
        Type::OID => u32::from_be_bytes(fixed(value)?).to_string(),
        Type::FLOAT4 => f32::from_be_bytes(fixed(value)?).to_string(),
        Type::FLOAT8 => f64::from_be_bytes(fixed(value)?).to_string(),
        Type::NUMERIC => numeric(value)?,
        Type::DATE => date(i32::from_be_bytes(fixed(value)?))?,
        Type::TIME => time(i64::from_be_bytes(fixed(value)?))?,
        Type::TIMESTAMP => moment(i64::from_be_bytes(fixed(value)?), "")?,
        Type::TIMESTAMPTZ => moment(i64::from_be_bytes(fixed(value)?), "+00")?,
        Type::UUID => uuid::Uuid::from_slice(value).ok()?.to_string(),
        _ => std::str::from_utf8(value).ok()?.to_owned(),
    })
}

/// The elements of a list of one dimension.
pub(super) fn elements(value: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let mut rest = value;
    let mut next = || take(&mut rest, 4).and_then(fixed).map(i32::from_be_bytes);
    // Dimensions, whether there are NULLs, the type of the elements.
    let (dimensions, _, _) = (next()?, next()?, next()?);
    if dimensions == 0 {
        return Some(Vec::new());
    }
    // Its length and the number of the first.
    let (length, _) = (next()?, next()?);
    if dimensions != 1 {
        return None;
    }
    let mut elements = Vec::new();
    for _ in 0..length {
        let width = take(&mut rest, 4).and_then(fixed).map(i32::from_be_bytes)?;
        elements.push(match usize::try_from(width) {
            Ok(width) => Some(take(&mut rest, width)?),
            Err(_) => None,
        });
    }
    rest.is_empty().then_some(elements)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn fixed<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

fn date(days: i32) -> Option<String> {
    match days {
        i32::MAX => Some("infinity".to_owned()),
        i32::MIN => Some("-infinity".to_owned()),
        _ => Some(
            EPOCH.checked_add(SignedDuration::from_hours(i64::from(days) * 24)).ok()?.to_string(),
        ),
    }
}

fn time(micros: i64) -> Option<String> {
    Some(Time::midnight().checked_add(SignedDuration::from_micros(micros)).ok()?.to_string())
}

fn moment(micros: i64, zone: &str) -> Option<String> {
    let word = match micros {
        i64::MAX => return Some("infinity".to_owned()),
        i64::MIN => return Some("-infinity".to_owned()),
        _ => SignedDuration::from_micros(micros),
    };
    let start: DateTime = EPOCH.to_datetime(Time::midnight());
    Some(format!("{}{zone}", start.checked_add(word).ok()?))
}

/// Groups of four decimal digits: how many, the weight of the first, the sign, digits after the point.
fn numeric(value: &[u8]) -> Option<String> {
    let mut rest = value;
    let mut next = || take(&mut rest, 2).and_then(fixed).map(u16::from_be_bytes);
    let (groups, weight, sign, scale) = (next()?, next()?, next()?, next()?);
    let sign = match sign {
        0 => "",
        0x4000 => "-",
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => return None,
    };
    let weight = i32::from(weight.cast_signed());
    if weight >= i32::from(DIGITS_MAX / 4) || scale > DIGITS_MAX {
        return None;
    }
    let group = |group: u16| (group < 10_000).then_some(group);
    let digits: Option<Vec<u16>> = (0..groups).map(|_| next().and_then(group)).collect();
    let digits = digits.filter(|_| rest.is_empty())?;
    let group = |place: i32| {
        let at = usize::try_from(place).ok();
        format!("{:04}", at.and_then(|at| digits.get(at)).copied().unwrap_or(0))
    };
    let whole: String = (0..=weight).map(group).collect();
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let groups_after = i32::from(scale.div_ceil(4));
    let mut fraction: String = (weight + 1..=weight + groups_after).map(group).collect();
    fraction.truncate(usize::from(scale));
    let point = if fraction.is_empty() { "" } else { "." };
    // There is one zero only.
    let is_zero = whole == "0" && fraction.bytes().all(|digit| digit == b'0');
    let sign = if is_zero { "" } else { sign };
    Some(format!("{sign}{whole}{point}{fraction}"))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::super::cell;
    use super::*;
    use crate::store::answer::Kind;

    #[test]
    fn values_come_back_as_they_went() {
        for (kind, as_type, written) in [
            (Kind::Decimal, Type::NUMERIC, "-12345.6700"),
            (Kind::Decimal, Type::NUMERIC, "0.0001"),
            (Kind::Decimal, Type::NUMERIC, "0.00"),
            (Kind::Decimal, Type::NUMERIC, "100000000"),
            (Kind::Decimal, Type::NUMERIC, "10000.0001"),
            (Kind::Date, Type::DATE, "1999-12-31"),
            (Kind::Date, Type::DATE, "9999-12-31"),
            (Kind::Time, Type::TIME, "23:59:59.999999"),
            (Kind::Bool, Type::BOOL, "true"),
            (Kind::Int64, Type::INT8, "-9223372036854775808"),
            (Kind::Float64, Type::FLOAT8, "0.1"),
        ] {
            let mut out = BytesMut::new();
            cell::write(&mut out, kind, true, Some(written)).unwrap();
            assert_eq!(text(&as_type, &out[4..]).as_deref(), Some(written));
        }
        assert_eq!(
            text(&Type::TIMESTAMP, &1_500_000_i64.to_be_bytes()).unwrap(),
            "2000-01-01T00:00:01.5"
        );
        assert_eq!(
            text(&Type::TIMESTAMPTZ, &(-1_i64).to_be_bytes()).unwrap(),
            "1999-12-31T23:59:59.999999+00"
        );
        assert_eq!(text(&Type::DATE, &i32::MAX.to_be_bytes()).unwrap(), "infinity");
        assert_eq!(text(&Type::INT4, &[0]), None);
    }

    #[test]
    fn lists_are_taken_apart() {
        let of =
            |words: &[i32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
        let list = of(&[1, 1, 23, 3, 1, 4, 7, -1, 4, 9]);
        let (seven, nine) = (7_i32.to_be_bytes(), 9_i32.to_be_bytes());
        assert_eq!(elements(&list).unwrap(), [Some(&seven[..]), None, Some(&nine[..])]);
        assert_eq!(elements(&of(&[0, 0, 23])).unwrap(), [None; 0]);
        assert_eq!(elements(&of(&[2, 0, 23, 1, 1, 1, 1, 4, 7])), None);
        assert_eq!(elements(&list[..list.len() - 1]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            elements(&bytes);
            for kind in [Type::NUMERIC, Type::DATE, Type::TIME, Type::TIMESTAMP, Type::UUID, Type::TEXT] {
                text(&kind, &bytes);
            }
        }
    }
}
