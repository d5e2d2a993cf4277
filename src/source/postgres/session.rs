//! Sessions on the source: where it is, how it is secured, and the settings that decide what a
//! value looks like as text.
//!
//! It knows no catalog. Copy and log use one constant of settings, so that a value has one text
//! whichever way it came.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use pgwire_replication::config::{ReplicationConfig, SslMode, TlsConfig};
use pgwire_replication::{Lsn, PgWireError};
use tokio_postgres::Client;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;

use crate::config::{Secret, SourceConfig};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::source::tls::Security;

/// Settings pinned for copy and log alike, as a startup `options` value: everything that changes
/// the text of a value, a search path under which names print in full, and rows hidden by row
/// level security being an error, not an absence. (`extra_float_digits` above 0 means the
/// shortest text that reads back equal, on every supported version.)
pub(crate) const PINNED_SETTINGS: &str = "-c TimeZone=UTC -c DateStyle=ISO \
    -c IntervalStyle=postgres -c extra_float_digits=3 -c bytea_output=hex -c lc_monetary=C \
    -c search_path=pg_catalog -c standard_conforming_strings=on -c row_security=off";

/// What may not take long on a legacy server. A chunk is seconds, a catalog query less; a lock
/// that is not granted soon is asked for again later, so that a queued DDL statement behind us
/// never waits long; and a transaction of ours that lost its client ends.
const PATIENCE: &str = " -c statement_timeout=300s -c lock_timeout=10s \
    -c idle_in_transaction_session_timeout=60s";

/// Longest wait for a server to answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the log's position is told to the server: often enough that a drained slot shows
/// itself within a moment, rarely enough to cost nothing.
const FEEDBACK_INTERVAL: Duration = Duration::from_secs(1);
/// Messages between the log's reader and capture. Bounds memory to this many rows.
const BUFFERED_MESSAGES_MAX: usize = 1_024;

/// Where a source is and how to get in.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The source's name in the configuration.
    pub(crate) source: String,
    /// Host name, address or folder of a Unix socket.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// Role.
    pub(crate) user: String,
    /// Database.
    pub(crate) database: String,
    /// Shown in `pg_stat_activity`.
    pub(crate) application: String,
    password: Option<Secret>,
    security: Security,
}

impl Place {
    /// Reads it from the configuration; connects to nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an unusable URL or unreadable certificate authorities.
    pub(crate) fn new(source: &str, config: &SourceConfig) -> Result<Self> {
        let bad = |what: &str| {
            Error::new(ErrorKind::Config, format!("url of source `{source}` {what}"))
                .hint("write it as postgres://user@host:port/database")
        };
        let parsed = tokio_postgres::Config::from_str(&config.url)
            .map_err(|error| bad("is not a PostgreSQL URL").caused_by(error))?;
        if parsed.get_password().is_some() {
            return Err(bad("holds a password")
                .hint("take it out and set password = \"${file:PATH}\" or \"${env:NAME}\""));
        }
        let host = match parsed.get_hosts() {
            [Host::Tcp(host)] => host.trim_matches(['[', ']']).to_owned(),
            #[cfg(unix)]
            [Host::Unix(folder)] => folder.to_string_lossy().into_owned(),
            _ => return Err(bad("does not name exactly one host")),
        };
        let security = Security::decide(config.tls, config.tls_ca.as_deref(), &host)?;
        Ok(Self {
            source: source.to_owned(),
            port: parsed.get_ports().first().copied().unwrap_or(5432),
            user: parsed.get_user().ok_or_else(|| bad("names no user"))?.to_owned(),
            database: parsed.get_dbname().ok_or_else(|| bad("names no database"))?.to_owned(),
            // The server cuts it at 63 bytes by itself.
            application: format!("trueup {source}"),
            password: config.password.clone(),
            security,
            host,
        })
    }

    /// Opens a session for catalog queries and copies.
    ///
    /// # Errors
    /// The server cannot be reached or does not let us in; the hint says what to do.
    pub(crate) async fn connect(&self) -> Result<Client> {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .user(&self.user)
            .dbname(&self.database)
            .application_name(&self.application)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(Duration::from_secs(60))
            .options(format!("{PINNED_SETTINGS}{PATIENCE}"))
            .ssl_mode(match self.security {
                Security::Plain => tokio_postgres::config::SslMode::Disable,
                _ => tokio_postgres::config::SslMode::Require,
            });
        if let Some(password) = &self.password {
            config.password(password.read()?);
        }
        let failed = |error| self.refused(error);
        match self.security.client_config()? {
            None => {
                let (client, connection) =
                    config.connect(tokio_postgres::NoTls).await.map_err(failed)?;
                tokio::spawn(drive(connection));
                Ok(client)
            }
            Some(tls) => {
                let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
                let (client, connection) = config.connect(tls).await.map_err(failed)?;
                tokio::spawn(drive(connection));
                Ok(client)
            }
        }
    }

