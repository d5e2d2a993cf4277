//! Digests in MariaDB's and MySQL's SQL. Pure text. The session speaks utf8mb4 and its time zone is UTC.

use super::{Family, Hash, LANE_DIGITS};

/// The type that a golden vector is cast to; `None`: MariaDB has no such literal.
#[must_use]
pub fn cast(family: Family, literal: &str) -> String {
    match family {
        Family::Number => format!("CAST({literal} AS DECIMAL(38,6))"),
        Family::Boolean => format!("({literal} = 'true')"),
        Family::Date => format!("CAST({literal} AS DATE)"),
        Family::Time => format!("CAST({literal} AS TIME(6))"),
        Family::Timestamp => format!("CAST({literal} AS DATETIME(6))"),
        // A literal has no offset here: what the vectors say is in UTC below.
        Family::TimestampTz => format!(
            "CONVERT_TZ(CAST(LEFT({literal}, CHAR_LENGTH({literal}) - 3) AS DATETIME(6)), \
             CONCAT(RIGHT({literal}, 3), ':00'), '+00:00')"
        ),
        Family::Text | Family::Stamp | Family::Padded => literal.to_owned(),
        Family::Bytes => format!("UNHEX(SUBSTR({literal}, 3))"),
    }
}

/// SQL for the canonical text of a value.
#[must_use]
pub fn text(family: Family, value: &str) -> String {
    let trimmed = |text: String| format!("TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text}))");
    match family {
        Family::Number => {
            let text = format!("CAST(({value}) + 0 AS CHAR)");
            format!("IF(LOCATE('.', {text}) > 0, {}, {text})", trimmed(text.clone()))
        }
        Family::Boolean => format!("IF({value} IS NULL, NULL, IF({value}, '1', '0'))"),
        Family::Date => format!("DATE_FORMAT({value}, '%Y-%m-%d')"),
        Family::Time => trimmed(format!("TIME_FORMAT({value}, '%H:%i:%s.%f')")),
        Family::Timestamp | Family::TimestampTz => {
            trimmed(format!("DATE_FORMAT({value}, '%Y-%m-%d %H:%i:%s.%f')"))
        }
        Family::Text | Family::Stamp => format!("CONVERT({value} USING utf8mb4)"),
        Family::Padded => format!("TRIM(TRAILING ' ' FROM CONVERT({value} USING utf8mb4))"),
        Family::Bytes => format!("LOWER(HEX({value}))"),
    }
}

/// SQL for the row text of canonical texts.
fn row_text(texts: &[String]) -> String {
    let cell = |text: &String| format!("IFNULL(CONCAT(LENGTH({text}), ':', {text}), 'N')");
    format!("CONCAT({})", texts.iter().map(cell).collect::<Vec<_>>().join(", "))
}

fn hashed(hash: Hash, text: &str) -> String {
    match hash {
        Hash::Md5 => format!("MD5({text})"),
        Hash::Sha256 => format!("SHA2({text}, 256)"),
    }
}

/// SQL for the digests of a table `t` by bucket: bucket, count, and the sums of both lanes as text.
#[must_use]
pub fn digests(table: &str, all: &[String], key: &[String], digits: usize, hash: Hash) -> String {
    let lane = |from: usize| {
        let number = format!("CONV(SUBSTR(h, {from}, {LANE_DIGITS}), 16, 10)");
        format!("CAST(SUM(CAST({number} AS DECIMAL(20))) AS CHAR)")
    };
    format!(
        "SELECT SUBSTR({}, 1, {digits}) AS b, COUNT(*), {}, {} FROM (SELECT k, {} AS h FROM \
         (SELECT {} AS k, {} AS r FROM {table} AS t) AS some) AS hashed GROUP BY b",
        hashed(hash, "k"),
        lane(1),
        lane(1 + LANE_DIGITS),
        hashed(hash, "r"),
        row_text(key),
        row_text(all),
    )
}

/// SQL for what rows of some buckets of a table `t` hold, and how many hold the same: canonical texts, and a
/// count. (Grouped by a hash: collations hold for equal what is not.)
#[must_use]
pub fn equals(
    table: &str,
    all: &[String],
    (digits, hash): (usize, Hash),
    buckets: &[String],
) -> String {
    let one_of = all.iter().map(|text| format!("MIN({text})"));
    let counted: Vec<String> = one_of.chain(["COUNT(*)".to_owned()]).collect();
    let rows = rows(table, &counted, all, (digits, hash), buckets);
    format!("{rows} GROUP BY {}", hashed(hash, &row_text(all)))
}

/// SQL for the rows of some buckets of a table `t`: their canonical texts.
#[must_use]
pub fn rows(
    table: &str,
    all: &[String],
    key: &[String],
    (digits, hash): (usize, Hash),
    buckets: &[String],
) -> String {
    // Hexadecimal digits: nothing to be quoted.
    let wanted: Vec<String> = buckets.iter().map(|bucket| format!("'{bucket}'")).collect();
    format!(
        "SELECT {} FROM {table} AS t WHERE SUBSTR({}, 1, {digits}) IN ({})",
        all.join(", "),
        hashed(hash, &row_text(key)),
        wanted.join(", "),
    )
}
