//! Statements in PostgreSQL's words, said so that the store understands them. Pure.
//!
//! The store has PostgreSQL's catalogs in the schema `pg` (`sql/store/catalog.sql`), because nobody
//! can add to DuckDB's own `pg_catalog`, and looks names up there first. What is left for here is
//! what no schema can say. Texts in quotes and comments stay as they are.

use super::text::{self, Kind};

/// Functions in FROM that give one column, which PostgreSQL names like the function's alias.
const OF_ONE_COLUMN: [&str; 4] =
    ["generate_series", "generate_subscripts", "string_to_array", "unnest"];

/// Functions of any number of arguments, which no macro can have, and what DuckDB calls them.
const OTHER_NAMES: [(&str, &str); 2] =
    [("json_build_object", "json_object"), ("json_build_array", "json_array")];

/// The statement in the store's words.
pub(super) fn understood(sql: &str) -> String {
    let mut statement = Statement::of(sql);
    statement.schemas();
    statement.operators();
    statement.collations();
    statement.names();
    statement.object_names();
    statement.object_names_in_cast();
    statement.lists();
    statement.functions();
    statement.column_names();
    let text: String = statement.pieces.into_iter().map(|piece| piece.text).collect();
    // Two things that psql says of what is always empty here: a list of roles, and the columns of a
    // publication.
    text.replace("polroles = '{0}'", "polroles = [0]").replace("attnum = prattrs[s]", "false")
}

/// A piece of the statement, or what has taken its place.
struct Piece {
    kind: Kind,
    text: String,
}

/// The statement while it is said anew.
struct Statement {
    pieces: Vec<Piece>,
    /// Places of the pieces that mean something.
    solid: Vec<usize>,
}

impl Statement {
    fn of(sql: &str) -> Self {
        let piece = |(kind, text): (Kind, &str)| Piece { kind, text: text.to_owned() };
        let mut statement =
            Self { pieces: text::pieces(sql).into_iter().map(piece).collect(), solid: Vec::new() };
        statement.settle();
        statement
    }

    /// Leaves out of sight what has become nothing.
    fn settle(&mut self) {
        let is_solid = |(_, piece): &(usize, &Piece)| {
            piece.kind != Kind::Blank && !piece.text.trim().is_empty()
        };
        self.solid =
            self.pieces.iter().enumerate().filter(is_solid).map(|(place, _)| place).collect();
    }

    fn piece(&self, at: usize) -> Option<&Piece> {
        self.pieces.get(*self.solid.get(at)?)
    }

    fn text(&self, at: usize) -> &str {
        self.piece(at).map_or("", |piece| &piece.text)
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.text(at).eq_ignore_ascii_case(word)
    }

    /// A word or a quoted name that means `name`.
    fn is_name(&self, at: usize, name: &str) -> bool {
        self.text(at).trim_matches('"').eq_ignore_ascii_case(name)
            && self.piece(at).is_some_and(|piece| matches!(piece.kind, Kind::Word | Kind::Name))
    }

    fn is_literal(&self, at: usize) -> bool {
        self.piece(at).is_some_and(|piece| piece.kind == Kind::Literal)
    }

    fn say(&mut self, at: usize, text: &str) {
        let place = self.solid.get(at).copied();
        if let Some(piece) = place.and_then(|place| self.pieces.get_mut(place)) {
            text.clone_into(&mut piece.text);
        }
    }

    fn wrap(&mut self, at: usize, before: &str, after: &str) {
        let text = format!("{before}{}{after}", self.text(at));
        self.say(at, &text);
    }

    /// `pg_catalog.` is where names are looked up first; `information_schema.` has a stand-in.
    fn schemas(&mut self) {
        for at in 0..self.solid.len() {
            if !self.is(at + 1, ".") {
                continue;
            }
            if self.is_name(at, "pg_catalog") {
                self.say(at, "");
                self.say(at + 1, "");
            } else if self.is_name(at, "information_schema") {
                self.say(at, "pg_information");
            }
        }
        self.settle();
    }

    /// `OPERATOR(~)` is `~`.
    fn operators(&mut self) {
        for at in 0..self.solid.len() {
            if !self.is(at, "OPERATOR") || !self.is(at + 1, "(") {
                continue;
            }
            let Some(end) = (at + 2..self.solid.len()).find(|end| self.is(*end, ")")) else {
                return;
            };
            for gone in [at, at + 1, end] {
                self.say(gone, "");
            }
        }
        self.settle();
    }