    /// Settings for the log's own connection; `start` is also what is reported as durable until
    /// more is, so it must be in the ledger.
    ///
    /// # Errors
    /// The password cannot be read.
    pub(crate) fn replication(
        &self,
        slot: &str,
        publication: &str,
        start: u64,
    ) -> Result<ReplicationConfig> {
        let password = self.password.as_ref().map_or_else(|| Ok(String::new()), Secret::read)?;
        let tls = match &self.security {
            Security::Plain => TlsConfig::disabled(),
            Security::Encrypted => TlsConfig::require(),
            Security::Verified { authorities } => TlsConfig {
                mode: SslMode::VerifyFull,
                ca_pem_path: Some(authorities.clone()),
                // Named, because the client refuses bare addresses otherwise; certificates
                // may carry addresses too.
                sni_hostname: Some(self.host.clone()),
                ..TlsConfig::default()
            },
        };
        let config = ReplicationConfig::new(
            &self.host,
            &self.user,
            password,
            &self.database,
            slot,
            publication,
        );
        Ok(config
            .with_port(self.port)
            .with_tls(tls)
            .with_start_lsn(Lsn::from_u64(start))
            .with_options(PINNED_SETTINGS)
            .with_application_name(&self.application)
            .with_status_interval(FEEDBACK_INTERVAL)
            .with_buffer_size(BUFFERED_MESSAGES_MAX))
    }

    /// Waits for the log's connection as long as for any other.
    ///
    /// # Errors
    /// As [`Place::connect`].
    pub(crate) async fn within_connect_timeout<T>(
        &self,
        work: impl Future<Output = std::result::Result<T, PgWireError>>,
    ) -> Result<T> {
        match tokio::time::timeout(CONNECT_TIMEOUT, work).await {
            Ok(done) => done.map_err(|error| log_error(&error, || format!("log of {self}"))),
            Err(_) => Err(Error::new(
                ErrorKind::Unreachable,
                format!("{self} did not open its log within {} s", CONNECT_TIMEOUT.as_secs()),
            )),
        }
    }

    fn refused(&self, error: tokio_postgres::Error) -> Error {
        let what = format!("could not connect to {self}");
        let Some(code) = error.code() else {
            let unreachable = Error::new(ErrorKind::Unreachable, what);
            return match self.security {
                Security::Plain => unreachable.hint(format!(
                    "see that PostgreSQL runs and listens on {}:{}",
                    self.host, self.port
                )),
                _ => unreachable.hint(
                    "see that PostgreSQL runs, offers TLS (ssl = on) and that \
                    its certificate is signed by an authority in tls_ca and names this host",
                ),
            }
            .caused_by(error);
        };
        let hint = match code.code() {
            "28P01" => Some(format!("set the password of source role \"{}\" right", self.user)),
            "28000" => Some(format!(
                "let role \"{}\" in from this host: a line in pg_hba.conf (hostssl {} {} \
                    <address> scram-sha-256), then SELECT pg_reload_conf()",
                self.user, self.database, self.user
            )),
            "3D000" => Some(format!("create database \"{}\" or name the right one", self.database)),
            _ => None,
        };
        let mapped = Error::new(kind_of(code), what).caused_by(Said::from(error));
        match hint {
            Some(hint) => mapped.hint(hint),
            None => mapped,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

/// Brings a failed statement to our error type: what the server says, without its details, which
/// may quote rows.
pub(crate) trait Asked<T> {
    /// `what`: what was asked, lowercase.
    ///
    /// # Errors
    /// The failure, classed by its SQLSTATE.
    fn asking(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Asked<T> for std::result::Result<T, tokio_postgres::Error> {
    fn asking(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| {
            let kind = error.code().map_or(ErrorKind::Unreachable, kind_of);
            Error::new(kind, what()).caused_by(Said::from(error))
        })
    }
}

/// Brings a failure of the log's connection to our error type. The client knows the SQLSTATE as
/// text only.
pub(crate) fn log_error(error: &PgWireError, what: impl FnOnce() -> String) -> Error {
    let text = error.to_string();
    let state = text.rsplit_once("(SQLSTATE ").and_then(|(_, rest)| rest.get(..5));
    let mapped = match (error, state) {
        (_, Some(state)) => Error::new(kind_of(&SqlState::from_code(state)), what()),
        (PgWireError::Auth(reason), _) if reason.ends_with("code: 5") => {
            Error::new(ErrorKind::Setup, what()).hint(
                "store the role's password for SCRAM: SET password_encryption = 'scram-sha-256'; \
                    ALTER ROLE … PASSWORD '…'",
            )
        }
        (PgWireError::Auth(_), _) => Error::new(ErrorKind::Setup, what()),
        _ => Error::new(ErrorKind::Unreachable, what()),
    };
    mapped.caused_by(text)
}

/// Trying again may help with what is about connections, resources, locks, shutdowns and
/// interrupts; a person must act on everything else.
fn kind_of(code: &SqlState) -> ErrorKind {
    let code = code.code();
    let passing = ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class));
    if passing || code == "55P03" || code == "25P03" {
        ErrorKind::Unreachable
    } else {
        ErrorKind::Setup
    }
}

/// What the server said, without DETAIL and HINT.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

impl From<tokio_postgres::Error> for Said {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => Said(format!("{} (SQLSTATE {})", said.message(), said.code().code())),
            None => {
                let cause = error.into_source().map(|cause| format!(": {cause}"));
                Said(format!("the connection broke{}", cause.unwrap_or_default()))
            }
        }
    }
}

/// Runs a connection until it ends; whoever uses its client sees the failure there.
async fn drive<F>(connection: F)
where
    F: Future<Output = std::result::Result<(), tokio_postgres::Error>>,
{
    if let Err(error) = connection.await {
        tracing::debug!(%error, "source connection ended");
    }
}

/// Reads an LSN out of a catalog answer.
///
/// # Errors
/// [`ErrorKind::Decode`] if it is not one.
pub(crate) fn lsn(text: &str) -> Result<u64> {
    crate::change::position::parse_lsn(text)
        .ok_or_else(|| format!("`{text}` is not an LSN"))
        .context(ErrorKind::Decode, || "the server's answer could not be read".to_owned())
}
