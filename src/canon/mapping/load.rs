//! Where entity and mapping files come from: the operator's folder first, then those built into
//! the binary.
//!
//! It gives texts by path (`canonical/…`, `mappings/<pack>/…`) and parses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use include_dir::{Dir, include_dir};

use crate::canon::entity::suggest;
use crate::error::{Context, Error, ErrorKind, Result};

static CANONICAL: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/sql/canonical");
static MAPPINGS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/sql/mappings");

type Files = BTreeMap<String, String>;

/// All entity files: the built-in ones, replaced and added to by those of `sql_dir`.
pub(super) fn canonical(sql_dir: Option<&Path>) -> Result<Files> {
    let mut files = built_in(&CANONICAL, "canonical")?;
    if let Some(folder) =
        sql_dir.map(|folder| folder.join("canonical")).filter(|path| path.is_dir())
    {
        files.extend(on_disk(&folder, "canonical")?);
    }
    Ok(files)
}

/// The mapping files of one pack: the folder of `sql_dir` if it exists, else the built-in pack.
pub(super) fn pack(sql_dir: Option<&Path>, pack: &str) -> Result<Files> {
    let prefix = format!("mappings/{pack}");
    if let Some(folder) = sql_dir.map(|folder| folder.join(&prefix)).filter(|path| path.is_dir()) {
        return on_disk(&folder, &prefix);
    }
    match MAPPINGS.get_dir(pack) {
        Some(folder) => built_in(folder, &prefix),
        None => Err(unknown_pack(sql_dir, pack)),
    }
}

/// One file of a pack's fixture; `None` if the pack has no such file.
pub(crate) fn fixture(sql_dir: Option<&Path>, pack: &str, name: &str) -> Result<Option<String>> {
    if let Some(folder) =
        sql_dir.map(|path| path.join("mappings").join(pack)).filter(|p| p.is_dir())
    {
        let path = folder.join("fixture").join(name);
        return if path.is_file() { read(&path).map(Some) } else { Ok(None) };
    }
    let file = MAPPINGS.get_file(format!("{pack}/fixture/{name}"));
    Ok(file.and_then(|file| file.contents_utf8()).map(str::to_owned))
}

/// Names of all packs, built-in ones and those of `sql_dir`.
#[must_use]
pub fn packs(sql_dir: Option<&Path>) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = MAPPINGS.dirs().map(|dir| name_of(dir.path())).collect();
    let folder = sql_dir.map(|folder| folder.join("mappings"));
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
    known.extend(entries.into_iter().flatten().flatten().map(|entry| name_of(&entry.path())));
    known
}

fn unknown_pack(sql_dir: Option<&Path>, pack: &str) -> Error {
    let known = packs(sql_dir);
    let hint = suggest(pack, known.iter().map(String::as_str), "add its folder to sql/mappings");
    Error::new(ErrorKind::Config, format!("unknown mapping pack `{pack}`")).hint(hint)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_sql(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "sql")
}

fn built_in(folder: &Dir<'_>, prefix: &str) -> Result<Files> {
    let mut files = Files::new();
    for file in folder.files().filter(|file| is_sql(file.path())) {
        let path = format!("{prefix}/{}", name_of(file.path()));
        let text = file.contents_utf8().ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("built-in file {path} is not UTF-8"))
        })?;
        files.insert(path, text.to_owned());
    }
    Ok(files)
}

fn on_disk(folder: &Path, prefix: &str) -> Result<Files> {
    let what = || format!("could not read folder {}", folder.display());
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder).context(ErrorKind::Config, what)? {
        let path = entry.context(ErrorKind::Config, what)?.path();
        if path.is_file() && is_sql(&path) {
            files.insert(format!("{prefix}/{}", name_of(&path)), read(&path)?);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .context(ErrorKind::Config, || format!("could not read {}", path.display()))
}
