//! A key about half-way between two others, by arithmetic on what they look like. Pure.
//!
//! It is a guess of where to look: whoever uses it asks the server for a key that is there, by the server's
//! own order. A bad guess makes parts of unequal size, and never a wrong one.

use jiff::civil::DateTime;

use crate::change::{Cell, Column, Kind, Table};

/// Where to look between the keys `low` and `high` of a table: the beginning of a key, down to the first column
/// in which they differ. If nothing lies between its two values, or nothing can be told of them, `low`'s own
/// value: there the next one begins. `None` if that is a key already.
pub(super) fn middle(table: &Table, low: &[Cell], high: &[Cell]) -> Option<Vec<Cell>> {
    let columns: Vec<&Column> = table.key().filter_map(|at| table.columns.get(at)).collect();
    if columns.len() != low.len() || columns.len() != high.len() {
        return None;
    }
    let at = low.iter().zip(high).position(|(a, b)| a != b)?;
    let text =
        |cells: &'_ [Cell]| Some(std::str::from_utf8(cells.get(at)?.bytes()?).ok()?.to_owned());
    let mut key = low.get(..=at)?.to_vec();
    match between(columns.get(at)?, &text(low)?, &text(high)?) {
        Some(found) => *key.get_mut(at)? = Cell::text(&found),
        None if at + 1 == low.len() => return None,
        None => {}
    }
    Some(key)
}

fn between(column: &Column, low: &str, high: &str) -> Option<String> {
    let source_type = column.source_type.as_str();
    let is_any = |types: &[&str]| types.iter().any(|one| source_type.starts_with(one));
    match column.kind {
        Kind::Int { .. } | Kind::Unsigned { .. } | Kind::Decimal { .. } => of_numbers(low, high),
        Kind::Uuid => of_uuids(low, high),
        Kind::Bytes => of_bytes(low, high),
        Kind::Date => {
            let (low, high) = (format!("{low} 00:00:00"), format!("{high} 00:00:00"));
            of_moments(&low, &high)?.split_once(' ').map(|(date, _)| date.to_owned())
        }
        Kind::Timestamp => of_moments(low, high),
        Kind::TimestampTz => {
            let bare = |text: &str| text.strip_suffix("+00").map(ToOwned::to_owned);
            of_moments(&bare(low)?, &bare(high)?).map(|text| format!("{text}+00"))
        }
        Kind::Text if is_any(&["numeric", "decimal"]) => of_numbers(low, high),
        Kind::Text if is_any(&["text", "varchar", "char", "bpchar", "citext", "name"]) => {
            of_texts(low, high)
        }
        Kind::Text if is_any(&["tinytext", "mediumtext", "longtext"]) => of_texts(low, high),
        _ => None,
    }
}

/// Whole numbers; what is behind a point does not count.
fn of_numbers(low: &str, high: &str) -> Option<String> {
    let whole = |text: &str| text.split('.').next()?.parse::<i128>().ok();
    let (low, high) = (whole(low)?, whole(high)?);
    let apart = high.checked_sub(low)?;
    (apart >= 2).then(|| (low + apart / 2).to_string())
}

fn of_uuids(low: &str, high: &str) -> Option<String> {
    let bits = |text: &str| uuid::Uuid::parse_str(text).ok().map(|one| one.as_u128());
    let (low, high) = (bits(low)?, bits(high)?);
    let apart = high.checked_sub(low)?;
    (apart >= 2).then(|| uuid::Uuid::from_u128(low + apart / 2).to_string())
}

