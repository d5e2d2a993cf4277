//! From a TOML tree to [`Config`], gathering every unknown key and every wrong type on the way.
//!
//! serde stops at the first error. So the tree is read again after each one, without the value
//! that failed, until what is left can be read: the structs stay the only place where options
//! are declared. What the values mean together is judged in [`super::judge`].

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Config;
use super::document::{Node, Path};
use super::fault::Fault;
use super::problem::{Problem, nearest};
use super::value::{At, Notes};

/// What was read, and what was wrong.
pub(super) struct Reading {
    /// `None` if so much is wrong that nothing can be judged.
    pub(super) config: Option<Config>,
    /// Unknown keys, wrong types, missing keys.
    pub(super) problems: Vec<Problem>,
    /// Places whose values are not what the file says; not to be judged.
    pub(super) replaced: BTreeSet<Path>,
}

/// What stands at a place instead of the file's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Instead {
    /// Nothing: the default applies.
    Absent,
    /// [`Value::Any`](super::document::Value::Any), because the key is required.
    Any,
}

/// Rounds of reading and mending; a file with more faults is not worth reading to its end, and a
/// struct that cannot be mended must not keep us for ever.
const ROUNDS_MAX: usize = 1_000;

/// Reads the whole tree.
pub(super) fn read(root: &Node) -> Reading {
    let Pass { config, notes, instead, mut problems } = pass(root);
    let known = known_tables();
    problems.extend(notes.unknown.iter().map(|path| unknown_key(path, root, &known)));
    Reading { config, problems, replaced: instead.into_keys().collect() }
}

/// What is known after the last round.
struct Pass {
    config: Option<Config>,
    notes: Notes,
    instead: BTreeMap<Path, Instead>,
    problems: Vec<Problem>,
}

fn pass(root: &Node) -> Pass {
    let mut instead = BTreeMap::new();
    let mut problems = Vec::new();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let notes = RefCell::new(Notes::default());
        let at = At { node: root, path: Path::new(), instead: &instead, notes: &notes };
        let result = Config::deserialize(at);
        let mended = match &result {
            Ok(_) => false,
            Err(fault) => mend(fault, root, &mut instead, &mut problems),
        };
        if !mended || rounds == ROUNDS_MAX {
            return Pass { config: result.ok(), notes: notes.into_inner(), instead, problems };
        }
    }
}

/// Every option, as `daemon.state_dir` or `source.<name>.url`; `<name>` stands for a name that
/// the operator chooses. Derived from the structs, so that the manual can be held against it.
#[must_use]
pub fn options() -> Vec<String> {
    let tables = known_tables();
    let is_table = |path: &Path| tables.keys().any(|table| table.starts_with(path));
    let mut options = Vec::new();
    for (table, keys) in &tables {
        for key in *keys {
            let path: Path = table.iter().cloned().chain([(*key).to_owned()]).collect();
            if !is_table(&path) {
                options.push(path.join("."));
            }
        }
    }
    options
}

/// The tables of a configuration and the keys each may hold, found by letting the structs read
/// a document that is whatever they ask for.
fn known_tables() -> BTreeMap<Path, &'static [&'static str]> {
    pass(&Node::any(1)).notes.tables
}

/// Notes the problem behind `fault` and puts something else in its place. False if nothing can
/// be: the fault lies at the top.
fn mend(
    fault: &Fault,
    root: &Node,
    instead: &mut BTreeMap<Path, Instead>,
    problems: &mut Vec<Problem>,
) -> bool {
    let mut path = fault.path.clone();
    let next = match fault.missing {
        Some(field) => {
            path.push(field.to_owned());
            Instead::Any
        }
        None => Instead::Absent,
    };
    let before = instead.get(&path).copied();
    if before.is_none() {
        problems.push(Problem {
            line: root.line_of(&path),
            what: fault.what(),
            remedy: fault.remedy.clone(),
        });
    }
    // A place that fails a second time takes its table with it; each round settles one more
    // place for good, so the rounds end.
    if before == Some(next) || before == Some(Instead::Any) {
        path.pop();
        if path.is_empty() {
            return false;
        }
        instead.insert(path, Instead::Absent);
        return true;
    }
    if path.is_empty() {
        return false;
    }
    instead.insert(path, next);
    true
}

fn unknown_key(
    path: &Path,
    root: &Node,
    known: &BTreeMap<Path, &'static [&'static str]>,
) -> Problem {
    let (key, table) = path.split_last().map_or(("", path.as_slice()), |(key, t)| (key, t));
    let pattern = known.keys().find(|pattern| matches(pattern, table));
    let here = pattern.and_then(|pattern| known.get(pattern)).copied().unwrap_or_default();
    let elsewhere = || known.iter().find(|(_, keys)| keys.contains(&key)).map(|(table, _)| table);
    let remedy = match nearest(key, here.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => match elsewhere() {
            Some(table) => format!("it belongs {}", place(table)),
            None => format!("known here: {}", here.join(", ")),
        },
    };
    Problem {
        line: root.line_of(path),
        what: format!("unknown key `{key}` {}", place(table)),
        remedy: Some(remedy),
    }
}

/// Whether `table` is one of those that `pattern`, with its `<name>`s, stands for.
fn matches(pattern: &Path, table: &[String]) -> bool {
    pattern.len() == table.len()
        && pattern.iter().zip(table).all(|(part, name)| part == "<name>" || part == name)
}

/// "in [source.erp]", or "at the top".
pub(super) fn place(table: &[String]) -> String {
    if table.is_empty() { "at the top".to_owned() } else { format!("in [{}]", table.join(".")) }
}
