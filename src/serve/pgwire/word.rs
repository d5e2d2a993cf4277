//! Statements about the session, which drivers send and the store does not know. Pure.

use super::access::SERVER_VERSION;
use super::text;

/// What a statement asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Begins a transaction: there is nothing to begin, each statement has a snapshot of its own.
    Begin,
    /// Ends one; the tag says how.
    End(&'static str),
    /// Changes a setting of the session: nothing depends on one.
    Setting(&'static str),
    /// Shows a setting: its name and value.
    Show(String, String),
    /// Everything else is for the store to judge.
    Select,
}

/// Says what `sql`, one statement, asks for.
pub(super) fn word(sql: &str) -> Word {
    let words = text::words(sql);
    match words.first().map_or("", String::as_str) {
        "BEGIN" | "START" => Word::Begin,
        "COMMIT" | "END" => Word::End("COMMIT"),
        "ROLLBACK" | "ABORT" => Word::End("ROLLBACK"),
        "SET" => Word::Setting("SET"),
        "RESET" => Word::Setting("RESET"),
        "DISCARD" => Word::Setting("DISCARD ALL"),
        "DEALLOCATE" => Word::Setting("DEALLOCATE"),
        "SHOW" => show(words.get(1..).unwrap_or_default()),
        _ => Word::Select,
    }
}

fn show(words: &[String]) -> Word {
    let name = words.join("_").to_ascii_lowercase();
    let value = match name.as_str() {
        "server_version" => SERVER_VERSION,
        "server_version_num" => "150000",
        "server_encoding" | "client_encoding" => "UTF8",
        "standard_conforming_strings" | "integer_datetimes" | "transaction_read_only" => "on",
        "default_transaction_read_only" => "on",
        "transaction_isolation" | "default_transaction_isolation" => "repeatable read",
        "transaction_isolation_level" => "repeatable read",
        "datestyle" => "ISO, YMD",
        "intervalstyle" => "postgres",
        "timezone" | "time_zone" => "UTC",
        "search_path" => "main",
        "lc_collate" | "lc_ctype" => "C",
        "is_superuser" => "off",
        _ => return Word::Select,
    };
    Word::Show(name, value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drivers_say_of_the_session_is_understood() {
        for (sql, expected) in [
            ("begin transaction isolation level read committed", Word::Begin),
            ("START TRANSACTION READ ONLY", Word::Begin),
            ("/* x */ ROLLBACK", Word::End("ROLLBACK")),
            ("SET extra_float_digits = 3", Word::Setting("SET")),
            ("DISCARD ALL", Word::Setting("DISCARD ALL")),
            ("SHOW TABLES", Word::Select),
            ("select 1", Word::Select),
            ("", Word::Select),
        ] {
            assert_eq!(word(sql), expected, "{sql}");
        }
        let level = Word::Show("transaction_isolation_level".into(), "repeatable read".into());
        assert_eq!(word("show transaction isolation level"), level);
    }
}
