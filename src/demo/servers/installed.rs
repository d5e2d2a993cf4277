//! Finds the server programs: those that `scripts/setup` unpacked, else those installed. Those of
//! `scripts/setup versions` are found only by who names the version.
//!
//! It starts nothing and installs nothing.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// Majors of PostgreSQL that we know how to run.
const POSTGRES_MAJORS: std::ops::RangeInclusive<u32> = 14..=18;

/// The version that is the distribution's PostgreSQL with PostGIS.
const POSTGIS: &str = "postgis";

/// Where the programs of one server lie and what they need to run.
#[derive(Debug, Clone)]
pub(super) struct Installed {
    /// Where the distribution's package tree begins: `/`, or the folder it was unpacked into.
    pub(super) root: PathBuf,
    /// Folders that hold the programs.
    folders: Vec<PathBuf>,
}

impl Installed {
    /// The newest PostgreSQL that we can run; or one of a version, which may lack `psql`.
    pub(super) fn postgres(version: Option<&str>) -> Result<Self> {
        let programs = ["postgres", "initdb", "psql"];
        let Some(version) = version else {
            return find(postgres_candidates(), &programs)
                .ok_or_else(|| missing("PostgreSQL", &programs));
        };
        if version == POSTGIS {
            let found = unpacked("version-postgis-").into_iter().flat_map(postgres_in).collect();
            return find(found, &programs).ok_or_else(|| missing("PostGIS", &programs));
        }
        let bin = |root: PathBuf| Self { folders: vec![root.join("bin")], root };
        of_version("postgresql", version, bin, &programs[..2])
    }

    /// A MariaDB.
    pub(super) fn mariadb(version: Option<&str>) -> Result<Self> {
        let programs = ["mariadbd", "mariadb-install-db", "mariadb"];
        match version {
            None => {
                find(mariadb_candidates(), &programs).ok_or_else(|| missing("MariaDB", &programs))
            }
            Some(version) => of_version("mariadb", version, tree, &programs),
        }
    }

    /// A MySQL: there is none but those of `scripts/setup versions`.
    pub(super) fn mysql(version: Option<&str>) -> Result<Self> {
        of_version("mysql", version.unwrap_or_default(), tree, &["mysqld", "mysql"])
    }

    /// The full path of a program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        let found = self.folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        found.unwrap_or_else(|| PathBuf::from(name))
    }

    /// The first of these folders, relative to the root, that holds `entry`.
    pub(super) fn folder_with(&self, entry: &str, folders: &[&str]) -> Option<PathBuf> {
        let mut folders = folders.iter().map(|folder| self.root.join(folder));
        folders.find(|folder| folder.join(entry).exists())
    }

    /// Environment for every program: an unpacked tree brings its own libraries. One that brings
    /// its C library too starts its programs with that; nothing else may be started so.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        if self.root == Path::new("/") || self.root.join("usr/programs").exists() {
            return Vec::new();
        }
        let folders: Vec<String> = ["usr/lib", "lib"]
            .into_iter()
            .flat_map(|folder| children(&self.root.join(folder)))
            .filter(|folder| folder.to_string_lossy().contains("-linux-gnu"))
            .map(|folder| folder.to_string_lossy().into_owned())
            .collect();
        vec![("LD_LIBRARY_PATH", folders.join(":"))]
    }
}

fn find(candidates: Vec<Installed>, programs: &[&str]) -> Option<Installed> {
    candidates
        .into_iter()
        .find(|installed| programs.iter().all(|program| installed.program(program).is_absolute()))
}

/// One that `scripts/setup versions` unpacked; the version may be cut short at a dot.
fn of_version(
    product: &str,
    version: &str,
    tree: impl Fn(PathBuf) -> Installed,
    programs: &[&str],
) -> Result<Installed> {
    let dot = if version.is_empty() { "" } else { "." };
    let roots = unpacked(&format!("version-{product}-{version}{dot}"));
    find(roots.into_iter().map(tree).collect(), programs).ok_or_else(|| {
        let folder = cache_folder().join("servers");
        let named = format!("{product} {version}");
        let what = format!("there is no {} in {}", named.trim_end(), folder.display());
        Error::new(ErrorKind::Setup, what).hint("run `scripts/setup versions`")
    })
}

fn missing(server: &str, programs: &[&str]) -> Error {
    let what = format!("no {server} server programs found ({})", programs.join(", "));
    Error::new(ErrorKind::Setup, what)
        .hint("run `scripts/setup servers`, or install the server's package")
}

fn postgres_candidates() -> Vec<Installed> {
    let mut found = Vec::new();
    for root in unpacked("postgresql-").into_iter().chain([PathBuf::from("/")]) {
        found.extend(postgres_in(root));
    }
    found.push(on_path());
    found
}

/// As the distribution's packages lay it out, the newest first.
fn postgres_in(root: PathBuf) -> Vec<Installed> {
    let mut versions: Vec<(u32, PathBuf)> = children(&root.join("usr/lib/postgresql"))
        .into_iter()
        .filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path)))
        .filter(|(major, _)| POSTGRES_MAJORS.contains(major))
        .collect();
    versions.sort();
    let folders = |folder: PathBuf| vec![folder.join("bin"), root.join("usr/bin")];
    let all = versions.into_iter().rev();
    all.map(|(_, folder)| Installed { root: root.clone(), folders: folders(folder) }).collect()
}

/// As the distribution's packages of MariaDB and MySQL lay it out.
fn tree(root: PathBuf) -> Installed {
    Installed { folders: vec![root.join("usr/sbin"), root.join("usr/bin")], root }
}

fn mariadb_candidates() -> Vec<Installed> {
    let mut found: Vec<Installed> = unpacked("mariadb-").into_iter().map(tree).collect();
    found.push(tree(PathBuf::from("/")));
    found.push(on_path());
    found
}

fn on_path() -> Installed {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Installed { root: PathBuf::from("/"), folders: std::env::split_paths(&path).collect() }
}

/// Package trees that `scripts/setup` unpacked, the newest (by name) first.
#[must_use]
pub fn unpacked(prefix: &str) -> Vec<PathBuf> {
    let mut roots = children(&cache_folder().join("servers"));
    roots.retain(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    });
    roots.reverse();
    roots
}

/// The same rule as in `scripts/setup`.
fn cache_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("TRUEUP_CACHE") {
        return PathBuf::from(folder);
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/cache/trueup");
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    caches.unwrap_or_else(|| home.join(".cache")).join("trueup")
}

/// The entries of a folder, sorted; none if there is no such folder.
fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
