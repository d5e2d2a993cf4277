//! The state folder: made private, held by one process at a time.
//!
//! It knows the names of what lies in it; what the files mean is known to the ledger and the
//! store.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind as IoKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, ErrorKind, Result};

/// Who holds a state folder. Written by the holder at its start, for the one who is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// When it started, UTC.
    pub started: jiff::Timestamp,
    /// The machine it runs on: the folder may lie on a shared disk.
    pub host: String,
    /// Its version.
    pub version: String,
}

/// A state folder held by this process. Dropping it, or the end of the process however it
/// comes, lets go of it.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    // Holds the lock for as long as it is open.
    _lock: File,
}

impl StateDir {
    /// Makes the folder (mode 0700) if it is missing and takes hold of it.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] if another process holds it, naming that process, or if it cannot
    /// be made or written.
    pub fn open(path: &Path) -> Result<Self> {
        make_private(path)?;
        let lock_path = lock_path(path);
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .context(ErrorKind::Ledger, || format!("could not open {}", lock_path.display()))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(held(path, read_holder(&mut lock))),
            Err(error) => {
                let what = format!("could not lock {}", lock_path.display());
                return Err(Error::new(ErrorKind::Ledger, what).caused_by(error));
            }
        }
        write_holder(&mut lock)
            .context(ErrorKind::Ledger, || format!("could not write {}", lock_path.display()))?;
        let state = Self { path: path.to_owned(), _lock: lock };
        make_private(&state.journal())?;
        make_private(&state.mappings())?;
        Ok(state)
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the journal's segments.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// The folder of mapping files, kept by hash so that a batch can be replayed with them.
    #[must_use]
    pub fn mappings(&self) -> PathBuf {
        self.path.join("mappings")
    }

    /// The ledger's file.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.path.join("ledger.sqlite")
    }

    /// The store's file.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path.join("store.duckdb")
    }
}

/// Who holds the folder at `path` now, if anybody does. Takes hold of nothing.
///
/// # Errors
/// [`ErrorKind::Ledger`] if the folder is there and cannot be looked into.
pub fn holder(path: &Path) -> Result<Option<Holder>> {
    let lock_path = lock_path(path);
    let mut lock = match File::open(&lock_path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
        Err(error) => {
            let what = format!("could not open {}", lock_path.display());
            return Err(Error::new(ErrorKind::Ledger, what).caused_by(error));
        }
    };
    // A shared lock is refused only while the exclusive one is held; ours ends with `lock`.
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(read_holder(&mut lock)),
        Ok(()) | Err(_) => Ok(None),
    }
}

fn lock_path(path: &Path) -> PathBuf {
    path.join("trueup.lock")
}

fn make_private(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.and_then(|()| close_to_others(path)).map_err(|cause| {
        Error::new(
            ErrorKind::Ledger,
            format!("could not make the private folder {}", path.display()),
        )
        .caused_by(cause)
        .hint("set state_dir in [daemon] to a folder of its own that this user owns")
    })
}

/// A folder that was there before may be open to others. One that holds things of others is not
/// ours to close: somebody named the wrong one.
fn close_to_others(path: &Path) -> std::io::Result<()> {
    let mut permissions = std::fs::metadata(path)?.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    let is_ours = |name: &str| path.join(name).exists();
    let is_inside = path.parent().is_some_and(|above| lock_path(above).exists());
    let is_empty = std::fs::read_dir(path)?.next().is_none();
    if !(is_empty || is_inside || is_ours("trueup.lock") || is_ours("ledger.sqlite")) {
        return Err(std::io::Error::other(
            "it is open to others and holds things that are not ours",
        ));
    }
    permissions.set_mode(0o700);
    std::fs::set_permissions(path, permissions)
}

fn write_holder(lock: &mut File) -> std::io::Result<()> {
    let holder = Holder {
        pid: std::process::id(),
        started: jiff::Timestamp::now(),
        host: hostname(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    lock.set_len(0)?;
    lock.rewind()?;
    serde_json::to_writer(&mut *lock, &holder)?;
    lock.write_all(b"\n")
}

/// What the kernel calls this machine; where it does not say so, the folder is hardly shared.
fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned())
}

/// What the holder wrote; `None` in the moment between its lock and its writing.
fn read_holder(lock: &mut File) -> Option<Holder> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn held(path: &Path, holder: Option<Holder>) -> Error {
    let (who, hint) = match holder {
        Some(Holder { pid, started, host, .. }) => (
            format!("process {pid} on {host}, started {started:.0}"),
            format!("stop it (kill {pid} on {host}), or set another state_dir in [daemon]"),
        ),
        None => (
            "another process".to_owned(),
            "stop it, or set another state_dir in [daemon]".to_owned(),
        ),
    };
    let what = format!("the state folder {} is held by {who}", path.display());
    Error::new(ErrorKind::Ledger, what).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_to_open_is_refused_with_the_name_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = StateDir::open(&path).unwrap();
        let error = StateDir::open(&path).unwrap_err();
        let pid = std::process::id();
        assert!(error.to_string().contains(&format!("held by process {pid} on ")), "{error}");
        assert!(error.remedy().unwrap().contains(&format!("kill {pid}")));
        assert_eq!(holder(&path).unwrap().map(|holder| holder.pid), Some(pid));

        // WHEN the first lets go THEN the folder is free, and looking takes no hold of it
        drop(first);
        assert_eq!(holder(&path).unwrap(), None);
        StateDir::open(&path).unwrap();
    }

    #[test]
    fn the_folder_and_its_parts_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(&folder.path().join("a/b")).unwrap();
        for path in [state.path().to_owned(), state.journal(), state.mappings()] {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
        }
    }

    #[test]
    fn a_folder_that_was_open_to_others_is_closed_unless_it_is_somebody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        // GIVEN an empty folder, and then one with our state, both open
        let path = folder.path().join("state");
        std::fs::create_dir(&path).unwrap();
        for _ in 0..2 {
            std::fs::set_permissions(&path, open.clone()).unwrap();
            let state = StateDir::open(&path).unwrap();
            assert_eq!(mode(&path), 0o700);
            std::fs::set_permissions(state.journal(), open.clone()).unwrap();
        }
        assert_eq!(mode(&StateDir::open(&path).unwrap().journal()), 0o700);
        // GIVEN a folder of somebody else
        let other = folder.path().join("home");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("letter"), "").unwrap();
        std::fs::set_permissions(&other, open).unwrap();
        let error = StateDir::open(&other).unwrap_err();
        assert!(error.chain().contains("not ours"), "{}", error.chain());
        assert_eq!(mode(&other), 0o755);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_with_a_remedy() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = StateDir::open(&file.path().join("state")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ledger);
        assert!(error.remedy().unwrap().contains("state_dir"));
    }

    #[test]
    fn a_missing_folder_has_no_holder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(holder(&folder.path().join("nothing")).unwrap(), None);
    }
}
