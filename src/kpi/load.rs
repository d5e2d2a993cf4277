//! Where the files come from: the operator's folder first, then those built into the binary.

use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::Definition;
use crate::error::{Context, Error, ErrorKind, Result};

static BUILT_IN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/sql/kpi");

/// What the files say.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The figures, by name.
    pub definitions: Vec<Definition>,
    /// Names of files that cannot be used, and why: one of them is no reason to do without the others.
    pub broken: Vec<(String, Error)>,
}

/// All key figures: the built-in ones, replaced and added to by those in `kpi/` of `sql_dir`.
///
/// # Errors
/// [`ErrorKind::Config`] if the folder cannot be read.
pub fn load(sql_dir: Option<&Path>) -> Result<Loaded> {
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
    let mut loaded = Loaded::default();
    for (name, (path, text)) in texts {
        match Definition::parse(&path, &text).and_then(|one| unlike(one, &loaded.definitions)) {
            Ok(one) => loaded.definitions.push(one),
            Err(error) => {
                loaded.broken.push((name.trim_end_matches(".sql").to_owned(), error));
            }
        }
    }
    Ok(loaded)
}

/// Two figures cannot be one metric.
fn unlike(one: Definition, others: &[Definition]) -> Result<Definition> {
    match others.iter().find(|other| other.metric == one.metric) {
        None => Ok(one),
        Some(other) => {
            let what =
                format!("{}: the metric {} is that of {} too", one.path, one.metric, other.path);
            Err(Error::new(ErrorKind::Config, what)
                .hint("give it another name, or the file the name of the other"))
        }
    }
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
