//! The SQL listener: PostgreSQL's protocol on the store, for people and their tools. Read-only.
//!
//! ```text
//!  client ─TLS, SCRAM─► session words (BEGIN, SET, SHOW …) answered here
//!                       one SELECT ─parameters as literals─► store, on a snapshot of its own
//!                       rows ◄─ piece by piece, bounded in number and time
//! ```
//! Nothing decides here what a statement may do: the store binds it to `FROM query($1)` in a
//! read-only transaction, and that takes nothing but a SELECT.

mod access;
mod answer;
mod binary;
mod catalog;
mod cell;
mod cursor;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod handler;
mod parameter;
mod text;
mod word;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;

use pgwire::api::ConnectionManager;
use pgwire::tokio::{TlsAcceptor, process_socket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Secret;
use crate::error::{Context, ErrorKind, Result};
pub use answer::{Answers, Readers};

/// What the listener needs.
pub struct Sql {
    /// Bound already, so that a busy port is an error of the start.
    pub listener: TcpListener,
    /// Who may connect.
    pub users: BTreeMap<String, Secret>,
    /// The certificate and key to encrypt with; everything is encrypted then.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Connections at once.
    pub connections_max: usize,
    /// Where answers come from.
    pub answers: Answers,
}

impl std::fmt::Debug for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sql").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// Serves until cancelled; connections end with it.
///
/// # Errors
/// [`ErrorKind::Unreachable`] if the listener cannot be used.
pub async fn serve(sql: Sql, cancel: CancellationToken) -> Result<()> {
    let what = || "could not listen for SQL".to_owned();
    sql.listener.set_nonblocking(true).context(ErrorKind::Unreachable, what)?;
    let listener = tokio::net::TcpListener::from_std(sql.listener);
    let listener = listener.context(ErrorKind::Unreachable, what)?;
    let address = listener.local_addr().context(ErrorKind::Unreachable, what)?;
    tracing::info!(address = %address, tls = sql.tls.is_some(), "sql listens");
    let handlers = Arc::new(handler::Handlers {
        users: Arc::new(access::Users::new(sql.users)),
        is_encrypted: sql.tls.is_some(),
        answering: Arc::new(handler::Answering { answers: sql.answers }),
        connections: Arc::new(ConnectionManager::new()),
    });
    let tls = sql.tls.map(TlsAcceptor::from);
    let room = Arc::new(Semaphore::new(sql.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            () = cancel.cancelled() => return Ok(()),
        };
        let Ok((socket, from)) = accepted else { continue };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!(%from, "a connection is turned away: sql_connections_max are open");
            continue;
        };
        let (tls, handlers) = (tls.clone(), Arc::clone(&handlers));
        connections.spawn(async move {
            if let Err(error) = process_socket(socket, tls, handlers).await {
                tracing::debug!(%from, %error, "a connection ended");
            }
            drop(place);
        });
    }
}