    /// The default collation is the only one.
    fn collations(&mut self) {
        for at in 0..self.solid.len() {
            if self.is(at, "COLLATE") && self.is_name(at + 1, "default") {
                self.say(at, "");
                self.say(at + 1, "");
            }
        }
        self.settle();
    }

    /// The type of the catalogs' names, which the schema cannot have: DuckDB does not read it again
    /// from its log.
    fn names(&mut self) {
        for at in 0..self.solid.len() {
            if self.is(at, "::") && self.is_name(at + 1, "name") {
                self.say(at + 1, "varchar");
            }
        }
    }

    /// `'erp.t'::regclass` is the number of an object, and `oid::regclass` the name of one.
    fn object_names(&mut self) {
        for at in 1..self.solid.len() {
            let Some(kind) = self.kind_of_object(at + 1).filter(|_| self.is(at, "::")) else {
                continue;
            };
            if self.is_literal(at - 1) {
                self.wrap(at - 1, &format!("to_{kind}("), ")");
                self.say(at, "");
                self.say(at + 1, "");
            } else {
                self.say(at, ".");
                self.say(at + 1, &format!("{kind}_name()"));
            }
        }
        self.settle();
    }

    /// The same as `CAST(… AS regclass)`.
    fn object_names_in_cast(&mut self) {
        for at in 2..self.solid.len() {
            let kind = self.kind_of_object(at + 1);
            let Some(kind) = kind.filter(|_| self.is(at, "AS") && self.is(at + 2, ")")) else {
                continue;
            };
            let Some(open) = self.opening(at).filter(|open| *open > 0) else { continue };
            if !self.is(open - 1, "CAST") {
                continue;
            }
            let is_literal = open + 2 == at && self.is_literal(open + 1);
            let function = if is_literal { format!("to_{kind}") } else { format!("{kind}_name") };
            self.say(open - 1, &function);
            self.say(at, "");
            self.say(at + 1, "");
        }
        self.settle();
    }

