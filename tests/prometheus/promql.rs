//! As much of PromQL as is needed to know which series and labels an expression names. Pure; it
//! judges nothing, `promtool` does.

use std::collections::BTreeSet;

/// What an expression names.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// Every vector selector in it.
    pub(super) selectors: Vec<Selector>,
    /// Labels after `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`.
    pub(super) labels: BTreeSet<String>,
}

/// A vector selector.
#[derive(Debug)]
pub(super) struct Selector {
    /// The metric's name.
    pub(super) metric: String,
    /// The whole of it, without a range.
    pub(super) text: String,
    /// Labels in its braces.
    pub(super) labels: BTreeSet<String>,
}

const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
const OPERATORS: [&str; 6] = ["and", "or", "unless", "bool", "offset", "atan2"];

/// Reads an expression, in which Grafana's variables may stand in strings and ranges.
pub(super) fn read(expression: &str) -> Named {
    let mut named = Named::default();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_alphabetic() || first == '_' {
            rest = word(rest, &mut named);
        } else if first.is_ascii_digit() {
            // A number, or a time such as 5m.
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else if first == '[' {
            rest = after(rest, ']');
        } else if first == '"' {
            rest = after(&rest[1..], '"');
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    named
}

/// Takes a word and what belongs to it; hands back what follows.
fn word<'a>(text: &'a str, named: &mut Named) -> &'a str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let next = rest.trim_start();
    if GROUPING.contains(&word) {
        let Some(list) = next.strip_prefix('(') else { return rest };
        let (list, rest) = list.split_once(')').unwrap_or((list, ""));
        let labels = list.split(',').map(str::trim).filter(|label| !label.is_empty());
        named.labels.extend(labels.map(str::to_owned));
        return rest;
    }
    let is_aggregation =
        ["by ", "by(", "without ", "without("].iter().any(|it| next.starts_with(it));
    if OPERATORS.contains(&word) || next.starts_with('(') || is_aggregation {
        return rest;
    }
    let braces =
        next.strip_prefix('{').map(|inside| inside.split_once('}').unwrap_or((inside, "")));
    let (matchers, rest) = braces.unwrap_or(("", rest));
    let text = if matchers.is_empty() { word.to_owned() } else { format!("{word}{{{matchers}}}") };
    let labels = matched(matchers);
    named.selectors.push(Selector { metric: word.to_owned(), text, labels });
    rest
}

/// The labels in `a="x", b=~"y"`.
fn matched(matchers: &str) -> BTreeSet<String> {
    let outside = matchers.split('"').step_by(2);
    let labels = outside.map(|part| part.trim_matches(|c: char| " ,=!~".contains(c)));
    labels.filter(|label| !label.is_empty()).map(str::to_owned).collect()
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

#[test]
fn names_are_found_where_they_stand() {
    let named = read(
        "1 - sum by (le, a) (rate(x_bucket{i=\"$i\", s=~\"a|b\"}[$__range])) / on () group_left (c) \
         min(y:z:rate5m > 0.5) offset 5m and absent(up{job!=\"a, b\"}) or vector(1e3)",
    );
    let texts: Vec<&str> = named.selectors.iter().map(|selector| &*selector.text).collect();
    assert_eq!(texts, ["x_bucket{i=\"$i\", s=~\"a|b\"}", "y:z:rate5m", "up{job!=\"a, b\"}"]);
    let labels: Vec<&String> = named.selectors[0].labels.iter().collect();
    assert_eq!(labels, ["i", "s"]);
    assert_eq!(named.selectors[2].labels.iter().collect::<Vec<_>>(), ["job"]);
    assert_eq!(named.labels.iter().collect::<Vec<_>>(), ["a", "c", "le"]);
}
