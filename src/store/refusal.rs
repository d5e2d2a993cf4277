//! What DuckDB says when it refuses, without the row values that its words may quote: errors go into
//! logs and to people who may not see the rows.

use std::error::Error as _;

use crate::error::{Error, ErrorKind, Result};

/// Adds what and which thing to a failure of DuckDB on its way up.
pub(super) trait InStore<T> {
    /// Wraps the error, if any, with the text of `what`, and without row values.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    fn in_store(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> InStore<T> for duckdb::Result<T> {
    fn in_store(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| failed(what(), &error))
    }
}

/// A DuckDB failure as ours, without the row values its text may quote.
pub(super) fn failed(what: String, error: &duckdb::Error) -> Error {
    Error::new(ErrorKind::Store, what).caused_by(Refusal::of(&error.to_string()))
}

/// What DuckDB said, without the row values it may quote.
pub(super) fn without_values(error: &duckdb::Error) -> String {
    Refusal::of(&error.to_string()).text
}

/// A failure of a statement that somebody asked, in DuckDB's words: whoever may read the rows may read
/// those. Not the line that DuckDB points to: that is ours, around the statement.
pub(super) fn asked(error: &duckdb::Error) -> Error {
    let message = error.to_string();
    let words = message.split("\n\nLINE ").next().unwrap_or_default();
    let text = words.trim_end_matches(": Error code 1: Unknown error code").trim_end().to_owned();
    let refusal = Refusal { class: String::new(), text };
    Error::new(ErrorKind::Usage, "the statement failed").caused_by(refusal)
}

/// True if DuckDB refused the statement for what it says or for a value it met. Everything else
/// (no memory, no disk, a broken file) is no fault of a mapping and may be over the next time.
pub(super) fn is_own_fault(error: &Error) -> bool {
    let refusal = error.source().and_then(|cause| cause.downcast_ref::<Refusal>());
    let is_fault = |refusal: &Refusal| {
        ABOUT_NAMES.contains(&refusal.class.as_str())
            || ABOUT_VALUES.contains(&refusal.class.as_str())
    };
    // What we refuse ourselves is the operator's to mend.
    error.kind() == ErrorKind::Config || refusal.is_some_and(is_fault)
}

/// True if DuckDB refused a value that it met.
pub(super) fn is_about_a_value(error: &Error) -> bool {
    let refusal = error.source().and_then(|cause| cause.downcast_ref::<Refusal>());
    refusal.is_some_and(|refusal| ABOUT_VALUES.contains(&refusal.class.as_str()))
}

/// True if DuckDB had too little memory.
#[must_use]
pub fn is_about_memory(error: &Error) -> bool {
    let refusal = error.source().and_then(|cause| cause.downcast_ref::<Refusal>());
    refusal.is_some_and(|refusal| refusal.class == OUT_OF_MEMORY)
}

/// True if DuckDB cannot do it while somebody else's transaction is open.
pub(super) fn is_about_another(error: &Error) -> bool {
    let refusal = error.source().and_then(|cause| cause.downcast_ref::<Refusal>());
    refusal.is_some_and(|refusal| refusal.class == "TransactionContext")
}

/// The class of those who had too little memory.
const OUT_OF_MEMORY: &str = "Out of Memory";
/// What stands before the words of a commit, or of the checkpoint within it, whose class is then another.
const IN_A_COMMIT: [&str; 2] =
    ["Failed to commit: ", "Failed to create checkpoint because of error: "];
/// The words of who had too little memory, or nowhere to put what does not fit.
const ABOUT_MEMORY: [&str; 4] = [
    "could not allocate block of size ",
    "failed to allocate data of size ",
    "failed to offload data block of size ",
    "failed to pin block of size ",
];

/// Classes of DuckDB's errors that tell what is wrong with a statement, before it sees a row.
const ABOUT_NAMES: [&str; 5] = ["Binder", "Catalog", "Parser", "Syntax", "Parameter Not Resolved"];
/// Classes that tell what was wrong with a value, or with what was done to it.
const ABOUT_VALUES: [&str; 10] = [
    "Conversion",
    "Out of Range",
    "Invalid Input",
    "Invalid type",
    "Mismatch Type",
    "Decimal",
    "Divide by Zero",
    "Constraint",
    "Not implemented",
    "Object Size",
];
/// Classes about the machine; they name files and bytes.
const ABOUT_THE_MACHINE: [&str; 6] =
    ["IO", "Out of Memory", "Permission", "INTERRUPT", "TransactionContext", "Connection"];
