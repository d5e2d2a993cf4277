//! The HTTP listener: metrics, health, and the operator's API.
//!
//! It knows nothing of ledger, store or loops: an [`Operator`] answers. It asks nobody for a
//! password yet; that is why it listens on loopback unless told otherwise, and why requests
//! that a web page could have sent are refused there.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::error::{Context, Error, ErrorKind, Result};
use crate::status::{EffectStatus, Status};

/// A statement longer than this is not written by a person.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// All mappings and entities of an installation together.
const MAPPINGS_BYTES_MAX: usize = 16 << 20;

/// How long a shutdown waits for requests in flight. A client that keeps one open, or a long
/// statement, must not keep the daemon from draining.
const DRAIN_SECS_MAX: u64 = 5;

/// What the daemon answers to its operator. Every answer may have to wait for a disk, and none may
/// hold up a thread that others need.
pub trait Operator: Send + Sync {
    /// The whole status.
    fn status(&self) -> BoxFuture<'_, Status>;
    /// Whether everything works as promised; if not, why, one reason per line.
    ///
    /// # Errors
    /// The reasons.
    fn ready(&self) -> BoxFuture<'_, std::result::Result<(), Vec<String>>>;
    /// The metrics in Prometheus' text format.
    fn metrics(&self) -> BoxFuture<'_, String>;
    /// Runs one read-only statement on the store, within the configured limits.
    fn sql(&self, request: SqlRequest) -> BoxFuture<'_, Result<SqlResult>>;
    /// What a set of mappings would change, by entity; changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] or [`ErrorKind::Rejected`] for a set that does not work,
    /// [`ErrorKind::Unreachable`] while it cannot be said.
    fn diff(&self, request: DiffRequest) -> BoxFuture<'_, Result<DiffResult>>;
    /// Lets a held batch go.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if it is not held.
    fn resume(&self, request: ResumeRequest) -> BoxFuture<'_, Result<()>>;
    /// Compares sides row by row, and mends targets if asked to.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a pair that does not exist, or for a repair that is too large;
    /// otherwise what kept a side from being compared.
    fn reconcile(&self, request: ReconcileRequest) -> BoxFuture<'_, Result<ReconcileResult>>;
    /// Begins to copy a mirrored table once more, or stops that; or follows a source with a gap anew.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a table that is not mirrored or not copied yet, or where there is no gap,
    /// [`ErrorKind::Unreachable`] if it could not be begun; what keeps a source from being followed.
    fn resync(&self, request: ResyncRequest) -> BoxFuture<'_, Result<ResyncResult>>;
}

/// The body of `POST /api/resync`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResyncRequest {
    /// The source.
    pub source: String,
    /// Its table, with or without its schema. `None`: all of them, because the source has a gap: its log
    /// is followed anew.
    pub table: Option<String>,
    /// The rows of the table, as a condition over its key; `None`: all.
    #[serde(default)]
    pub only: Option<String>,
    /// Only say whether it could be begun.
    #[serde(default)]
    pub dry_run: bool,
    /// Stop the one that is under way instead.
    #[serde(default)]
    pub stop: bool,
}

/// The answer to [`ResyncRequest`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResyncResult {
    /// The tables, as the source names them: the status shows how far they are.
    pub tables: Vec<String>,
    /// The gap that is mended.
    pub gap: Option<String>,
}

/// The body of `POST /api/reconcile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileRequest {
    /// One pair; all if absent.
    #[serde(default)]
    pub pair: Option<String>,
    /// One entity; all if absent.
    #[serde(default)]
    pub entity: Option<String>,
    /// Write rows of targets that differ again, and compare once more.
    #[serde(default)]
    pub repair: bool,
}

/// The answer to [`ReconcileRequest`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileResult {
    /// What was compared, after the repair if there was one.
    pub compared: Vec<Compared>,
    /// Rows that were written again.
    pub repaired: u64,
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Which two sides.
    pub pair: String,
    /// Canonical entity, or table of the source.
    pub entity: String,
    /// Rows that were compared.
    pub rows: u64,
    /// Rows that differ.
    pub differing: u64,
    /// Keys that were left out, because the target has them parked.
    pub pending: u64,
    /// Columns that are not compared.
    pub left_out: Vec<String>,
}

/// The body of `POST /api/diff`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffRequest {
    /// A set of mappings: path → text.
    pub files: BTreeMap<String, String>,
}

/// The answer to [`DiffRequest`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffResult {
    /// Entities of which rows would change.
    pub effects: Vec<EffectStatus>,
}

/// The body of `POST /api/resume`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// The entry with which the held batch ends, as the status shows it: only what was seen is let
    /// go.
    pub seq_upto: u64,
}

/// The body of `POST /api/sql`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlRequest {
    /// One statement.
    pub query: String,
    /// At most so many rows; the configured limit if absent or larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_max: Option<usize>,
}

