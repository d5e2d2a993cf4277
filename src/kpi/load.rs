//! Where the files come from: the operator's folder first, then those built into the binary.

use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::Definition;
use crate::error::{Context, Error, ErrorKind, Result};

static BUILT_IN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/sql/kpi");

/// All key figures by name: the built-in ones, replaced and added to by those in `kpi/` of `sql_dir`.
///
/// # Errors
/// [`ErrorKind::Config`] naming the file.
pub fn load(sql_dir: Option<&Path>) -> Result<Vec<Definition>> {
    let mut texts: BTreeMap<String, (String, String)> = BTreeMap::new();
    for file in BUILT_IN.files() {
        let name = name_of(file.path());
        if let Some(text) = file.contents_utf8().filter(|_| name.ends_with(".sql")) {
            texts.insert(name.clone(), (format!("kpi/{name}"), text.to_owned()));
        }
    }
    let folder = sql_dir.map(|folder| folder.join("kpi")).filter(|folder| folder.is_dir());
    for (name, path) in folder.map(|folder| on_disk(&folder)).transpose()?.unwrap_or_default() {
        let text = std::fs::read_to_string(&path)
            .context(ErrorKind::Config, || format!("could not read {}", path.display()))?;
        texts.insert(name, (path.display().to_string(), text));
    }
    let mut found: Vec<Definition> = Vec::new();
    for (path, text) in texts.into_values() {
        let one = Definition::parse(&path, &text)?;
        if let Some(other) = found.iter().find(|other| other.metric == one.metric) {
            let what = format!("{path}: the metric {} is that of {} too", one.metric, other.path);
            return Err(Error::new(ErrorKind::Config, what)
                .hint("give it another name, or the file the name of the other"));
        }
        found.push(one);
    }
    Ok(found)
}

fn on_disk(folder: &Path) -> Result<BTreeMap<String, std::path::PathBuf>> {
    let what = || format!("could not read folder {}", folder.display());
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).context(ErrorKind::Config, what)? {
        let path = entry.context(ErrorKind::Config, what)?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "sql") {
            files.insert(name_of(&path), path);
        }
    }
    Ok(files)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