    fn kind_of_object(&self, at: usize) -> Option<&'static str> {
        ["regclass", "regtype", "regnamespace", "regproc", "regrole"]
            .into_iter()
            .find(|kind| self.is_name(at, kind))
    }

    /// `'{a,b}'::text[]` is a list, and so is the text in `= ANY ('{a,b}')`.
    fn lists(&mut self) {
        for at in 2..self.solid.len() {
            if !self.is_literal(at) || !self.text(at).starts_with("'{") {
                continue;
            }
            let is_any = self.is(at - 2, "ANY") || self.is(at - 2, "ALL");
            if self.is(at + 1, "::") && self.is(at + 3, "[") && self.is(at + 4, "]") {
                self.wrap(at, "array_in(", ")");
            } else if is_any && self.is(at - 1, "(") && self.is(at + 1, ")") {
                self.wrap(at, "array_in(", ")::VARCHAR[]");
            }
        }
    }

    fn functions(&mut self) {
        for at in 0..self.solid.len() {
            let known = OTHER_NAMES.iter().find(|(name, _)| self.is(at, name));
            if let Some((_, name)) = known.filter(|_| self.is(at + 1, "(")) {
                self.say(at, name);
            }
        }
    }

    /// In `FROM generate_series(1, 3) AS i` the alias is the column's name, too.
    fn column_names(&mut self) {
        for at in 1..self.solid.len() {
            let is_in_from = ["FROM", "JOIN", "LATERAL", ","].iter().any(|w| self.is(at - 1, w));
            let is_known = OF_ONE_COLUMN.iter().any(|name| self.is_name(at, name));
            if !is_in_from || !is_known || !self.is(at + 1, "(") {
                continue;
            }
            let Some(close) = self.closing(at + 1) else { return };
            let alias = if self.is(close + 1, "AS") { close + 2 } else { close + 1 };
            // In a list of SELECT the same words give a column its name already.
            let is_select = self.is(at - 1, ",") && !self.is_after_from(at);
            if is_select || self.is(alias + 1, "(") || !self.is_alias(alias) {
                continue;
            }
            let name = self.text(alias).to_owned();
            self.wrap(alias, "", &format!("({name})"));
        }
    }

    fn is_alias(&self, at: usize) -> bool {
        const NEXT: [&str; 17] = [
            "WHERE",
            "GROUP",
            "HAVING",
            "ORDER",
            "LIMIT",
            "OFFSET",
            "FETCH",
            "UNION",
            "EXCEPT",
            "INTERSECT",
            "JOIN",
            "LEFT",
            "RIGHT",
            "INNER",
            "CROSS",
            "FULL",
            "WITH",
        ];
        let is_name = |piece: &Piece| matches!(piece.kind, Kind::Word | Kind::Name);
        self.piece(at).is_some_and(is_name) && !NEXT.iter().any(|word| self.is(at, word))
    }

    /// Whether the last word of a clause before this place, at its own depth, is FROM.
    fn is_after_from(&self, at: usize) -> bool {
        let mut depth = 0_usize;
        for before in (0..at).rev() {
            match self.text(before) {
                ")" => depth += 1,
                "(" if depth == 0 => return false,
                "(" => depth -= 1,
                _ if depth > 0 => {}
                text if text.eq_ignore_ascii_case("FROM") => return true,
                text if ["SELECT", "WHERE", "GROUP", "ORDER", "HAVING"]
                    .iter()
                    .any(|word| text.eq_ignore_ascii_case(word)) =>
                {
                    return false;
                }
                _ => {}
            }
        }
        false
    }

    /// The place of the parenthesis that closes the one at `open`.
    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        (open..self.solid.len()).find(|at| {
            match self.text(*at) {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })
    }

    /// The place of the parenthesis that is open at `at`.
    fn opening(&self, at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        (0..at).rev().find(|before| match self.text(*before) {
            ")" => {
                depth += 1;
                false
            }
            "(" if depth == 0 => true,
            "(" => {
                depth -= 1;
                false
            }
            _ => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_no_schema_can_say_is_said_anew() {
        for (asked, understood_as) in [
            ("SELECT 'pg_catalog.x'", "SELECT 'pg_catalog.x'"),
            ("SELECT 1 -- pg_catalog.x", "SELECT 1 -- pg_catalog.x"),
            ("SELECT 1 FROM pg_catalog.pg_class c", "SELECT 1 FROM pg_class c"),
            ("SELECT 1 FROM \"pg_catalog\" . \"pg_class\"", "SELECT 1 FROM   \"pg_class\""),
            ("FROM information_schema.tables", "FROM pg_information.tables"),
            ("SELECT 'a'::regclass, b::regclass", "SELECT to_regclass('a'), b.regclass_name()"),
            ("a::pg_catalog.regtype::pg_catalog.text", "a.regtype_name()::text"),
            ("SELECT a::name, b.name", "SELECT a::varchar, b.name"),
            ("CAST('a' AS REGCLASS)", "to_regclass('a'  )"),
            ("CAST(CAST(a.b AS REGCLASS) AS TEXT)", "CAST(regclass_name(a.b  ) AS TEXT)"),
            ("x = ANY ('{a,b}'::text[])", "x = ANY (array_in('{a,b}')::text[])"),
            ("x <> ALL ('{a,b}')", "x <> ALL (array_in('{a,b}')::VARCHAR[])"),
            ("x = '{a}'::json", "x = '{a}'::json"),
            (
                "a OPERATOR(pg_catalog.~) '^(pg_catalog.)$' COLLATE pg_catalog.default",
                "a ~ '^(pg_catalog.)$'  ",
            ),
            (
                "FROM generate_series(1, f(2)) AS i WHERE i",
                "FROM generate_series(1, f(2)) AS i(i) WHERE i",
            ),
            ("FROM a, unnest(b) c, unnest(d) AS e(f)", "FROM a, unnest(b) c(c), unnest(d) AS e(f)"),
            ("SELECT 1, unnest(b) AS c FROM a", "SELECT 1, unnest(b) AS c FROM a"),
            ("FROM unnest(b) WHERE c", "FROM unnest(b) WHERE c"),
        ] {
            assert_eq!(understood(asked), understood_as);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_without_a_panic(
            words in proptest::collection::vec("(CAST|AS|FROM|::|[(),.]|regclass|unnest|'x'|a| )", 0..20)
        ) {
            understood(&words.concat());
        }
    }
}
