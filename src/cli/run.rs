//! `trueup run` and `trueup demo`: what holds a process until a signal ends it.
//!
//! In two phases: everything that can be refused at once (configuration, logs, state folder,
//! port) without a runtime, then the runtime.

use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::program::{DemoOptions, Program, Start};
use crate::config::Config;
use crate::error::{Context, ErrorKind, Result};
use crate::logging::{self, LogFormat};
use crate::serve;
use crate::state::StateDir;

/// Run the daemon
///
/// Captures, conforms and delivers until SIGTERM or SIGINT, then drains and ends; a second
/// signal ends it at once, which loses nothing either. What is logged is set by TRUEUP_LOG, as
/// `info` or `warn,trueup::capture=debug`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Write log lines as text or JSON
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    log_format: LogFormat,
}

pub(super) fn run(args: &RunArgs, config: Config, program: &dyn Program) -> Result<u8> {
    logging::start(args.log_format)?;
    // Our own handle keeps hold of the folder until everything has drained: a future that uses
    // only parts of `Start` drops the others when it begins.
    let held = Arc::new(StateDir::open(&config.daemon.state_dir)?);
    let listener = serve::bind(config.daemon.http_listen, "http_listen in [daemon]")?;
    let sources: Vec<String> = config.source.keys().cloned().collect();
    runtime()?.block_on(async {
        let shutdown = on_signals()?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            state_dir = %held.path().display(),
            "daemon starts"
        );
        let state = Arc::clone(&held);
        program.run(Start { config, state, listener, shutdown }).await
    })?;
    drop(held);
    // A stopped daemon is a risk for its sources; whoever stopped it may not come back.
    tracing::warn!(
        ?sources,
        hint = "start it again soon, or run `trueup uninstall`",
        "daemon stopped; the sources keep their logs for it"
    );
    Ok(0)
}

pub(super) fn demo(options: DemoOptions, program: &dyn Program) -> Result<u8> {
    // The demo's own table says what happens; logs only for who asks for them.
    if std::env::var_os(logging::FILTER_VARIABLE).is_some() {
        logging::start(LogFormat::Auto)?;
    }
    let agree = runtime()?.block_on(async {
        let shutdown = on_signals()?;
        program.demo(options, shutdown).await
    })?;
    Ok(u8::from(!agree))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context(ErrorKind::Bug, || "could not start the async runtime".to_owned())
}

/// A token that the first SIGTERM or SIGINT cancels. The second one ends the process at once,
/// with the exit code that shells give to a process killed by that signal.
fn on_signals() -> Result<CancellationToken> {
    let listen = |kind: SignalKind| {
        signal(kind).context(ErrorKind::Bug, || "could not listen for signals".to_owned())
    };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let shutdown = token.clone();
    tokio::spawn(async move {
        let number = either(&mut terminate, &mut interrupt).await;
        tracing::info!(signal = number, "signal received; draining");
        shutdown.cancel();
        let number = either(&mut terminate, &mut interrupt).await;
        tracing::warn!(signal = number, "second signal received; ending at once");
        std::process::exit(128 + number);
    });
    Ok(token)
}

/// Waits for one of the two and says its number.
async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> i32 {
    tokio::select! {
        _ = terminate.recv() => SignalKind::terminate().as_raw_value(),
        _ = interrupt.recv() => SignalKind::interrupt().as_raw_value(),
    }
}
