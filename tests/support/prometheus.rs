//! A real Prometheus for a test: started on a free port, asked, and ended with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use trueup::demo::servers::unpacked;

use super::process::Running;

/// The full path of `prometheus` or `promtool`: what `scripts/setup` unpacked, else what is
/// installed.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let unpacked = unpacked("prometheus-").into_iter().map(|root| root.join("usr/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders =
        unpacked.chain([PathBuf::from("/usr/bin")]).chain(std::env::split_paths(&path));
    folders.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
}

/// A server that scrapes one address each second. Dropping it kills it.
pub(crate) struct Prometheus {
    port: u16,
    running: Running,
    _folder: TempDir,
}

impl Prometheus {
    /// Scrapes `address` as the job `trueup`, and evaluates the rules of a file each second.
    pub(crate) fn start(address: &str, rules: &Path) -> Self {
        let folder = TempDir::with_prefix("trueup-prometheus-").unwrap();
        let configuration = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules:?}]\n\
             scrape_configs:\n  - job_name: trueup\n    static_configs: \
             [{{targets: [\"{address}\"]}}]\n"
        );
        std::fs::write(&configuration, text).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program("prometheus").unwrap());
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn");
        let running = Running::start(command, folder.path());
        Self { port, running, _folder: folder }
    }

    /// The series that an expression has now; `Err` with the words of Prometheus, or why it does not
    /// answer.
    pub(crate) async fn query(&mut self, expression: &str) -> Result<Vec<Value>, String> {
        let data = self.get("query", &[("query", expression)]).await?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// All rules with their health.
    pub(crate) async fn rules(&mut self) -> Result<Vec<Value>, String> {
        let data = self.get("rules", &[]).await?;
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        Ok(groups.iter().filter_map(|group| group["rules"].as_array()).flatten().cloned().collect())
    }

    async fn get(&mut self, what: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        if let Some(ended) = self.running.ended() {
            panic!("Prometheus ended: {ended}\n{}", self.running.output());
        }
        let url = format!("http://127.0.0.1:{}/api/v1/{what}", self.port);
        let url = reqwest::Url::parse_with_params(&url, parameters).unwrap();
        let answer = async { reqwest::get(url).await?.json::<Value>().await };
        let answer = tokio::time::timeout(Duration::from_secs(30), answer).await;
        let answer = answer.map_err(|_| "no answer".to_owned())?;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].clone()),
            _ => Err(answer["error"].to_string()),
        }
    }
}