/// The answer to [`SqlRequest`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SqlResult {
    /// The columns in order.
    pub columns: Vec<SqlColumn>,
    /// The rows, cells in the order of the columns. Numbers that a double cannot hold exactly,
    /// dates and everything else that JSON lacks are strings.
    pub rows: Vec<Vec<Value>>,
    /// If rows are missing: which limit cut them, in words.
    pub cut: Option<String>,
}

/// A column of a [`SqlResult`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlColumn {
    /// Its name.
    pub name: String,
    /// Its type in the store.
    pub r#type: String,
}

/// What the API answers instead of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What failed, with its causes.
    pub error: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Serves until `shutdown`, then lets the requests in flight finish, but not for long: those that
/// remain end with the runtime. A request whose client went away is dropped with its future.
///
/// # Errors
/// [`ErrorKind::Bug`] if the listener cannot be handed to the runtime.
pub async fn serve(
    listener: TcpListener,
    operator: Arc<dyn Operator>,
    shutdown: CancellationToken,
) -> Result<()> {
    let what = || "the HTTP listener failed".to_owned();
    let address = listener.local_addr().context(ErrorKind::Bug, what)?;
    let listener = tokio::net::TcpListener::from_std(listener).context(ErrorKind::Bug, what)?;
    tracing::info!(%address, "http listens");
    let stop = shutdown.clone();
    let served = axum::serve(listener, routes(operator, address))
        .with_graceful_shutdown(async move { stop.cancelled().await });
    tokio::select! {
        served = served.into_future() => served.context(ErrorKind::Bug, what),
        () = overdue(&shutdown) => {
            tracing::warn!(%address, "http requests in flight are given up");
            Ok(())
        }
    }
}

async fn overdue(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(Duration::from_secs(DRAIN_SECS_MAX)).await;
}

fn routes(operator: Arc<dyn Operator>, address: SocketAddr) -> Router {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/api/status", get(status))
        .route("/api/sql", post(sql))
        .route("/api/resume", post(resume))
        .route("/api/reconcile", post(reconcile))
        .route("/api/resync", post(resync))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .route("/api/diff", post(diff).layer(DefaultBodyLimit::max(MAPPINGS_BYTES_MAX)))
        .with_state(operator);
    if address.ip().is_loopback() {
        router.layer(middleware::from_fn(refuse_foreign_names))
    } else {
        router
    }
}

/// On loopback, a request whose `Host` is neither an address nor `localhost` comes from a web
/// page that pointed its own name at this machine (DNS rebinding) to read the answers.
async fn refuse_foreign_names(request: Request, next: Next) -> Response {
    if names_this_machine(request.headers()) {
        return next.run(request).await;
    }
    let error = Error::new(ErrorKind::Usage, "the Host header does not name this machine");
    refused(StatusCode::FORBIDDEN, &error.hint("use http://127.0.0.1"))
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        return true;
    };
    let port = |(_, port): &(&str, &str)| port.bytes().all(|digit| digit.is_ascii_digit());
    let name = host.rsplit_once(':').filter(port).map_or(host, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<std::net::IpAddr>().is_ok()
}

async fn metrics(State(operator): State<Arc<dyn Operator>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, operator.metrics().await).into_response()
}

async fn readyz(State(operator): State<Arc<dyn Operator>>) -> Response {
    match operator.ready().await {
        Ok(()) => Json(json!({ "ready": true, "reasons": [] })).into_response(),
        Err(reasons) => {
            let body = Json(json!({ "ready": false, "reasons": reasons }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

async fn status(State(operator): State<Arc<dyn Operator>>) -> Json<Status> {
    Json(operator.status().await)
}

async fn sql(
    State(operator): State<Arc<dyn Operator>>,
    Json(request): Json<SqlRequest>,
) -> Response {
    answer(operator.sql(request).await)
}

async fn diff(
    State(operator): State<Arc<dyn Operator>>,
    Json(request): Json<DiffRequest>,
) -> Response {
    answer(operator.diff(request).await)
}

async fn resume(
    State(operator): State<Arc<dyn Operator>>,
    Json(request): Json<ResumeRequest>,
) -> Response {
    answer(operator.resume(request).await.map(|()| json!({})))
}

async fn reconcile(
    State(operator): State<Arc<dyn Operator>>,
    Json(request): Json<ReconcileRequest>,
) -> Response {
    answer(operator.reconcile(request).await)
}

async fn resync(
    State(operator): State<Arc<dyn Operator>>,
    Json(request): Json<ResyncRequest>,
) -> Response {
    answer(operator.resync(request).await)
}

fn answer(result: Result<impl Serialize>) -> Response {
    match result {
        Ok(result) => Json(result).into_response(),
        Err(error) => refused(status_code(error.kind()), &error),
    }
}

/// The statement's fault is the client's; everything else is ours.
fn status_code(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Usage | ErrorKind::Rejected | ErrorKind::Config => StatusCode::BAD_REQUEST,
        ErrorKind::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn refused(code: StatusCode, error: &Error) -> Response {
    let refusal = Refusal { error: error.chain(), hint: error.remedy().map(str::to_owned) };
    (code, Json(refusal)).into_response()
}

#[cfg(test)]
mod tests;
