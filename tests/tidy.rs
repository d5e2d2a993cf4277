//! Style is a test: the import table, sizes, and words that must not land.
//!
//! Each failure lists every offence as `file:line: what` and ends with what to do. The rules are
//! those of the design (§7) and the style guide; to change a rule, change it here and there.

mod code;
mod imports;

use std::path::{Path, PathBuf};

use code::Code;

/// A file that grows past this is split by concept.
const FILE_LINES_MAX: usize = 500;
/// A function that grows past this is split: the parent branches, the leaves compute.
const FUNCTION_LINES_MAX: usize = 70;
/// rustfmt breaks code at 100; what it leaves alone (strings, comments, tables in them) may go a
/// little further before it does not fit a screen.
const COLUMNS_MAX: usize = 120;

#[test]
fn modules_use_only_what_the_import_table_allows() {
    let offences = sources("src").iter().flat_map(imports::offences).collect();
    report(
        offences,
        "move the code to a module that may use it, or hand the thing in from outside",
    );
}

#[test]
fn one_module_knows_sqlite_and_one_knows_duckdb() {
    let mut offences = Vec::new();
    for source in sources("src") {
        for (library, knowers) in [("rusqlite", &["ledger"][..]), ("duckdb", &["store", "demo"])] {
            if !knowers.contains(&source.module()) {
                offences.extend(source.mentions(library));
            }
        }
    }
    report(
        offences,
        "SQLite belongs into src/ledger, DuckDB into src/store; offer a function there",
    );
}

#[test]
fn files_and_functions_are_small() {
    let mut offences = Vec::new();
    for source in all_sources() {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            offences.push(source.offence(lines, &format!("{lines} lines in one file")));
        }
        offences.extend(source.functions().into_iter().filter_map(|function| {
            let what = format!("`{}` has {} lines", function.name, function.lines);
            (function.lines > FUNCTION_LINES_MAX).then(|| source.offence(function.line, &what))
        }));
    }
    report(
        offences,
        &format!("split: at most {FILE_LINES_MAX} lines a file, {FUNCTION_LINES_MAX} a function"),
    );
}

#[test]
fn lines_fit_the_screen() {
    let mut offences = Vec::new();
    for source in all_sources() {
        for (number, line) in source.numbered_lines() {
            if line.chars().count() > COLUMNS_MAX {
                offences.push(source.offence(number, "a long line"));
            }
        }
    }
    report(offences, &format!("break the line: at most {COLUMNS_MAX} columns, in strings too"));
}

#[test]
fn each_file_says_first_what_it_is_responsible_for() {
    let sources = all_sources();
    let silent = sources.iter().filter(|source| !source.text.starts_with("//! "));
    let offences = silent.map(|source| source.offence(1, "no module doc")).collect();
    report(offences, "begin with `//!`: what the file is responsible for, and what it is not");
}

#[test]
fn nothing_unfinished_lands() {
    let words = ["TODO", "FIXME", "XXX", "dbg!", "todo!", "unimplemented!", "#[ignore", "#[allow"];
    let mut offences = Vec::new();
    for source in all_sources().iter().filter(|source| source.path != "tests/tidy.rs") {
        for (number, line) in source.numbered_lines() {
            let found = words.iter().filter(|word| contains_word(line, word));
            offences.extend(found.map(|word| source.offence(number, word)));
        }
    }
    report(offences, "finish it or take it out; a known limit goes into the docs");
}

#[test]
fn shipped_code_neither_panics_nor_prints() {
    let panics = [".unwrap()", ".expect(", "panic!", "unreachable!", "assert!", "assert_eq!"];
    let prints = ["println!", "print!", "eprintln!", "eprint!"];
    let mut offences = Vec::new();
    for source in sources("src").iter().filter(|source| !source.is_test()) {
        for (number, line) in source.shipped.lines().enumerate() {
            let found = panics.iter().chain(&prints).filter(|word| contains_word(line, word));
            offences.extend(found.map(|word| source.offence(number + 1, word)));
        }
    }
    report(
        offences,
        "return an `Error` with its remedy; print by writing to a handle that can fail",
    );
}

#[test]
fn every_file_is_part_of_a_module_tree() {
    let mut offences = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        let path = Path::new(&source.path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_stem()) else { continue };
        let name = name.to_string_lossy();
        let is_root = ["src/lib.rs", "src/main.rs", "tests/main.rs"].contains(&&*source.path);
        let parent = match folder.to_str() {
            Some("src") => "src/lib.rs".to_owned(),
            Some("tests") => "tests/main.rs".to_owned(),
            _ => format!("{}.rs", folder.display()),
        };
        let parent = std::fs::read_to_string(root().join(parent)).unwrap_or_default();
        if !is_root && !contains_word(&parent, &format!("mod {name};")) {
            offences.push(source.offence(1, &format!("nothing says `mod {name};`")));
        }
    }
    report(offences, "declare the module in its parent: a forgotten file is compiled by nobody");
}

