//! The import table of the design (§7): which module may use which others of ours.
//!
//! Test modules inside `src/` are free: they stage whole scenes.

use super::code::{Code, line_of};

/// What is common ground for everything above the plain data.
const COMMON: &[&str] = &["change", "config", "error", "failpoint", "finding", "metrics"];

/// A module and what it may use besides itself. An entry may name a part, such as `canon::event`,
/// and then also the names that the module offers of it.
const MAY_USE: &[(&str, &[&str])] = &[
    // Plain things, used by all.
    ("error", &[]),
    ("metrics", &[]),
    ("digest", &[]),
    ("finding", &[]),
    ("memory", &[]),
    ("failpoint", &["error"]),
    ("logging", &["error", "config"]),
    ("tls", &["error", "config"]),
    ("state", &["error"]),
    ("table", &[]),
    ("status", &["error", "finding", "table"]),
    // Pure models.
    ("change", &["error"]),
    ("config", &["error", "change"]),
    ("canon", &["change", "config", "error"]),
    // The sides: none knows another.
    ("source", &["change", "config", "digest", "error", "failpoint", "finding", "metrics", "tls"]),
    (
        "target",
        &[
            "canon::event",
            "canon::Event",
            "canon::EventOp",
            "config",
            "digest",
            "error",
            "failpoint",
            "finding",
            "metrics",
            "tls",
        ],
    ),
    (
        "ledger",
        &[
            "change",
            "canon::event",
            "canon::Event",
            "canon::EventOp",
            "error",
            "failpoint",
            "metrics",
        ],
    ),
    ("store", &["change", "canon", "digest", "error", "failpoint", "metrics"]),
    // The loops, which join two or three sides; `COMMON` is theirs too.
    ("capture", &["source", "ledger"]),
    ("conform", &["source", "ledger", "store", "canon"]),
    ("deliver", &["ledger", "target", "canon", "store::expr", "store::Expr"]),
    ("reconcile", &["source", "target", "store", "canon", "digest", "ledger", "conform::fence"]),
    ("archive", &["store::export", "store::rebuild", "store::reader", "store::Reader", "ledger"]),
    // What people look at.
    ("serve", &["store::reader", "store::answer", "store::Reader", "ledger", "status"]),
    ("kpi", &["store::reader", "store::Reader"]),
    // The demo drives the program from outside and compares the sides by itself.
    ("demo", &["cli", "app", "serve::http", "status", "state", "table"]),
    ("cli", &["app", "demo", "logging", "serve", "state", "status", "table"]),
    // The only module that sees all.
    ("app", &["*"]),
    ("main", &["app", "cli", "error", "memory"]),
    ("lib", &[]),
];

/// Modules to which `COMMON` is open.
const ABOVE: &[&str] =
    &["archive", "capture", "conform", "deliver", "reconcile", "serve", "kpi", "demo", "cli"];

/// Every use of a module that the table does not allow.
pub(crate) fn offences(source: &Code) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let module = source.module();
    let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
        let what = format!("the module `{module}` is not in the import table (tests/tidy)");
        return vec![source.offence(1, &what)];
    };
    let common = if ABOVE.contains(&module) { COMMON } else { &[] };
    let may_use = |path: &str| {
        let mut all = allowed.iter().chain(common);
        path_begins_with(path, module)
            || all.any(|entry| *entry == "*" || path_begins_with(path, entry))
    };
    let mut offences = Vec::new();
    for (line, path) in paths(source) {
        if !may_use(&path) {
            offences.push(source.offence(line, &format!("`{module}` may not use `{path}`")));
        }
    }
    offences
}

fn path_begins_with(path: &str, beginning: &str) -> bool {
    path.strip_prefix(beginning).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every path from the crate's root (`crate::…`, or `super::…` that leads there), with its line.
fn paths(source: &Code) -> Vec<(usize, String)> {
    let text = source.shipped.as_str();
    let up = "super::".repeat(source.depth());
    let mut found = Vec::new();
    for prefix in ["crate::", "trueup::", &up] {
        for (at, _) in text.match_indices(prefix) {
            let mut expanded = Vec::new();
            expand("", &text[at + prefix.len()..], &mut expanded);
            let line = line_of(text, at);
            let known = |path: &String| {
                prefix == "crate::"
                    || MAY_USE.iter().any(|(module, _)| path_begins_with(path, module))
            };
            found.extend(expanded.into_iter().filter(known).map(|path| (line, path)));
        }
    }
    found
}

/// Reads a use tree (`a::{b, c::d}`) and adds its full paths; hands back what follows it.
fn expand<'a>(prefix: &str, tree: &'a str, paths: &mut Vec<String>) -> &'a str {
    let join = |name: &str| {
        if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") }
    };
    let tree = tree.trim_start();
    if let Some(mut rest) = tree.strip_prefix('{') {
        loop {
            rest = expand(prefix, rest, paths).trim_start();
            match rest.strip_prefix(',') {
                Some(next) if !next.trim_start().starts_with('}') => rest = next,
                Some(next) => return next.trim_start().trim_start_matches('}'),
                None => return rest.strip_prefix('}').unwrap_or(rest),
            }
        }
    }
    if let Some(rest) = tree.strip_prefix('*') {
        paths.push(prefix.to_owned());
        return rest;
    }
    let end = tree.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tree.len());
    let (name, rest) = tree.split_at(end);
    if name.is_empty() {
        return rest;
    }
    match rest.strip_prefix("::") {
        Some(rest) => expand(&join(name), rest, paths),
        None => {
            paths.push(join(name));
            // `name as other` up to the comma.
            rest.trim_start().strip_prefix("as ").map_or(rest, |alias| {
                alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
            })
        }
    }
}

#[test]
fn use_trees_are_expanded() {
    let mut paths = Vec::new();
    expand("", "{a::{b, c as d, e::F}, g::*, h,\n};", &mut paths);
    assert_eq!(paths, ["a::b", "a::c", "a::e::F", "g", "h"]);
}

#[test]
fn a_forbidden_use_is_found_however_it_is_written() {
    for text in [
        "use crate::ledger::*;",
        "use crate::ledger::Journal;",
        "use crate::{error::Result, ledger};",
        "fn f() -> crate::ledger::Entry { todo() }",
        "use super::ledger;",
    ] {
        let file = std::env::temp_dir().join(format!("trueup-tidy-{}.rs", uuid::Uuid::new_v4()));
        std::fs::write(&file, text).unwrap();
        let code = Code::read(file.clone(), "src/target.rs".to_owned());
        std::fs::remove_file(file).unwrap();
        let [offence] = offences(&code).try_into().expect(text);
        assert!(offence.contains("`target` may not use `ledger"), "{offence}");
    }
}
