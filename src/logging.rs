//! Structured logs on standard error: text for a terminal, JSON lines otherwise.
//!
//! Messages are constant, what varies is in fields; row values and secrets are never logged.
//! It does not decide what is worth a line: the loops do.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::error::{Context, ErrorKind, Result};

/// The variable that says what is logged, as `info`, or `warn,trueup::capture=debug`.
pub const FILTER_VARIABLE: &str = "TRUEUP_LOG";

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise
    Auto,
    /// One readable line per event
    Text,
    /// One JSON object per event
    Json,
}

/// Starts logging for the whole process, filtered by [`FILTER_VARIABLE`].
///
/// # Errors
/// [`ErrorKind::Usage`] if the variable is not a filter; [`ErrorKind::Bug`] if logging was
/// started before.
pub fn start(format: LogFormat) -> Result<()> {
    let filter = std::env::var(FILTER_VARIABLE).unwrap_or_default();
    let layer = layer(format, &filter, std::io::stderr)?;
    tracing_subscriber::registry()
        .with(layer)
        .try_init()
        .context(ErrorKind::Bug, || "logging was started twice".to_owned())
}

fn layer<S, W>(
    format: LogFormat,
    filter: &str,
    writer: W,
) -> Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a> + Send + Sync,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(filter)
        .context(ErrorKind::Usage, || format!("{FILTER_VARIABLE} is not a log filter"))?
        .and(filter_fn(is_free_of_values))
        .and(filter_fn(is_said_once));
    let terminal = std::io::stderr().is_terminal();
    let base = tracing_subscriber::fmt::layer().with_writer(writer);
    Ok(match format {
        LogFormat::Auto if terminal => base.with_filter(filter).boxed(),
        LogFormat::Text => base.with_ansi(terminal).with_filter(filter).boxed(),
        LogFormat::Auto | LogFormat::Json => {
            base.json().flatten_event(true).with_filter(filter).boxed()
        }
    })
}

/// Database drivers log statements with their parameters at debug level: those are row values.
/// Whatever the filter asks for, below info only our own lines pass.
fn is_free_of_values(line: &Metadata<'_>) -> bool {
    let ours = line.target() == "trueup" || line.target().starts_with("trueup::");
    ours || *line.level() <= Level::INFO
}

/// The replication client logs a broken connection as an error, which would call a person, and hands it to
/// us, too: capture says it, and tries again.
fn is_said_once(line: &Metadata<'_>) -> bool {
    !line.target().starts_with("pgwire_replication")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = layer(LogFormat::Json, filter, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_are_json_with_a_constant_message_and_fields() {
        let text = logged("", || tracing::info!(source = "erp", "slot created"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "slot created");
        assert_eq!(line["source"], "erp");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn debug_lines_of_drivers_never_pass_but_ours_do() {
        let text = logged("trace", || {
            tracing::debug!(target: "tokio_postgres::query", "parameters: [42]");
            tracing::warn!(target: "tokio_postgres::query", "slow");
            tracing::debug!(target: "trueup::capture", "chunk journaled");
        });
        assert!(!text.contains("parameters"), "{text}");
        assert!(text.contains("slow") && text.contains("chunk journaled"), "{text}");
    }

    #[test]
    fn a_broken_connection_of_a_log_is_no_error_that_calls_a_person() {
        let text = logged("", || {
            tracing::error!(target: "pgwire_replication::client", "replication worker terminated");
            tracing::warn!(target: "trueup::capture", "capture failed, it is retried");
        });
        assert!(!text.contains("terminated") && text.contains("retried"), "{text}");
    }

    #[test]
    fn info_is_the_default_and_a_bad_filter_is_refused() {
        let text = logged("", || tracing::debug!(target: "trueup::x", "quiet"));
        assert_eq!(text, "");
        let error = layer::<tracing_subscriber::Registry, _>(
            LogFormat::Json,
            "trueup=loud",
            std::io::stderr,
        );
        assert_eq!(error.err().map(|error| error.kind()), Some(ErrorKind::Usage));
    }
}
