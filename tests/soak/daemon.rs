//! The built daemon while it is killed, stopped and started again: what it said is read each time, and gaps
//! that were made are mended as the manual says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::world::{World, count};
use crate::support::process::{Installation, Running};
use crate::support::servers::copy_folder;

/// How long an orderly end may take.
const END_PATIENCE: Duration = Duration::from_secs(90);

/// How long somebody waits for the end of a mended gap.
const MEND_PATIENCE: Duration = Duration::from_secs(60);

/// One installation's daemon.
pub(crate) struct Daemon {
    pub(crate) installation: Arc<Installation>,
    running: Mutex<Option<Process>>,
    /// By source.
    worlds: BTreeMap<String, Arc<World>>,
    /// What must not have happened.
    troubles: Mutex<Vec<String>>,
    /// How often the daemon said what, apart from errors.
    warnings: Mutex<BTreeMap<String, u64>>,
    pub(crate) kills: AtomicU64,
    pub(crate) stops: AtomicU64,
}

struct Process {
    running: Running,
    /// It may end by itself, at a failpoint.
    is_armed: bool,
}

impl Daemon {
    pub(crate) fn new(installation: Installation, worlds: BTreeMap<String, Arc<World>>) -> Self {
        Self {
            installation: Arc::new(installation),
            running: Mutex::default(),
            worlds,
            troubles: Mutex::default(),
            warnings: Mutex::default(),
            kills: AtomicU64::new(0),
            stops: AtomicU64::new(0),
        }
    }

    /// Starts it, to die at a failpoint if one is named.
    pub(crate) fn start(&self, failpoint: Option<&str>) {
        let armed: Vec<(&str, &str)> =
            failpoint.map(|name| ("TRUEUP_FAILPOINT", name)).into_iter().collect();
        let running = self.installation.start(&["run"], &armed);
        let before = self
            .running
            .lock()
            .unwrap()
            .replace(Process { running, is_armed: failpoint.is_some() });
        assert!(before.is_none(), "it runs already");
    }

    /// `kill -9`; also what is left of one that died at its failpoint.
    pub(crate) fn kill(&self) {
        let Some(mut process) = self.running.lock().unwrap().take() else { return };
        self.judge_end(&mut process);
        process.running.kill();
        count(&self.kills, 1);
        self.read(&process.running);
    }

    /// Asks it to end in order.
    pub(crate) fn stop(&self) {
        let Some(mut process) = self.running.lock().unwrap().take() else { return };
        self.judge_end(&mut process);
        process.running.terminate();
        count(&self.stops, 1);
        let ended = process.running.wait(END_PATIENCE);
        if !ended.success() && !process.is_armed {
            self.trouble(format!("asked to end, it ended with {ended}"));
        }
        self.read(&process.running);
    }

    pub(crate) fn halt(&self, is_halted: bool) {
        if let Some(process) = self.running.lock().unwrap().as_ref() {
            process.running.halt(is_halted);
        }
    }

    /// Whether it died at its failpoint; that it ended by itself otherwise is noted.
    pub(crate) fn has_died(&self) -> bool {
        let mut running = self.running.lock().unwrap();
        running.as_mut().is_some_and(|process| self.judge_end(process))
    }

    fn judge_end(&self, process: &mut Process) -> bool {
        let Some(ended) = process.running.ended() else { return false };
        if !process.is_armed {
            self.trouble(format!("it ended by itself: {ended}"));
        }
        true
    }