#[test]
fn each_sql_file_says_first_what_it_is() {
    let silent = files("").into_iter().filter(|path| {
        let is_sql = path.extension().is_some_and(|extension| extension == "sql");
        is_sql && !std::fs::read_to_string(path).unwrap().starts_with("-- ")
    });
    let offences = silent.map(|path| format!("{}:1: no comment", relative(&path))).collect();
    report(offences, "begin with a `-- ` line: what the statement does and for whom");
}

#[test]
fn nothing_of_the_place_where_it_was_built_is_in_it() {
    // In halves, so that this file does not name them.
    let needles = [
        concat!("/work", "/main"),
        concat!("/work", "/shared"),
        concat!("/tmp", "/wt"),
        concat!(".lib", "rary/"),
        concat!("registry.", "npmjs"),
        concat!("deb.deb", "ian.org"),
        concat!("crates", ".io/"),
        concat!("pypi", ".org"),
    ];
    let mut offences = Vec::new();
    for path in files("") {
        // The lock file names the registry; that is cargo's format.
        let is_lock = path.file_name().is_some_and(|name| name == "Cargo.lock");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (index, line) in text.lines().enumerate().filter(|_| !is_lock) {
            let found = needles.iter().filter(|needle| line.contains(**needle));
            offences.extend(found.map(|it| format!("{}:{}: {it}", relative(&path), index + 1)));
        }
    }
    report(offences, "name the thing, not where it came from: the project moves between machines");
}

#[test]
fn exit_codes_keep_their_meaning() {
    use trueup::error::ErrorKind;
    // What scripts of operators rely on, after sysexits.h; 2 and above 125 belong to the shell.
    let meanings = [
        (1, &[ErrorKind::Gap, ErrorKind::Rejected][..]),
        (64, &[ErrorKind::Usage]),
        (65, &[ErrorKind::Decode]),
        (69, &[ErrorKind::Unreachable]),
        (70, &[ErrorKind::Bug]),
        (74, &[ErrorKind::Ledger, ErrorKind::Store]),
        (78, &[ErrorKind::Config, ErrorKind::Setup]),
    ];
    for (code, kinds) in meanings {
        for kind in kinds {
            assert_eq!(kind.exit_code(), code, "{kind:?}: an exit code is a promise, keep it");
        }
    }
    let error = Code::read(root().join("src/error.rs"), "src/error.rs".to_owned());
    let variants = error.variants("ErrorKind");
    let known: usize = meanings.iter().map(|(_, kinds)| kinds.len()).sum();
    assert_eq!(variants, known, "a kind was added or removed: give it a code here and in the docs");
}

#[test]
fn failpoints_in_the_code_have_known_names() {
    let mut offences = Vec::new();
    for source in sources("src") {
        for (number, line) in source.numbered_lines() {
            let Some((_, rest)) = line.split_once("failpoint::reach(") else { continue };
            let name = rest.split('"').nth(1).unwrap_or_default();
            if !trueup::failpoint::NAMES.iter().any(|(known, _)| *known == name) {
                offences.push(source.offence(number, &format!("unknown failpoint \"{name}\"")));
            }
        }
    }
    report(offences, "call it with a literal from `failpoint::NAMES`, or add the name there");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

/// Every file below a folder of the project, without what git and cargo keep there.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    let not_ours = [".git", ".cargo", "target", "fuzz/target"].map(|name| root().join(name));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if not_ours.contains(&path) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources(folder: &str) -> Vec<Code> {
    let paths = files(folder).into_iter();
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let sources: Vec<Code> = paths.map(|path| Code::read(path.clone(), relative(&path))).collect();
    assert!(!sources.is_empty(), "found no Rust files in {folder}");
    sources
}

fn all_sources() -> Vec<Code> {
    let mut all = sources("src");
    all.extend(sources("tests"));
    all.extend(sources("fuzz"));
    all
}

/// Whether `text` has `word` with no letter, digit or underscore touching its ends.
fn contains_word(text: &str, word: &str) -> bool {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let longer_before = word.starts_with(is_name) && before.is_some_and(is_name);
        let longer_after = word.ends_with(is_name) && after.is_some_and(is_name);
        !longer_before && !longer_after
    })
}

/// Fails with every offence and what to do about them.
fn report(offences: Vec<String>, remedy: &str) {
    let count = offences.len();
    let list = offences.join("\n  ");
    assert!(count == 0, "offences ({count}):\n  {list}\nremedy: {remedy}");
}