/// What may be shown of an error that may quote a value: words of DuckDB's own and its types.
/// A value that happens to be one of these words tells nothing.
const PLAIN_WORDS: &str = "\
    a addition an argument be because but by can't cast casting column conversion convert could \
    date decimal divide division does exist expected expression fail failed fits for format from \
    function in input interval invalid is it its length malformed multiplication must negative \
    not number of only out overflow parse range row rows scalar source string subquery subtraction \
    sum target the time timestamp to too type use value values when width with zero \
    BIGINT BLOB BOOL BOOLEAN DATE DECIMAL DOUBLE FLOAT HUGEINT INT128 INT16 INT32 INT64 INT8 \
    INTEGER INTERVAL JSON SMALLINT TIME TIMESTAMP TINYINT UBIGINT UHUGEINT UINT128 UINT16 UINT32 \
    UINT64 UINT8 UINTEGER USMALLINT UTINYINT UUID VARCHAR";

/// What DuckDB said, without row values.
#[derive(Debug)]
struct Refusal {
    /// The word before `Error:`.
    class: String,
    /// What may be shown.
    text: String,
}

impl Refusal {
    fn of(message: &str) -> Self {
        let line = message.lines().next().unwrap_or_default();
        let (class, words) = line.split_once(" Error: ").unwrap_or(("", line));
        let class = if is_memory_in_a_commit(words) { OUT_OF_MEMORY } else { class };
        let is_safe = ABOUT_NAMES.contains(&class) || ABOUT_THE_MACHINE.contains(&class);
        let text = if is_safe {
            line.to_owned()
        } else {
            let known = ABOUT_VALUES.contains(&class);
            let class = if known { class } else { "another" };
            format!("{class} Error: {}", plain(words))
        };
        Self { class: class.to_owned(), text }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

/// Nothing but sizes follows: no value has a place in it.
fn is_memory_in_a_commit(words: &str) -> bool {
    let inner = IN_A_COMMIT.iter().find_map(|before| words.strip_prefix(before));
    let sizes = inner.and_then(|inner| ABOUT_MEMORY.iter().find_map(|one| inner.strip_prefix(one)));
    sizes.is_some_and(|sizes| {
        sizes.split(['(', ')', '/', ' ', '.']).all(|word| {
            word.chars().all(|char| char.is_ascii_digit())
                || matches!(word, "used" | "bytes" | "byte" | "KiB" | "MiB" | "GiB" | "TiB")
        })
    })
}

/// The plain words of a message; `…` for each run of others.
fn plain(message: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for word in message.split_whitespace() {
        let bare = word.trim_matches(|c: char| ",.:;!()".contains(c));
        let is_plain = |known: &str| known == bare || known == bare.to_lowercase();
        if PLAIN_WORDS.split_whitespace().any(is_plain) {
            kept.push(bare);
        } else if kept.last() != Some(&"…") {
            kept.push("…");
        }
    }
    kept.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use duckdb::Connection;

    fn shown(message: &str) -> String {
        Refusal::of(message).to_string()
    }

    #[test]
    fn errors_show_names_but_no_values() {
        let text = "Conversion Error: Could not convert string 'Ada Lovelace' to INT32\nLINE 1: …";
        assert_eq!(shown(text), "Conversion Error: Could not convert string … to INT32");
        let text = "Binder Error: Referenced column \"nam\" not found in FROM clause!";
        assert_eq!(shown(text), text);
        let text =
            "IO Error: Could not write file \"/var/lib/store.duckdb\": No space left on device";
        assert_eq!(shown(text), text);
    }

    #[test]
    fn whoever_asks_reads_the_words_without_our_own_line() {
        let connection = Connection::open_in_memory().unwrap();
        let mut statement = connection.prepare("SELECT * FROM query($1)").unwrap();
        let error = statement.query(["SELECT nam FROM (SELECT 1 AS name)"]).err().unwrap();
        let chain = asked(&error).chain();
        assert!(
            chain.starts_with("the statement failed: Binder Error: Referenced column"),
            "{chain}"
        );
        assert!(chain.contains("Candidate bindings") && !chain.contains("query("), "{chain}");
    }

    #[test]
    fn what_duckdb_says_about_values_shows_none_of_them() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t AS SELECT 987654321987654321 AS big, 'Ada Lovelace' AS name,
                 DATE '1815-12-10' AS born, '{\"Ada\": Lovelace' AS malformed, 54321.5 AS rate;
                 CREATE TABLE k (name VARCHAR PRIMARY KEY, rate DECIMAL(4,1) CHECK (rate < 10));
                 INSERT INTO k SELECT name, 1 FROM t",
            )
            .unwrap();
        for sql in [
            "SELECT big * big FROM t",
            "SELECT -(-170141183460469231731687303715884105728::HUGEINT + big - big) FROM t",
            "SELECT CAST(name AS INTEGER) FROM t",
            "SELECT CAST(big AS INTEGER) FROM t",
            "SELECT CAST(rate AS DECIMAL(3,1)) FROM t",
            "SELECT make_date(big, 1, 1) FROM t",
            "SELECT strptime(name, '%Y') FROM t",
            "SELECT json_extract(malformed, '$.Ada') FROM t",
            "SELECT CAST(born AS INTEGER) FROM t",
            "SELECT CAST(name AS UUID) FROM t",
            "SELECT CAST(name AS BOOLEAN) FROM t",
            "SELECT CAST(name AS TIMESTAMP) FROM t",
            "SELECT born + CAST(big AS INTEGER) FROM t",
            "SELECT error(name) FROM t",
            "SELECT factorial(CAST(rate AS INTEGER)) FROM t",
            "SELECT decode(encode(name)::BLOB || '\\xFF'::BLOB) FROM t",
            "SELECT regexp_matches(name, '(' || name) FROM t",
            "INSERT INTO k SELECT name, 1 FROM t",
            "INSERT INTO k SELECT 'Ada', rate FROM t",
        ] {
            let run = || connection.prepare(sql)?.query_arrow([]).map(Iterator::count);
            let error = match run() {
                Err(error) => failed("it failed".to_owned(), &error),
                Ok(_) => panic!("{sql} does not fail"),
            };
            let text = error.chain();
            let values = ["987654321", "Ada", "Lovelace", "1815", "54321", "1701411"];
            assert!(!values.iter().any(|value| text.contains(value)), "{sql}: {text}");
            assert!(is_own_fault(&error), "{sql}: {text}");
        }
    }