/// `\x` and hex: as a number, in the eight bytes from the first one that differs.
fn of_bytes(low: &str, high: &str) -> Option<String> {
    let (low, high) = (low.strip_prefix("\\x")?, high.strip_prefix("\\x")?);
    let same = low.bytes().zip(high.bytes()).take_while(|(a, b)| a == b).count() / 2 * 2;
    let window = |text: &str| {
        let digits: String =
            text.chars().skip(same).chain("0".repeat(16).chars()).take(16).collect();
        u64::from_str_radix(&digits, 16).ok()
    };
    let (from, to) = (window(low)?, window(high)?);
    let apart = to.checked_sub(from)?;
    (apart >= 2)
        .then(|| format!("\\x{}{:016x}", low.get(..same).unwrap_or_default(), from + apart / 2))
}

fn of_moments(low: &str, high: &str) -> Option<String> {
    let (low, high): (DateTime, DateTime) = (low.parse().ok()?, high.parse().ok()?);
    let apart = low.duration_until(high);
    if apart.as_secs() < 2 {
        return None;
    }
    let middle = low.checked_add(apart / 2).ok()?;
    Some(middle.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Texts stand in an order that only the server knows: mostly one in which case counts last. So they are
/// compared in small letters, and as they are where that is the wrong way round.
fn of_texts(low: &str, high: &str) -> Option<String> {
    let small = (low.to_lowercase(), high.to_lowercase());
    if small.0 < small.1 {
        return of_letters(&small.0, &small.1);
    }
    of_letters(low, high)
}

/// A letter half-way between the first two that differ, or, if they are neighbours, the first one and a
/// letter half-way between what comes behind it and the last letter there is.
fn of_letters(low: &str, high: &str) -> Option<String> {
    let mut low_left = low.chars();
    let mut same = String::new();
    for to in high.chars() {
        let from = low_left.next();
        if from == Some(to) {
            same.push(to);
            continue;
        }
        let from = from.unwrap_or(FIRST_LETTER);
        if let Some(letter) = half_way(from, to) {
            same.push(letter);
            return Some(same);
        }
        same.push(from);
        break;
    }
    let most = low.chars().chain(high.chars()).max().unwrap_or(LAST_LETTER);
    let last = LAST_LETTERS.into_iter().find(|last| most <= *last).unwrap_or(LAST_OF_ALL);
    let next = low_left.next().unwrap_or(FIRST_LETTER);
    same.push(half_way(next, last)?);
    Some(same)
}

/// What stands before the letters.
const FIRST_LETTER: char = ' ';
/// The last one of ASCII.
const LAST_LETTER: char = '~';
/// The last ones of character sets that have no others: what they cannot have is refused by some servers.
const LAST_LETTERS: [char; 2] = [LAST_LETTER, '\u{ff}'];
/// The last one that any may have.
const LAST_OF_ALL: char = '\u{ffff}';

fn half_way(from: char, to: char) -> Option<char> {
    let apart = u32::from(to).checked_sub(u32::from(from))?;
    let letter = if apart < 2 { None } else { char::from_u32(u32::from(from) + apart / 2) };
    match letter? {
        // Many sets have other letters there, or none.
        '\u{7f}'..='\u{9f}' if from < LAST_LETTER => Some(LAST_LETTER),
        '\u{7f}'..='\u{9f}' => None,
        letter => Some(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TableName;

    fn looked_for(columns: &[(Kind, &str)], low: &[&str], high: &[&str]) -> Option<Vec<String>> {
        let column = |(rank, (kind, source_type)): (usize, &(Kind, &str))| Column {
            name: format!("k{rank}"),
            kind: *kind,
            source_type: (*source_type).to_owned(),
            key: u16::try_from(rank).ok(),
        };
        let table = Table {
            id: 1,
            name: TableName::new("public", "t"),
            columns: columns.iter().enumerate().map(column).collect(),
            cascades: Vec::new(),
            left_out: Vec::new(),
            rows: None,
        };
        let cells = |texts: &[&str]| texts.iter().map(|one| Cell::text(one)).collect::<Vec<_>>();
        let text = |cell: &Cell| String::from_utf8_lossy(cell.bytes().unwrap()).into_owned();
        let found = middle(&table, &cells(low), &cells(high))?;
        Some(found.iter().map(text).collect())
    }

    #[test]
    fn half_way_between_two_keys_is_looked_for_by_what_they_look_like() {
        let int = (Kind::Int { bytes: 8 }, "bigint");
        let text = (Kind::Text, "varchar(20)");
        for (column, low, high, found) in [
            (int, "-5", "9", "2"),
            (int, "-9223372036854775808", "9223372036854775807", "-1"),
            (
                (Kind::Unsigned { bytes: 8 }, "x"),
                "0",
                "18446744073709551615",
                "9223372036854775807",
            ),
            ((Kind::Decimal { precision: 12, scale: 2 }, "x"), "1.75", "9.25", "5"),
            ((Kind::Text, "numeric"), "10", "20.5", "15"),
            (
                (Kind::Uuid, "uuid"),
                "00000000-0000-0000-0000-000000000000",
                "ffffffff-ffff-ffff-ffff-ffffffffffff",
                "7fffffff-ffff-ffff-ffff-ffffffffffff",
            ),
            ((Kind::Bytes, "bytea"), "\\x0a00", "\\x0aff40", "\\x0a7fa0000000000000"),
            ((Kind::Date, "date"), "2024-01-01", "2024-03-01", "2024-01-31"),
            (
                (Kind::Timestamp, "datetime(3)"),
                "2024-01-01 00:00:00.000",
                "2024-01-01 12:00:00.500",
                "2024-01-01 06:00:00",
            ),
            (
                (Kind::TimestampTz, "timestamptz"),
                "2024-01-01 00:00:00+00",
                "2024-01-03 00:00:00+00",
                "2024-01-02 00:00:00+00",
            ),
            (text, "key-0001000", "key-0999999", "key-04"),
            (text, "key", "key-9", "key&"),
            (text, "Anna", "bert", "av"),
            (text, "Zoe", "anna", "]"),
            (text, "", "\u{e9}", "~"),
            (text, "\u{e9}f", "\u{ea}", "\u{e9}\u{b2}"),
            (text, "\u{430}\u{431}", "\u{44f}", "\u{43f}"),
        ] {
            let found = Some(vec![found.to_owned()]);
            assert_eq!(looked_for(&[column], &[low], &[high]), found, "{column:?} {low} {high}");
        }
        for (column, low, high) in [
            (int, "1", "2"),
            (int, "7", "7"),
            ((Kind::Text, "inet"), "10.0.0.1", "10.0.0.9"),
            ((Kind::Float8, "double"), "1", "9"),
            ((Kind::Date, "date"), "infinity", "2024-01-01"),
            ((Kind::Timestamp, "x"), "0000-00-00 00:00:00", "2024-01-01 00:00:00"),
            ((Kind::Bytes, "bytea"), "\\x00", "\\x0000"),
        ] {
            assert_eq!(looked_for(&[column], &[low], &[high]), None, "{column:?} {low} {high}");
        }
    }

    #[test]
    fn between_neighbours_a_key_of_several_columns_is_parted_where_the_next_value_begins() {
        let int = (Kind::Int { bytes: 4 }, "int");
        let inet = (Kind::Text, "inet");
        let columns = [int, inet, int];
        let found = |low: [&str; 3], high: [&str; 3]| looked_for(&columns, &low, &high);
        let texts = |texts: &[&str]| Some(texts.iter().map(ToString::to_string).collect());
        assert_eq!(found(["1", "a", "1"], ["9", "b", "1"]), texts(&["5"]));
        assert_eq!(found(["1", "a", "1"], ["2", "b", "1"]), texts(&["1"]));
        assert_eq!(found(["1", "a", "1"], ["1", "b", "1"]), texts(&["1", "a"]));
        assert_eq!(found(["1", "a", "1"], ["1", "a", "5"]), texts(&["1", "a", "3"]));
        assert_eq!(found(["1", "a", "1"], ["1", "a", "2"]), None);
    }
}
