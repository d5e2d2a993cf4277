//! Splits a statement into words, names, texts and marks; comments vanish.
//!
//! Executable comments (`/*! … */`) are read as the server reads them: as code.

/// `ANSI_QUOTES` of `sql_mode`: double quotes are around names.
const ANSI_QUOTES: u64 = 0x4;
/// `NO_BACKSLASH_ESCAPES` of `sql_mode`.
const NO_BACKSLASH_ESCAPES: u64 = 0x10_0000;

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A bare word: a keyword, a name or a number.
    Word(String),
    /// A quoted name.
    Name(String),
    /// A quoted text, its value left out.
    Text,
    /// Anything else, one character.
    Mark(char),
}

impl Token {
    /// A bare word in upper case, a mark as itself; empty for anything quoted.
    pub(super) fn keyword(&self) -> String {
        match self {
            Token::Word(word) => word.to_ascii_uppercase(),
            Token::Mark(mark) => mark.to_string(),
            Token::Name(_) | Token::Text => String::new(),
        }
    }

    /// A bare word or a quoted name as it is written; empty for anything else.
    pub(super) fn text(&self) -> &str {
        match self {
            Token::Word(text) | Token::Name(text) => text,
            Token::Text | Token::Mark(_) => "",
        }
    }

    /// True if it can stand where a name is wanted.
    pub(super) fn is_name(&self) -> bool {
        matches!(self, Token::Word(_) | Token::Name(_))
    }
}

/// Splits `text` as a session with these `sql_mode` bits does.
pub(super) fn tokens(text: &str, sql_mode: u64) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        rest = match first {
            '#' => line(after),
            '-' if after.starts_with("- ") || after.starts_with("-\t") || after == "-" => {
                line(after)
            }
            '-' if after.starts_with("-\n") => line(after),
            '/' if after.starts_with("*!") || after.starts_with("*M!") => {
                let body = after.split_once('!').map_or("", |(_, body)| body);
                body.trim_start_matches(|char: char| char.is_ascii_digit())
            }
            '/' if after.starts_with('*') => after.split_once("*/").map_or("", |(_, rest)| rest),
            // The end of an executable comment.
            '*' if after.starts_with('/') => after.get(1..).unwrap_or_default(),
            '`' => {
                let (name, rest) = quoted(after, '`', false);
                tokens.push(Token::Name(name));
                rest
            }
            '\'' | '"' => {
                let escapes = sql_mode & NO_BACKSLASH_ESCAPES == 0;
                let is_name = first == '"' && sql_mode & ANSI_QUOTES != 0;
                let (value, rest) = quoted(after, first, escapes && !is_name);
                tokens.push(if is_name { Token::Name(value) } else { Token::Text });
                rest
            }
            char if char.is_whitespace() => after,
            char if is_word(char) => {
                let end = rest.find(|char| !is_word(char)).unwrap_or(rest.len());
                let (word, rest) = rest.split_at(end);
                tokens.push(Token::Word(word.to_owned()));
                rest
            }
            ';' => after,
            mark => {
                tokens.push(Token::Mark(mark));
                after
            }
        };
    }
    tokens
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '$'
}

fn line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

/// What stands before the closing quote, doubled quotes made single, and what follows it.
fn quoted(text: &str, quote: char, escapes: bool) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((place, char)) = chars.next() {
        if escapes && char == '\\' {
            value.extend(chars.next().map(|(_, char)| char));
        } else if char == quote {
            if chars.next_if(|(_, next)| *next == quote).is_none() {
                return (value, text.get(place + quote.len_utf8()..).unwrap_or_default());
            }
            value.push(quote);
        } else {
            value.push(char);
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str, sql_mode: u64) -> Vec<String> {
        tokens(text, sql_mode)
            .iter()
            .map(|token| match token {
                Token::Text => "'…'".to_owned(),
                Token::Mark(mark) => mark.to_string(),
                Token::Word(text) | Token::Name(text) => text.clone(),
            })
            .collect()
    }

    #[test]
    fn comments_vanish_and_quotes_hold() {
        let text = "a -- b\n`c``d`, /* e */ 'it''s \\' f' /*!50000 g */ \"h\" # i";
        assert_eq!(words(text, 0), ["a", "c`d", ",", "'…'", "g", "'…'"]);
        assert_eq!(words("\"h\"", ANSI_QUOTES), ["h"]);
        assert_eq!(words("'a\\' b", NO_BACKSLASH_ESCAPES), ["'…'", "b"]);
        assert_eq!(words("5--3", 0), ["5", "-", "-", "3"]);
    }

    proptest! {
        #[test]
        fn any_text_is_split_without_a_panic(text in "\\PC*") {
            tokens(&text, 0);
        }
    }
}
