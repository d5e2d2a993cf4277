//! Whether an action of ALTER TABLE leaves every row as it was.
//!
//! Only what is known to do so is listed; everything else may have changed rows without telling.

use super::token::Token;

/// True if `action`, one of the comma-separated parts of an ALTER TABLE, changes no stored value
/// and no key. A new column may do so even if it is NULL everywhere: it may have the name of one that was
/// dropped before it.
pub(super) fn keeps_rows(action: &[Token]) -> bool {
    let words: Vec<String> = action.iter().map(Token::keyword).collect();
    let word = |place: usize| words.get(place).map(String::as_str).unwrap_or_default();
    match word(0) {
        "ADD" => adds_nothing_to_rows(&words),
        // A constraint may be a foreign key, and those change rows without telling: from when on
        // one no longer does is not known here.
        "DROP" => !matches!(
            word(1),
            "PARTITION" | "PRIMARY" | "SYSTEM" | "PERIOD" | "FOREIGN" | "CONSTRAINT"
        ),
        "ALTER" => true,
        "RENAME" => matches!(word(1), "INDEX" | "KEY"),
        // Where rows lie, and not which there are.
        "PARTITION" | "REMOVE" | "REORGANIZE" | "COALESCE" | "REBUILD" | "OPTIMIZE" | "ANALYZE"
        | "CHECK" => true,
        "DEFAULT"
        | "CHARACTER"
        | "CHARSET"
        | "COLLATE"
        | "COMMENT"
        | "AUTO_INCREMENT"
        | "ENGINE"
        | "ENABLE"
        | "DISABLE"
        | "ORDER"
        | "ALGORITHM"
        | "LOCK"
        | "ROW_FORMAT"
        | "FORCE"
        | "WAIT"
        | "NOWAIT"
        | "KEY_BLOCK_SIZE"
        | "STATS_PERSISTENT"
        | "STATS_AUTO_RECALC"
        | "STATS_SAMPLE_PAGES"
        | "CHECKSUM"
        | "MAX_ROWS"
        | "MIN_ROWS"
        | "AVG_ROW_LENGTH"
        | "PAGE_COMPRESSED"
        | "PAGE_COMPRESSION_LEVEL"
        | "ENCRYPTED"
        | "ENCRYPTION_KEY_ID" => true,
        // The parts of `ADD COLUMN (a int, b int)` stay together, so this is an empty list.
        "" => true,
        _ => false,
    }
}

/// True if `action` changes values at most: no row comes, goes or gets another key by it.
pub(super) fn keeps_keys(action: &[Token]) -> bool {
    let words: Vec<String> = action.iter().map(Token::keyword).collect();
    let word = |place: usize| words.get(place).map(String::as_str).unwrap_or_default();
    let has = |word: &str| words.iter().any(|other| other == word);
    let is_of_column = match word(0) {
        // A new key of the server's own would number the rows.
        "ADD" => !has("AUTO_INCREMENT") && !has("SERIAL"),
        "MODIFY" | "CHANGE" => true,
        // Two columns may change their names for each other's.
        "RENAME" => word(1) == "COLUMN",
        _ => false,
    };
    let names_other =
        matches!(word(1), "PRIMARY" | "CONSTRAINT" | "FOREIGN" | "PARTITION" | "SYSTEM" | "PERIOD");
    keeps_rows(action) || (is_of_column && !names_other && !has("PRIMARY") && !has("REFERENCES"))
}

/// True if a foreign key changes rows by itself.
fn acts(words: &[String]) -> bool {
    let has = |word: &str| words.iter().any(|other| other == word);
    has("CASCADE") || (has("SET") && has("NULL"))
}

fn adds_nothing_to_rows(words: &[String]) -> bool {
    let second = words.get(1).map(String::as_str).unwrap_or_default();
    let has = |word: &str| words.iter().any(|other| other == word);
    match second {
        "INDEX" | "KEY" | "UNIQUE" | "FULLTEXT" | "SPATIAL" | "CHECK" | "PARTITION" => true,
        "FOREIGN" => !acts(words),
        "CONSTRAINT" => !has("PRIMARY") && !acts(words),
        _ => false,
    }
}
