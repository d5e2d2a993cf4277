//! The built `trueup` as a child process: started, killed, asked, and its output kept.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::wait::wait_until;

/// A configuration and a state folder of their own, removed in the end.
pub(crate) struct Installation {
    folder: TempDir,
    http_port: u16,
}

impl Installation {
    /// Writes `trueup.toml`: a `[daemon]` table with the state folder and a free port, then
    /// `tables`, the rest of the configuration.
    pub(crate) fn new(tables: &str) -> Self {
        let folder = TempDir::with_prefix("trueup-test-").unwrap();
        let http_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let installation = Self { folder, http_port };
        let daemon = format!(
            "[daemon]\nstate_dir = {:?}\nhttp_listen = \"127.0.0.1:{http_port}\"\n",
            installation.state_folder()
        );
        installation.write("trueup.toml", &format!("{daemon}\n{tables}"));
        installation
    }

    /// Where the ledger and the store lie.
    pub(crate) fn state_folder(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The port of `/metrics` and the health checks.
    pub(crate) fn http_port(&self) -> u16 {
        self.http_port
    }

    /// Writes a file beside the configuration, such as a password, and hands back its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `trueup` with `arguments` and this configuration, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trueup"));
        command.args(arguments).arg("--config").arg(self.folder.path().join("trueup.toml"));
        command.env_remove("TRUEUP_FAILPOINT");
        command
    }

    /// Runs a command to its end.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts a command, `["run"]` mostly, and does not wait for it.
    pub(crate) fn start(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Running {
        let mut command = self.command(arguments);
        command.envs(environment.iter().copied());
        Running::start(command, self.folder.path())
    }
}

/// A child process with its output in a file. Dropping it kills it (`kill -9`); if the test is
/// failing just then, the end of the output is shown.
pub(crate) struct Running {
    child: Child,
    output: PathBuf,
}

impl Running {
    /// Starts `command`; what it prints goes into a new file in `folder`.
    pub(crate) fn start(mut command: Command, folder: &Path) -> Self {
        let file = tempfile::Builder::new().prefix("output-").tempfile_in(folder).unwrap();
        let (file, output) = file.keep().unwrap();
        let child = command
            .stdin(std::process::Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
        Self { child, output }
    }

    /// What it has printed so far, stdout and stderr in order.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap()).into_owned()
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `SIGTERM`: asks it to end in order.
    pub(crate) fn terminate(&self) {
        let process = Pid::from_child(&self.child);
        kill_process(process, Signal::TERM).unwrap();
    }

    /// `SIGSTOP` and `SIGCONT`: it stands still, so that its files can be copied.
    pub(crate) fn halt(&self, is_halted: bool) {
        let signal = if is_halted { Signal::STOP } else { Signal::CONT };
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The most memory it ever had resident, in kB, as Linux counts it.
    pub(crate) fn peak_memory_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// What it had resident until now does not count for [`Self::peak_memory_kb`].
    pub(crate) fn forget_peak_memory(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    /// How it ended, or `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let child = &mut self.child;
        wait_until("the process to end", patience, || {
            child.try_wait().unwrap().ok_or_else(|| "it runs".to_owned())
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let output = std::fs::read(&self.output).unwrap_or_default();
            let end = output.get(output.len().saturating_sub(8_000)..).unwrap_or_default();
            eprintln!("--- the end of {}", self.output.display());
            std::io::stderr().write_all(end).ok();
            eprintln!("---");
        }
    }
}
