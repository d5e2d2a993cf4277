//! The demo's own folder: configuration, passwords and the daemon's state.
//!
//! It is removed however this process ends, also by `kill -9`: a small shell waits for the end of
//! a pipe that only we hold open. The servers have folders and guards of their own.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::error::{Context, ErrorKind, Result};

/// Waits until its stdin ends, then removes the folder. Several times: a process that is just
/// being killed may still write.
const GUARD: &str = "trap : HUP INT TERM; while read -r _; do :; done
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf \"$1\"; [ -e \"$1\" ] || break; sleep 0.2; done";

/// A private temporary folder. Dropping it removes it.
#[derive(Debug)]
pub(super) struct DemoFolder {
    path: PathBuf,
    guard: Child,
    /// The guard acts when this is closed.
    line: Option<ChildStdin>,
}

impl DemoFolder {
    pub(super) fn new() -> Result<Self> {
        let name = format!("trueup-demo-{}", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        let failed = || format!("could not make the folder {}", path.display());
        let mut guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(&path)
            // Apart from our terminal's signals, and not at work in a folder of the user's.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context(ErrorKind::Setup, || "could not start the guard of a folder".to_owned())?;
        let line = guard.stdin.take();
        let folder = Self { path: path.clone(), guard, line };
        std::fs::DirBuilder::new().mode(0o700).create(&path).context(ErrorKind::Setup, failed)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only this user can read, and hands back its path.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .context(ErrorKind::Setup, || format!("could not write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        drop(self.line.take());
        // The guard says nothing; what it could not remove is tried once more.
        self.guard.wait().ok();
        std::fs::remove_dir_all(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_private_and_goes_when_dropped() {
        use std::os::unix::fs::PermissionsExt;
        let folder = DemoFolder::new().unwrap();
        let file = folder.write("password", "geheim").unwrap();
        let path = folder.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        drop(folder);
        assert!(!path.exists());
    }
}
