//! The daemon in this process, run as `trueup run` runs it, and asked as people ask it: over HTTP.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::{Program, Start};
use crate::config;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::serve::http::{ReconcileRequest, ReconcileResult};
use crate::state::StateDir;
use crate::status::Status;

/// A running daemon.
#[derive(Debug)]
pub(super) struct Daemon {
    /// Its listener.
    pub(super) api: Api,
    running: JoinHandle<Result<()>>,
    shutdown: CancellationToken,
}

impl Daemon {
    /// A listener on a free port, for [`Daemon::start`].
    pub(super) fn listener() -> Result<(TcpListener, u16)> {
        let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| {
            listener.set_nonblocking(true)?;
            let port = listener.local_addr()?.port();
            Ok((listener, port))
        });
        bound.context(ErrorKind::Setup, || "found no free loopback port".to_owned())
    }

    /// Starts it with the configuration at `path`.
    pub(super) fn start(path: &Path, listener: TcpListener) -> Result<Self> {
        let config = config::load(path, |config| App.entities(config))?;
        let state = Arc::new(StateDir::open(&config.daemon.state_dir)?);
        let api = Api::new(config.daemon.http_listen)?;
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let running = tokio::spawn(async move {
            let held = Arc::clone(&state);
            let ended = App.run(Start { config, state, listener, shutdown: token }).await;
            drop(held);
            ended
        });
        Ok(Self { api, running, shutdown })
    }

    /// Why it ended, if it did: it should not have.
    pub(super) async fn check(&mut self) -> Result<()> {
        if !self.running.is_finished() {
            return Ok(());
        }
        ended((&mut self.running).await)?;
        Err(Error::new(ErrorKind::Bug, "the daemon ended by itself"))
    }

    /// Drains and stops it.
    pub(super) async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        ended(self.running.await)
    }
}

fn ended(joined: Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    joined.context(ErrorKind::Bug, || "the daemon panicked".to_owned())?
}

/// The HTTP API of a daemon on this machine.
#[derive(Debug, Clone)]
pub struct Api {
    address: SocketAddr,
    client: reqwest::Client,
}

/// Rows of a statement, every cell as text.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Answer {
    columns: Vec<AnswerColumn>,
    pub(super) rows: Vec<Vec<Option<String>>>,
    cut: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct AnswerColumn {
    name: String,
}

impl Answer {
    pub(super) fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }
}

impl Api {
    /// The daemon that listens on `address`.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`] if no HTTP client can be made.
    pub fn new(address: SocketAddr) -> Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            // Longer than the daemon's own limit for a statement.
            .timeout(Duration::from_secs(40))
            .build()
            .context(ErrorKind::Bug, || "could not make an HTTP client".to_owned())?;
        Ok(Self { address, client })
    }

    /// Where people look.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) async fn status(&self) -> Result<Status> {
        self.answer(self.client.get(self.url("/api/status"))).await
    }

    /// Runs a statement on the store; an answer that was cut is an error.
    pub(super) async fn sql(&self, query: &str) -> Result<Answer> {
        let request = self.client.post(self.url("/api/sql")).json(&json!({ "query": query }));
        let answer: Answer = self.answer(request).await?;
        match &answer.cut {
            None => Ok(answer),
            Some(cut) => Err(Error::new(ErrorKind::Bug, format!("an answer was cut at {cut}"))),
        }
    }

    /// Compares sides, and mends a target if asked to.
    pub(super) async fn reconcile(&self, request: &ReconcileRequest) -> Result<ReconcileResult> {
        self.answer(self.client.post(self.url("/api/reconcile")).json(request)).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T> {
        let silent = || format!("the daemon on {} does not answer", self.address);
        let response = request.send().await.context(ErrorKind::Unreachable, silent)?;
        let is_success = response.status().is_success();
        let body = response.bytes().await.context(ErrorKind::Unreachable, silent)?;
        if !is_success {
            let words = String::from_utf8_lossy(&body).into_owned();
            return Err(Error::new(ErrorKind::Unreachable, "the daemon refuses").caused_by(words));
        }
        serde_json::from_slice(&body)
            .context(ErrorKind::Bug, || "the daemon's answer cannot be read".to_owned())
    }
}
