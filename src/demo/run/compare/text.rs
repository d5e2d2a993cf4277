//! One text per value, whatever database it comes from: SQL for each server and the store.
//!
//! Written from the manuals of the three databases, not from Trueup's codec: it judges that.
//! Mostly a server's own text is that text already; here is where two would write the same value
//! differently. Bytes are hex; intervals are months, days and microseconds; timestamps have no
//! trailing zeros.

/// A column and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// SQL that gives its text.
    pub(super) sql: String,
    /// Whether its text is a binary fraction, which each database spells in its own way.
    pub(super) fraction: Option<Fraction>,
}

/// A binary fraction's width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fraction {
    /// 4 bytes.
    Single,
    /// 8 bytes.
    Double,
}

impl Fraction {
    /// The spelling that all sides share: the value's bits.
    pub(super) fn respell(self, text: &str) -> String {
        let Ok(value) = text.parse::<f64>() else { return text.to_owned() };
        match (self, text.parse::<f32>()) {
            (Fraction::Single, Ok(value)) => format!("{:08x}", value.to_bits()),
            _ => format!("{:016x}", value.to_bits()),
        }
    }
}

/// A column of PostgreSQL; its session's zone must be UTC.
pub(super) fn postgres(name: &str, kind: &str) -> Column {
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let sql = match kind {
        // Its own text is `t`.
        "bool" => format!("{quoted}::text"),
        "bytea" => format!("encode({quoted}, 'hex')"),
        "interval" => interval(&quoted, "bigint"),
        _ => quoted,
    };
    let fraction = match kind {
        "float4" => Some(Fraction::Single),
        "float8" => Some(Fraction::Double),
        _ => None,
    };
    Column { name: name.to_owned(), sql, fraction }
}

/// A column of MariaDB, by its `DATA_TYPE`; its session's zone must be UTC.
pub(super) fn mariadb(name: &str, kind: &str) -> Column {
    let quoted = format!("`{}`", name.replace('`', "``"));
    let trimmed = |text: String| format!("TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text}))");
    let sql = match kind {
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            format!("LOWER(HEX({quoted}))")
        }
        "datetime" => trimmed(format!("DATE_FORMAT({quoted}, '%Y-%m-%d %H:%i:%s.%f')")),
        "timestamp" => {
            let text = trimmed(format!("DATE_FORMAT({quoted}, '%Y-%m-%d %H:%i:%s.%f')"));
            format!("CONCAT({text}, '+00')")
        }
        "time" => trimmed(format!("TIME_FORMAT({quoted}, '%H:%i:%s.%f')")),
        // As text, a FLOAT loses digits.
        "float" => format!("CAST({quoted} AS DOUBLE)"),
        _ => format!("CAST({quoted} AS CHAR CHARACTER SET utf8mb4)"),
    };
    let fraction = match kind {
        "float" => Some(Fraction::Single),
        "double" => Some(Fraction::Double),
        _ => None,
    };
    Column { name: name.to_owned(), sql, fraction }
}

/// A column of the store.
pub(super) fn store(name: &str, kind: &str) -> Column {
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let sql = match kind {
        "BLOB" => format!("lower(hex({quoted}))"),
        "INTERVAL" => interval(&quoted, "BIGINT"),
        _ => format!("CAST({quoted} AS VARCHAR)"),
    };
    let fraction = match kind {
        "FLOAT" => Some(Fraction::Single),
        "DOUBLE" => Some(Fraction::Double),
        _ => None,
    };
    Column { name: name.to_owned(), sql, fraction }
}

/// `14 3 5000000`: months, days, microseconds. The same in PostgreSQL and DuckDB; NULL stays.
fn interval(quoted: &str, integer: &str) -> String {
    let part = |unit: &str| format!("CAST(extract({unit} FROM {quoted}) AS {integer})");
    let months = format!("{} * 12 + {}", part("year"), part("month"));
    let micros = format!(
        "{} * 3600000000 + {} * 60000000 + {}",
        part("hour"),
        part("minute"),
        part("microseconds")
    );
    format!("({months}) || ' ' || {} || ' ' || ({micros})", part("day"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_compared_by_their_bits() {
        assert_eq!(
            Fraction::Double.respell("1e+20"),
            Fraction::Double.respell("100000000000000000000.0")
        );
        assert_eq!(
            Fraction::Single.respell("0.1"),
            Fraction::Single.respell("0.10000000149011612")
        );
        assert_ne!(
            Fraction::Double.respell("0.1"),
            Fraction::Double.respell("0.10000000149011612")
        );
        assert_ne!(Fraction::Double.respell("0"), Fraction::Double.respell("-0"));
    }
}
