//! The words of a condition.

use super::{Condition, Literal, Operator, Term, Test};

/// Terms of a condition, and values of a list.
const MANY: usize = 1_000;

#[derive(Debug, Clone, PartialEq)]
enum Word {
    /// A name or a keyword.
    Name(String),
    /// A name between quotes: no keyword.
    Quoted(String),
    Literal(Literal),
    Sign(&'static str),
}

pub(super) fn condition(text: &str) -> Result<Condition, String> {
    let words = words(text)?;
    let mut rest = words.as_slice();
    let mut terms = Vec::new();
    loop {
        terms.push(term(&mut rest)?);
        if rest.is_empty() {
            break;
        }
        if !keyword(&mut rest, "AND") {
            return Err(format!("{} is not understood; terms are joined by AND", said(rest)));
        }
        if terms.len() >= MANY {
            return Err(format!("it has more than {MANY} terms"));
        }
    }
    Ok(Condition { terms })
}

fn term(rest: &mut &[Word]) -> Result<Term, String> {
    let column = match take(rest) {
        Some(Word::Name(name) | Word::Quoted(name)) => name.clone(),
        other => return Err(format!("{} stands where a column should", named(other))),
    };
    let test = if keyword(rest, "IS") {
        let is_none = !keyword(rest, "NOT");
        match keyword(rest, "NULL") {
            true => Test::Null(is_none),
            false => return Err(format!("{} follows IS", said(rest))),
        }
    } else if keyword(rest, "NOT") {
        match keyword(rest, "IN") {
            true => Test::Among(false, list(rest)?),
            false => return Err(format!("{} follows NOT", said(rest))),
        }
    } else if keyword(rest, "IN") {
        Test::Among(true, list(rest)?)
    } else {
        compared(rest, &column)?
    };
    Ok(Term { column, test })
}

fn compared(rest: &mut &[Word], column: &str) -> Result<Test, String> {
    let Some(Word::Sign(sign)) = take(rest) else {
        return Err(format!("{column} is not compared with anything"));
    };
    let ordered = |operator| move |literal| Test::Compared(operator, literal);
    let among = |is_in| move |literal| Test::Among(is_in, vec![literal]);
    let operator = match *sign {
        "=" => return literal(rest).map(among(true)),
        "<>" => return literal(rest).map(among(false)),
        "<" => Operator::Less,
        "<=" => Operator::AtMost,
        ">" => Operator::More,
        ">=" => Operator::AtLeast,
        other => return Err(format!("{other} follows {column}")),
    };
    literal(rest).map(ordered(operator))
}

fn list(rest: &mut &[Word]) -> Result<Vec<Literal>, String> {
    let mut literals = Vec::new();
    if take(rest) != Some(&Word::Sign("(")) {
        return Err("IN is followed by a list in parentheses".to_owned());
    }
    loop {
        literals.push(literal(rest)?);
        match take(rest) {
            Some(Word::Sign(",")) if literals.len() < MANY => {}
            Some(Word::Sign(")")) => return Ok(literals),
            _ => return Err(format!("a list of at most {MANY} values ends with )")),
        }
    }
}

fn literal(rest: &mut &[Word]) -> Result<Literal, String> {
    if keyword(rest, "TRUE") {
        return Ok(Literal::Boolean(true));
    }
    if keyword(rest, "FALSE") {
        return Ok(Literal::Boolean(false));
    }
    match take(rest) {
        Some(Word::Literal(literal)) => Ok(literal.clone()),
        other => Err(format!("{} stands where a value should", named(other))),
    }
}

fn take<'a>(rest: &mut &'a [Word]) -> Option<&'a Word> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(first)
}

fn keyword(rest: &mut &[Word], keyword: &str) -> bool {
    let is_it =
        matches!(rest.first(), Some(Word::Name(name)) if name.eq_ignore_ascii_case(keyword));
    if is_it {
        take(rest);
    }
    is_it
}

fn said(rest: &[Word]) -> String {
    named(rest.first())
}

fn named(word: Option<&Word>) -> String {
    match word {
        None => "its end".to_owned(),
        Some(Word::Name(name) | Word::Quoted(name)) => format!("`{name}`"),
        Some(Word::Literal(literal)) => literal.to_string(),
        Some(Word::Sign(sign)) => format!("`{sign}`"),
    }
}

fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' => {
                let (text, after) = between(rest, '\'')?;
                (Word::Literal(Literal::Text(text)), after)
            }
            '"' | '`' => {
                let (name, after) = between(rest, first)?;
                (Word::Quoted(name), after)
            }
            '-' | '0'..='9' => {
                let end = rest.char_indices().skip(1).find(|(_, char)| !char.is_ascii_digit());
                let (number, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
                let number = number.parse().map_err(|_| format!("`{number}` is no number"))?;
                (Word::Literal(Literal::Number(number)), after)
            }
            _ if first.is_alphabetic() || first == '_' => {
                let is_of_name = |char: char| char.is_alphanumeric() || matches!(char, '_' | '$');
                let end = rest.char_indices().find(|(_, char)| !is_of_name(*char));
                let (name, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
                (Word::Name(name.to_owned()), after)
            }
            _ => sign(rest).ok_or_else(|| format!("`{first}` is not understood"))?,
        };
        words.push(word);
        rest = after.trim_start();
    }
    Ok(words)
}

fn sign(rest: &str) -> Option<(Word, &str)> {
    let signs = [("<=", "<="), (">=", ">="), ("<>", "<>"), ("!=", "<>")];
    let single = [("=", "="), ("<", "<"), (">", ">"), ("(", "("), (")", ")"), (",", ",")];
    let mut all = signs.into_iter().chain(single);
    all.find_map(|(said, sign)| Some((Word::Sign(sign), rest.strip_prefix(said)?)))
}

/// What stands between two quotes; a doubled one is one of the text.
fn between(rest: &str, quote: char) -> Result<(String, &str), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if char != quote {
            text.push(char);
            continue;
        }
        match chars.peek() {
            Some((_, next)) if *next == quote => {
                text.push(quote);
                chars.next();
            }
            _ => return Ok((text, rest.get(at + quote.len_utf8()..).unwrap_or_default())),
        }
    }
    Err(format!("a {quote} is not closed"))
}
