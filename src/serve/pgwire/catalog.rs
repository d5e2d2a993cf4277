//! Questions about PostgreSQL's catalogs, said so that the store understands them. Pure.
//!
//! The store has these catalogs in the schema `pg` (`sql/store/catalog.sql`), because nobody can add
//! to DuckDB's own `pg_catalog`. Only text outside of quotes and comments is touched.

use std::ops::Range;

use super::text::plain;

/// What a client puts in front of everything of the catalogs.
const PREFIX: &str = "pg_catalog.";

/// Functions that the schema `pg` has; all others are the store's own.
const OWN_FUNCTIONS: [&str; 14] = [
    "pg_get_userbyid",
    "pg_table_is_visible",
    "pg_relation_is_publishable",
    "pg_encoding_to_char",
    "pg_get_expr",
    "pg_get_statisticsobjdef_columns",
    "pg_get_ruledef",
    "array_upper",
    "pg_backend_pid",
    "version",
    "obj_description",
    "col_description",
    "pg_get_viewdef",
    "format_type",
];

/// The statement in the store's words; as it is, if it does not ask about the catalogs.
pub(super) fn understood(sql: &str) -> String {
    if !sql.contains(PREFIX) {
        return sql.to_owned();
    }
    let mut text = String::with_capacity(sql.len());
    let mut end = 0;
    for place in plain(sql) {
        text.push_str(sql.get(end..place.start).unwrap_or_default());
        text.push_str(&rewritten(sql, &place));
        end = place.end;
    }
    text.push_str(sql.get(end..).unwrap_or_default());
    // Two things that psql says of what is always empty here: a list of roles, and the columns of a
    // publication.
    text.replace("polroles = '{0}'", "polroles = [0]").replace("attnum = prattrs[s]", "false")
}

fn rewritten(sql: &str, place: &Range<usize>) -> String {
    let piece = sql.get(place.clone()).unwrap_or_default();
    let piece = piece.replace("OPERATOR(pg_catalog.~)", "~");
    let piece = piece.replace("COLLATE pg_catalog.default", "");
    let mut text = String::with_capacity(piece.len());
    let mut rest = piece.as_str();
    while let Some((before, after)) = rest.split_once(PREFIX) {
        text.push_str(before);
        let length = after.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let (name, behind) = after.split_at(length);
        if before.ends_with("::") {
            // Names of objects are as good as the objects' numbers here.
            text.push_str(if name.starts_with("reg") { "varchar" } else { name });
        } else if behind.starts_with('(') && !OWN_FUNCTIONS.contains(&name) {
            text.push_str(name);
        } else {
            text.push_str("pg.");
            text.push_str(name);
        }
        rest = behind;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogs_functions_types_and_operators_are_told_apart() {
        for (asked, understood_as) in [
            ("SELECT 'pg_catalog.x'", "SELECT 'pg_catalog.x'"),
            ("SELECT 1 FROM pg_catalog.pg_class c", "SELECT 1 FROM pg.pg_class c"),
            ("SELECT pg_catalog.pg_get_userbyid(1)", "SELECT pg.pg_get_userbyid(1)"),
            ("SELECT pg_catalog.array_to_string(a)", "SELECT array_to_string(a)"),
            ("SELECT a::pg_catalog.regclass::pg_catalog.text", "SELECT a::varchar::text"),
            (
                "a OPERATOR(pg_catalog.~) '^(pg_catalog.)$' COLLATE pg_catalog.default",
                "a ~ '^(pg_catalog.)$' ",
            ),
            ("SELECT 1 -- pg_catalog.x", "SELECT 1 -- pg_catalog.x"),
        ] {
            assert_eq!(understood(asked), understood_as);
        }
    }
}
