//! A folder, a port, and the guard process that keeps a server in them.
//!
//! It knows signals and process ids, and nothing of what the server is.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::client::last_lines;
use super::installed::Installed;
use crate::error::{Context, Error, ErrorKind, Result};

/// A start that takes longer has failed. Small servers need one or two seconds; a loaded
/// two-core machine has been seen to need twenty.
const START_DEADLINE: Duration = Duration::from_secs(90);
/// A server that ends at once is tried again: after a kill its old children or locks may still
/// be there, and another process may have taken the port.
const START_ATTEMPTS: u32 = 20;
const START_PAUSE: Duration = Duration::from_millis(250);

/// A private folder owned by the user the server runs as.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) folder: PathBuf,
    pub(super) port: u16,
    user: Option<User>,
}

#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Home {
    /// A new folder for `server` (its name is also the preferred user's).
    pub(super) fn new(server: &str, preferred_user: &str) -> Result<Self> {
        let name = format!("trueup-{server}-{}", uuid::Uuid::new_v4().simple());
        let folder = std::env::temp_dir().join(name);
        let failed = || format!("could not make the folder {}", folder.display());
        std::fs::DirBuilder::new().mode(0o700).create(&folder).context(ErrorKind::Setup, failed)?;
        // Servers refuse to run as root.
        let user = rustix::process::geteuid().is_root().then(|| user(preferred_user)).flatten();
        let home = Self { folder: folder.clone(), port: free_port()?, user };
        home.give(&folder)?;
        Ok(home)
    }

    /// A command that runs as the server's user, apart from our terminal's signals.
    pub(super) fn command(&self, program: &Path, installed: &Installed) -> Command {
        let mut command = Command::new(program);
        command.envs(installed.environment()).current_dir("/").process_group(0);
        // A MariaDB that starts removes every temporary table it finds, also another server's,
        // which then crashes: no two may share the folder.
        command.env("TMPDIR", &self.folder);
        if let Some(user) = self.user {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Writes a file that the server's user owns.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, text)
            .context(ErrorKind::Setup, || format!("could not write {}", path.display()))?;
        self.give(&path)?;
        Ok(path)
    }

    fn give(&self, path: &Path) -> Result<()> {
        let Some(user) = self.user else { return Ok(()) };
        chown(path, Some(user.uid), Some(user.gid))
            .context(ErrorKind::Setup, || format!("could not hand over {}", path.display()))
    }
}

/// Keeps one server. Dropping it stops the server and removes the folder.
#[derive(Debug)]
pub(super) struct Guard {
    folder: PathBuf,
    line: Mutex<Line>,
}

/// The guard process and our ends of its pipes.
#[derive(Debug)]
struct Line {
    child: Child,
    /// The guard lives as long as this is open.
    words: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The server's process id while it should be running.
    server: Option<u32>,
}

impl Guard {
    /// Starts the guard of the server `program`, not yet the server. `last_signal` ends the
    /// server at the very end, when its data no longer matters.
    pub(super) fn new(
        home: &Home,
        installed: &Installed,
        last_signal: &str,
        program: &Path,
        arguments: &[String],
    ) -> Result<Self> {
        let mut command = home.command(Path::new("/bin/sh"), installed);
        command.args(["-c", include_str!("guard.sh"), "guard"]).arg(&home.folder).arg(last_signal);
        command.arg(program).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let failed = || "could not start the guard of a private server".to_owned();
        let mut child = command.spawn().context(ErrorKind::Setup, failed)?;
        let words = child.stdin.take();
        let answers = child.stdout.take();
        let answers = answers.ok_or_else(|| Error::new(ErrorKind::Bug, failed()))?;
        let line = Line { child, words, answers: BufReader::new(answers), server: None };
        Ok(Self { folder: home.folder.clone(), line: Mutex::new(line) })
    }

    /// Starts the server and waits until `ready` says so.
    pub(super) fn start(&self, ready: impl Fn() -> Result<()>) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        for _ in 0..START_ATTEMPTS {
            let server = self.lock().start()?;
            while is_alive(server) {
                match ready() {
                    Ok(()) => return Ok(()),
                    Err(error) if Instant::now() > deadline => return Err(error),
                    Err(_) => std::thread::sleep(Duration::from_millis(50)),
                }
            }
            self.lock().say("KILL")?;
            std::thread::sleep(START_PAUSE);
        }
        let log = self.folder.join("server.log");
        let words = last_lines(&std::fs::read_to_string(log).unwrap_or_default(), 20);
        let command = format!("the server in {} ends as soon as it starts", self.folder.display());
        Err(Error::new(ErrorKind::Setup, command).caused_by(words))
    }

    /// Sends a signal (`INT`, `QUIT`, `KILL` …) and waits until the server is gone.
    pub(super) fn stop(&self, signal: &str) -> Result<()> {
        let mut line = self.lock();
        line.server = None;
        line.say(signal).map(drop)
    }

    /// The server's process id, if it should be running.
    pub(super) fn process_id(&self) -> Option<u32> {
        self.lock().server
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let folder = self.folder.clone();
        let mut line = self.lock();
        drop(line.words.take());
        // The guard's own deadline is 30 s.
        let deadline = Instant::now() + Duration::from_secs(40);
        while matches!(line.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Nothing is left to do about a failure here: the temporary folder stays behind.
        line.child.kill().ok();
        line.child.wait().ok();
        std::fs::remove_dir_all(folder).ok();
    }
}

impl Line {
    /// The process id of the server, which is started unless it runs already.
    fn start(&mut self) -> Result<u32> {
        if let Some(server) = self.server.filter(|server| is_alive(*server)) {
            return Ok(server);
        }
        let answer = self.say("start")?;
        let server = answer.parse().context(ErrorKind::Bug, || {
            "could not read the guard's answer to `start`".to_owned()
        })?;
        self.server = Some(server);
        Ok(server)
    }

    /// Says a word and waits for the one-line answer.
    fn say(&mut self, word: &str) -> Result<String> {
        let failed = || "the guard of a private server is gone".to_owned();
        let gone = || Error::new(ErrorKind::Setup, failed());
        let words = self.words.as_mut().ok_or_else(gone)?;
        words.write_all(format!("{word}\n").as_bytes()).context(ErrorKind::Setup, failed)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).context(ErrorKind::Setup, failed)?;
        if answer.is_empty() { Err(gone()) } else { Ok(answer.trim_end().to_owned()) }
    }
}

/// Whether a process runs; one that has ended and was not waited for yet does not.
fn is_alive(process_id: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process_id}/stat")) else {
        return false;
    };
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state != Some('Z')
}

/// The preferred user, else `nobody`.
fn user(preferred: &str) -> Option<User> {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let mut fields = fields.filter(|fields| fields.first() == Some(&name));
        let fields = fields.next()?;
        Some(User { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    };
    find(preferred).or_else(|| find("nobody"))
}

/// A free loopback port below the range from which the kernel takes ports for outgoing
/// connections: so a server finds its port free again when it is restarted.
pub(crate) fn free_port() -> Result<u16> {
    for _ in 0..200 {
        let port = rand::random_range(15_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Error::new(ErrorKind::Setup, "found no free loopback port between 15000 and 32000"))
}
