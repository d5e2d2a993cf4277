//! A file system of a few MiB that a test can fill: a tmpfs in a mount namespace of its own, for which
//! nobody has to be root. What runs on it is started through it; from outside it is seen by `/proc`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Ends with whoever holds it.
pub(crate) struct SmallDisk {
    holder: Child,
    folder: PathBuf,
}

impl SmallDisk {
    /// Whether this machine lets us mount one; why not.
    pub(crate) fn possible() -> Result<(), String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        Self::try_mount(folder.path(), 1).map(drop)
    }

    /// Mounts one of `mib` MiB at a folder that is there.
    pub(crate) fn mount(folder: &Path, mib: u32) -> Self {
        Self::try_mount(folder, mib).unwrap()
    }

    fn try_mount(folder: &Path, mib: u32) -> Result<Self, String> {
        let script = "mount -t tmpfs -o size=$2m,mode=700 tmpfs \"$1\" && echo mounted && exec cat";
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
            .arg(folder)
            .arg(mib.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("no unshare: {error}"))?;
        let mut line = String::new();
        let said = holder.stdout.take().map(BufReader::new);
        said.map(|mut said| said.read_line(&mut line));
        let disk = Self { holder, folder: folder.to_owned() };
        match line.trim() {
            "mounted" => Ok(disk),
            _ => Err("user namespaces may not mount here".to_owned()),
        }
    }

    /// The same command, for a process to which the folder is the small disk.
    pub(crate) fn on_it(&self, command: &Command) -> Command {
        let mut entered = Command::new("nsenter");
        entered.arg(format!("--target={}", self.holder.id()));
        entered.args(["--user", "--mount", "--preserve-credentials", "--"]);
        entered.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => entered.env(name, value),
                None => entered.env_remove(name),
            };
        }
        entered
    }

    /// Takes all the room that is left, but for what is free only in pieces below 4 KiB.
    pub(crate) fn fill(&self) {
        let mut ballast =
            std::fs::File::options().create(true).append(true).open(self.seen("ballast")).unwrap();
        for piece in [vec![0; 1 << 20], vec![0; 4 << 10]] {
            while ballast.write_all(&piece).is_ok() {}
        }
    }

    /// Gives it back.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.seen("ballast")).unwrap();
    }

    fn seen(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.folder.strip_prefix("/").unwrap()).join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.holder.kill().ok();
        self.holder.wait().ok();
    }
}
