//! A Rust file as text, with what is needed to judge it without a compiler.

use std::path::PathBuf;

/// A file of ours.
pub(crate) struct Code {
    /// Relative to the project.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// Comments and literals blanked out, and test modules too; lines stay where they are.
    pub(crate) shipped: String,
    /// Comments and literals blanked out.
    bare: String,
}

/// A function with a body.
pub(crate) struct Function {
    pub(crate) name: String,
    /// Where it begins.
    pub(crate) line: usize,
    /// Lines between its braces.
    pub(crate) lines: usize,
}

impl Code {
    pub(crate) fn read(file: PathBuf, path: String) -> Self {
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("could not read {}: {error}", file.display()));
        Self::new(path, text)
    }

    fn new(path: String, text: String) -> Self {
        let bare = without_literals(&text);
        let shipped = without_test_modules(&bare);
        Self { path, text, shipped, bare }
    }

    /// The module directly below the crate that this file belongs to.
    pub(crate) fn module(&self) -> &str {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        path.split(['/', '.']).next().unwrap_or_default()
    }

    /// How deep this file's module lies: 1 for `src/source.rs`.
    pub(crate) fn depth(&self) -> usize {
        self.path.matches('/').count()
    }

    /// Whether the whole file is test code, or a door for fuzzers, which is compiled for them and tests only.
    pub(crate) fn is_test(&self) -> bool {
        let stem = self.path.trim_end_matches(".rs");
        ["tests", "fuzzing"]
            .iter()
            .any(|name| stem.ends_with(&format!("/{name}")) || stem.contains(&format!("/{name}/")))
    }

    pub(crate) fn offence(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    pub(crate) fn numbered_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Offences: every line of code, tests included, that names `word`.
    pub(crate) fn mentions(&self, word: &str) -> Vec<String> {
        let lines = self.bare.lines().enumerate();
        let found = lines.filter(|(_, line)| super::contains_word(line, word));
        found.map(|(index, _)| self.offence(index + 1, word)).collect()
    }

    /// Every function with a body, closures apart.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for (at, _) in self.bare.match_indices("fn ") {
            let is_word = !self.bare[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let name: String = self.bare[at + 3..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let body = self.bare[at..].find(['{', ';']).map(|offset| at + offset);
            let Some(open) = body.filter(|open| self.bare[*open..].starts_with('{')) else {
                continue;
            };
            if is_word && !name.is_empty() {
                let body = &self.bare[open..closing_brace(&self.bare, open)];
                let lines = body.matches('\n').count().saturating_sub(1);
                functions.push(Function { name, line: line_of(&self.bare, at), lines });
            }
        }
        functions
    }

    /// How many variants without fields the enum `name` has.
    pub(crate) fn variants(&self, name: &str) -> usize {
        let at = self.bare.find(&format!("enum {name} {{")).expect("no such enum");
        let open = at + self.bare[at..].find('{').unwrap();
        let body = &self.bare[open + 1..closing_brace(&self.bare, open)];
        body.split(',').filter(|variant| !variant.trim().is_empty()).count()
    }
}

pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where the brace that opens at `open` closes, or the end of the text.
fn closing_brace(text: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, letter) in text[open..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return open + offset,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Blanks out what follows `#[cfg(test)]`, up to the end of its block or statement.
fn without_test_modules(bare: &str) -> String {
    let mut text = bare.to_owned();
    // The literal in an attribute would be blanked; `test` is no literal.
    while let Some(at) = text.find("#[cfg(test)]") {
        let end = match text[at..].find(['{', ';']).map(|offset| at + offset) {
            Some(open) if text[open..].starts_with('{') => closing_brace(&text, open),
            Some(semicolon) => semicolon,
            None => text.len() - 1,
        };
        let end = (end + 1).min(text.len());
        text.replace_range(at..end, &blank(&text[at..end]));
    }
    text
}

/// The same text with comments, strings and characters blanked, so that what is left is code.
fn without_literals(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let before = bare.chars().next_back();
        let literal = literal_length(rest, before);
        let length = literal.unwrap_or_else(|| rest.chars().next().map_or(1, char::len_utf8));
        let (head, tail) = rest.split_at(length.min(rest.len()));
        bare.push_str(&if literal.is_some() { blank(head) } else { head.to_owned() });
        rest = tail;
    }
    bare
}

/// The length of the comment or literal that `rest` begins with, if it does.
fn literal_length(rest: &str, before: Option<char>) -> Option<usize> {
    let until = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(until("*/"));
    }
    if rest.starts_with('"') {
        return Some(quoted_length(rest, '"'));
    }
    let in_a_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r')).filter(|_| !in_a_name);
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let begin = rest.len() - raw.len() + hashes + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            let inside = rest[begin..].find(&end).map_or(rest.len() - begin, |at| at + end.len());
            return Some(begin + inside);
        }
    }
    // A character, not a lifetime: 'a' or '\…'.
    let mut letters = rest.strip_prefix('\'')?.chars();
    match (letters.next()?, letters.next()?) {
        ('\\', _) => Some(quoted_length(rest, '\'')),
        (letter, '\'') => Some(2 + letter.len_utf8()),
        _ => None,
    }
}

/// The length of a literal between two `quote`s, with backslash escapes.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// As many bytes of spaces, with the line ends kept.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

#[test]
fn literals_are_not_code() {
    let text = r##"a("fn x {", r#"{"{"#, '{', '\'', b'"', 'é') /* { */ as &'static str; // {"##;
    let bare = without_literals(text);
    assert_eq!(bare.len(), text.len());
    let left: Vec<&str> = bare.split_whitespace().collect();
    assert_eq!(left.join(" "), "a( , , , , b , ) as &'static str;");
}

#[test]
fn functions_are_measured_between_their_braces() {
    let text = "trait T { fn none(&self); }\nfn short() {}\nfn two(f: fn(u8)) {\n    {\n    }\n}\n";
    let code = Code::new("src/x.rs".to_owned(), text.to_owned());
    let functions = code.functions();
    let seen: Vec<_> = functions.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
    assert_eq!(seen, [("short", 2, 0), ("two", 3, 2)]);
}

#[test]
fn test_modules_are_not_shipped() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { x.unwrap() } }\nfn c() {}\n";
    let code = Code::new("src/x.rs".to_owned(), text.to_owned());
    assert_eq!(code.shipped.split_whitespace().collect::<String>(), "fna(){}fnc(){}");
    assert_eq!(line_of(&code.shipped, code.shipped.find("fn c").unwrap()), 4);
}
