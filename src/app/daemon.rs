//! The daemon: starts the loops and the listeners, and stops them in order.
//!
//! Ordered drain (design §8): listener, capture, conform, deliver. Each one's input has ended
//! when it is asked to end, so nothing that was confirmed is left half done.

use std::sync::Arc;

use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::assemble::{Lags, Parts, assemble};
use super::lag;
use super::loops::Loops;
use super::operator::Daemon;
use super::{room, startup};
use crate::capture::Capture;
use crate::cli::Start;
use crate::error::Result;
use crate::failpoint;
use crate::serve::{http, pgwire};

/// Runs until `start.shutdown`, then drains.
pub(super) async fn run(start: Start) -> Result<()> {
    let Start { config, state, listener, shutdown } = start;
    failpoint::check()?;
    let Parts { captures, conform, archive, kpis, reconcile, deliveries, operator, sql } =
        assemble(config, &state)?;
    let listening = CancellationToken::new();
    let mut watching = watch_lags(&captures, &operator.lags, &listening);
    watching.spawn(watch_room(&operator, &listening));
    let http = tokio::spawn(http::serve(listener, Arc::clone(&operator) as _, listening.clone()));
    let sql = sql.map(|sql| tokio::spawn(pgwire::serve(sql, listening.clone())));
    let mut loops = Loops::start(captures, conform, (archive, kpis, reconcile), deliveries);
    let ended = tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        error = loops.failed() => Err(error),
        error = startup::refused(&operator.captures, &operator.deliveries) => Err(error),
    };
    if let Err(error) = &ended {
        tracing::error!(error = %error.chain(), "the daemon ends");
    }
    listening.cancel();
    closed(std::iter::once(http).chain(sql)).await;
    loops.drain().await;
    drop(state);
    ended
}

/// Waits for the listeners to end.
async fn closed(listeners: impl Iterator<Item = JoinHandle<Result<()>>>) {
    for listener in listeners {
        if let Ok(Err(error)) = listener.await {
            tracing::error!(error = %error.chain(), "a listener ended with an error");
        }
    }
}

/// Looks at the room that the ledger has left.
fn watch_room(
    operator: &Daemon,
    listening: &CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let folder = operator.config.daemon.state_dir.clone();
    let (journal, conform) = (Arc::clone(&operator.journal), Arc::clone(&operator.conform));
    room::run(Arc::clone(&operator.room), (folder, journal, conform), listening.clone())
}

/// Looks at the end of every source's log, as long as what it returns is kept.
fn watch_lags(captures: &[Capture], lags: &Lags, listening: &CancellationToken) -> JoinSet<()> {
    let mut watching = JoinSet::new();
    for capture in captures {
        let Some(lag) = lags.get(&capture.name) else { continue };
        let (source, state) = (capture.source.clone(), Arc::clone(&capture.state));
        watching.spawn(lag::run(source, state, Arc::clone(lag), listening.clone()));
    }
    watching
}
