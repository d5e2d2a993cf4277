//! Statements about the session, which drivers send and the store does not know. Pure.

use super::access::SERVER_VERSION;
use super::cursor::Cursor;
use super::text;

/// What a statement asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Begins a transaction: there is nothing to begin, each statement has a snapshot of its own.
    Begin,
    /// Ends one; the tag says how.
    End(&'static str),
    /// Goes back to a savepoint: the transaction is sound again.
    Back,
    /// Something with a cursor.
    Cursor(Cursor),
    /// Changes a setting of the session: nothing depends on one.
    Setting(&'static str),
    /// Shows a setting: its name and value.
    Show(String, String),
    /// Nothing but comments, as some drivers send to see whether somebody answers.
    Nothing,
    /// Everything else is for the store to judge.
    Select,
}

/// Says what `sql`, one statement, asks for.
pub(super) fn word(sql: &str) -> Word {
    let words = text::words(sql);
    if words.is_empty() && text::pieces(sql).iter().all(|(kind, _)| *kind == text::Kind::Blank) {
        return Word::Nothing;
    }
    match words.first().map_or("", String::as_str) {
        "BEGIN" | "START" => Word::Begin,
        "COMMIT" | "END" => Word::End("COMMIT"),
        "ROLLBACK" if words.iter().any(|word| word == "TO") => Word::Back,
        "ROLLBACK" | "ABORT" => Word::End("ROLLBACK"),
        "SAVEPOINT" => Word::Setting("SAVEPOINT"),
        "RELEASE" => Word::Setting("RELEASE"),
        "UNLISTEN" => Word::Setting("UNLISTEN"),
        "DECLARE" | "FETCH" | "CLOSE" => Cursor::of(sql).map_or(Word::Select, Word::Cursor),
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
        "default_transaction_deferrable" | "transaction_deferrable" | "in_hot_standby" => "off",
        "application_name" => "",
        "bytea_output" => "hex",
        "client_min_messages" => "notice",
        "default_table_access_method" => "heap",
        "extra_float_digits" => "1",
        "max_identifier_length" => "63",
        "max_index_keys" => "32",
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
            ("ROLLBACK TO SAVEPOINT a", Word::Back),
            ("SAVEPOINT a", Word::Setting("SAVEPOINT")),
            ("CLOSE a", Word::Cursor(Cursor::Close(Some("a".into())))),
            ("SET extra_float_digits = 3", Word::Setting("SET")),
            ("DISCARD ALL", Word::Setting("DISCARD ALL")),
            ("SHOW TABLES", Word::Select),
            ("select 1", Word::Select),
            ("-- ping", Word::Nothing),
        ] {
            assert_eq!(word(sql), expected, "{sql}");
        }
        let level = Word::Show("transaction_isolation_level".into(), "repeatable read".into());
        assert_eq!(word("show transaction isolation level"), level);
    }
}