    #[test]
    fn too_little_memory_for_a_commit_is_told_from_its_words() {
        let offload = "failed to offload data block of size 256.0 KiB (30.4 MiB/30.5 MiB used).";
        for (text, expected) in [
            (format!("FATAL Error: Failed to create checkpoint because of error: {offload}\nMore"), true),
            (format!("TransactionContext Error: Failed to commit: {offload}"), true),
            (
                "TransactionContext Error: Failed to commit: could not allocate block of size 256.0 KiB \
                 (15.2 MiB/15.2 MiB used)"
                    .to_owned(),
                true,
            ),
            ("TransactionContext Error: Failed to commit: Could not write file".to_owned(), false),
            (format!("Conversion Error: Could not convert '{offload}'"), false),
            ("FATAL Error: Failed to commit: failed to pin block of size Ada".to_owned(), false),
        ] {
            let error = Error::new(ErrorKind::Store, "x").caused_by(Refusal::of(&text));
            assert_eq!(is_about_memory(&error), expected, "{text}");
            assert!(!expected || error.chain().contains("of size 256.0 KiB"), "{}", error.chain());
            assert!(!error.chain().contains("Ada"));
        }
    }

    #[test]
    fn a_commit_of_duckdb_that_has_too_little_memory_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("small.duckdb")).unwrap();
        let prepare = "SET threads = 1; SET max_temp_directory_size = '8MB'; SET memory_limit = '200MB';
             CREATE TABLE t (id BIGINT, a VARCHAR, b VARCHAR); BEGIN;
             INSERT INTO t SELECT g, md5(g::VARCHAR), md5((g + 1)::VARCHAR) FROM range(100000) AS s(g);
             CREATE TEMP TABLE x AS SELECT * FROM t WHERE id % 5 < 2;
             DELETE FROM t USING x WHERE t.id = x.id; INSERT INTO t SELECT * FROM x;
             SET memory_limit = '12MB'";
        connection.execute_batch(prepare).unwrap();
        let refused = connection.execute_batch("COMMIT").unwrap_err();
        let error = failed("could not commit".to_owned(), &refused);
        assert!(is_about_memory(&error), "{}", error.chain());
    }

    #[test]
    fn only_what_is_wrong_with_a_statement_or_a_value_is_its_own_fault() {
        let nobodys = [
            "IO Error: Could not write file \"x\": No space left on device",
            "Out of Memory Error: failed to allocate data of size 16.0 MiB",
            "TransactionContext Error: Failed to commit: Could not write file",
            "FATAL Error: database has been invalidated",
            "INTERNAL Error: Attempted to access index 0 within vector of size 0",
            "INTERRUPT Error: Interrupted!",
        ];
        for text in nobodys {
            let error = Error::new(ErrorKind::Store, "x").caused_by(Refusal::of(text));
            assert!(!is_own_fault(&error), "{text}");
        }
    }
}