    /// What it says of itself now, if it answers.
    pub(crate) async fn status(&self) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/api/status", self.installation.http_port());
        let answer = async { reqwest::get(url).await?.json::<Value>().await };
        tokio::time::timeout(Duration::from_secs(5), answer).await.ok()?.ok()
    }

    /// Looks for gaps and mends them. What was not made by us is trouble, and is mended all the same.
    pub(crate) async fn mend_gaps(&self) {
        let Some(status) = self.status().await else { return };
        for source in status["sources"].as_array().into_iter().flatten() {
            let name = source["name"].as_str().unwrap_or_default();
            let message = source["message"].as_str().unwrap_or_default();
            let (world, is_gap) = (&self.worlds[name], source["state"] == "gap");
            let was_gap = world.has_gap.swap(is_gap, Ordering::Relaxed);
            count(&world.counts.gaps, u64::from(was_gap && !is_gap));
            if !is_gap {
                continue;
            }
            if !world.is_expected(message) {
                self.trouble(format!("{name} is a gap that nobody made: {message}"));
            }
            let resync = self.installation.command(&["resync", name, "--gap", "--json"]);
            let resync = tokio::process::Command::from(resync).kill_on_drop(true).output();
            let (code, failed) = match tokio::time::timeout(MEND_PATIENCE, resync).await {
                Ok(output) => {
                    let output = output.unwrap();
                    let failed = String::from_utf8_lossy(&output.stderr).into_owned();
                    (output.status.code(), failed + &differing(&output.stdout))
                }
                Err(_) => (None, "it lasts".to_owned()),
            };
            let failed: String = failed.trim().chars().take(300).collect();
            eprintln!("mending a gap of {name} ({message}): {code:?} {failed}");
        }
    }

    pub(crate) fn trouble(&self, what: String) {
        let what: String = what.chars().take(1_500).collect();
        eprintln!("TROUBLE: {what}");
        self.troubles.lock().unwrap().push(what);
    }

    pub(crate) fn troubles(&self) -> Vec<String> {
        self.troubles.lock().unwrap().clone()
    }

    /// What it warned of, and how often.
    pub(crate) fn warnings(&self) -> String {
        let warnings = self.warnings.lock().unwrap();
        let all: Vec<String> =
            warnings.iter().map(|(what, times)| format!("{times} × {what}")).collect();
        all.join("; ")
    }

    /// Reads what a process said. An error that is not about a gap of ours, and a panic, are trouble.
    fn read(&self, running: &Running) {
        for line in running.output().lines() {
            let said: Value = serde_json::from_str(line).unwrap_or_default();
            let message = said["message"].as_str();
            // (Who mends a gap has the sides compared, also while columns change.)
            let differs = ["two sides differ, see ops.drift", "a comparison failed"]
                .contains(&message.unwrap_or_default());
            let is_ours = || {
                let mut worlds = self.worlds.values();
                worlds.any(|one| one.is_expected(line) || (differs && one.may_differ(line)))
            };
            match said["level"].as_str() {
                Some("ERROR") if !is_ours() => self.trouble(format!("the daemon said: {line}")),
                Some("WARN") => {
                    let message = message.unwrap_or_default().to_owned();
                    *self.warnings.lock().unwrap().entry(message).or_default() += 1;
                }
                None if line.contains("panicked at") => {
                    self.trouble(format!("the daemon panicked: {line}"));
                }
                _ => {}
            }
        }
    }

    /// Copies the installation to where it stays: somebody has to look at it.
    pub(crate) fn keep(&self) -> PathBuf {
        self.kill();
        let kept = tempfile::Builder::new().prefix("trueup-soak-").tempdir().unwrap().keep();
        let folder = self.installation.state_folder();
        copy_folder(folder.parent().unwrap(), &kept.join("installation"));
        kept
    }

    /// Kills so far.
    pub(crate) fn killed(&self) -> u64 {
        self.kills.load(Ordering::Relaxed)
    }
}

/// Tables that a comparison found to differ: while their columns change, they may.
fn differing(stdout: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(stdout).unwrap_or_default();
    let compared = answer["compared"].as_array().into_iter().flatten();
    let differing = compared.filter(|one| one["differing"] != 0);
    differing
        .map(|one| format!("{} rows of {} differ; ", one["differing"], one["entity"]))
        .collect()
}
