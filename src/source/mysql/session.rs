//! Connections to a MariaDB or MySQL source: address, transport security, the pinned session, errors; and
//! beside the address which columns are read there.
//!
//! It knows nothing of tables or logs. Secrets are read when a connection is made, so that a
//! changed password needs no restart.

use std::path::PathBuf;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Opts, OptsBuilder, SslOpts, UrlError};

use super::dialect::Dialect;
use crate::config::{Secret, SourceConfig, Tls};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::source::choice::Choice;
use crate::tls::{Protection, protection};

/// The largest event a server ever sends (`slave_max_allowed_packet` at its maximum).
const PACKET_BYTES_MAX: usize = 1 << 30;
/// How long the server keeps an idle session of ours.
const IDLE_SECS_MAX: usize = 28_800;

/// Where and how to connect.
#[derive(Debug, Clone)]
pub(super) struct Address {
    source: String,
    dialect: Dialect,
    opts: Opts,
    password: Option<Secret>,
    tls: Tls,
    tls_ca: Option<PathBuf>,
    choice: Choice,
}

impl Address {
    /// Reads the URL; connects to nothing.
    pub(super) fn new(source: &str, config: &SourceConfig) -> Result<Self> {
        let bad = |error: UrlError| {
            Error::new(ErrorKind::Config, format!("the url of source `{source}` is not usable"))
                .caused_by(error)
                .hint("write mysql://user@host:3306/database")
        };
        let opts = Opts::from_url(&config.url).map_err(bad)?;
        let problem = match (opts.pass(), opts.db_name(), opts.user()) {
            (Some(_), _, _) => Some("holds a password; set password = \"${file:PATH}\" instead"),
            (_, None, _) => Some("names no database"),
            (_, _, None) => Some("names no user"),
            _ => None,
        };
        if let Some(problem) = problem {
            let what = format!("the url of source `{source}` {problem}");
            return Err(
                Error::new(ErrorKind::Config, what).hint("write mysql://user@host:3306/database")
            );
        }
        let database = opts.db_name().unwrap_or_default();
        Ok(Self {
            choice: Choice::of(source, database, config),
            source: source.to_owned(),
            dialect: Dialect::of(config.kind),
            opts,
            password: config.password.clone(),
            tls: config.tls,
            tls_ca: config.tls_ca.clone(),
        })
    }

    /// The database of the URL.
    pub(super) fn database(&self) -> &str {
        self.opts.db_name().unwrap_or_default()
    }

    /// What of its tables is mirrored.
    pub(super) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// What the server is, by the configuration.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The source's name in the configuration.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Connects and pins the session.
    pub(super) async fn connect(&self) -> Result<Conn> {
        self.connect_with(self.dialect.session().split(";\n").collect()).await
    }

    /// What the server is, whatever the configuration says.
    pub(super) async fn actual_dialect(&self) -> Result<Dialect> {
        let mut connection = self.connect_with(Vec::new()).await?;
        let explain = |error| self.explain(error, "could not read the server's version");
        let version: Option<String> =
            connection.query_first("SELECT VERSION()").await.map_err(explain)?;
        connection.disconnect().await.unwrap_or_default();
        let is_mariadb = version.is_some_and(|version| version.contains("MariaDB"));
        Ok(if is_mariadb { Dialect::Mariadb } else { Dialect::Mysql })
    }

    async fn connect_with(&self, setup: Vec<&str>) -> Result<Conn> {
        let password = self.password.as_ref().map(Secret::read).transpose()?;
        let opts = OptsBuilder::from_opts(self.opts.clone())
            .pass(password)
            .prefer_socket(false)
            .tcp_nodelay(true)
            .max_allowed_packet(Some(PACKET_BYTES_MAX))
            .wait_timeout(Some(IDLE_SECS_MAX))
            .ssl_opts(self.ssl()?)
            .setup(setup);
        Conn::new(opts).await.map_err(|error| {
            let host = self.opts.ip_or_hostname();
            let port = self.opts.tcp_port();
            let name = self.dialect.name();
            self.explain(error, format!("could not connect to {name} at {host}:{port}"))
        })
    }

    fn ssl(&self) -> Result<Option<SslOpts>> {
        // The client takes the process's provider, and more than one is compiled in. Whoever
        // was first has chosen the same.
        rustls::crypto::ring::default_provider().install_default().ok();
        let opts = SslOpts::default();
        Ok(match protection(self.tls, self.opts.ip_or_hostname()) {
            Protection::Off => None,
            // The client wants authorities even where it asks none of them.
            Protection::Encrypted => Some(
                opts.with_danger_accept_invalid_certs(true)
                    .with_danger_skip_domain_validation(true),
            ),
            Protection::Verified => {
                let authorities = self.authorities()?.into_iter().map(Into::into).collect();
                Some(opts.with_disable_built_in_roots(true).with_root_certs(authorities))
            }
        })
    }

    /// Certificates, each as PEM or DER.
    fn authorities(&self) -> Result<Vec<Vec<u8>>> {
        if let Some(path) = &self.tls_ca {
            let pem = std::fs::read(path).context(ErrorKind::Config, || {
                format!("could not read certificate authorities from {}", path.display())
            })?;
            return Ok(vec![pem]);
        }
        // A few unreadable system certificates are normal; the client would stumble over them.
        let mut readable = rustls::RootCertStore::empty();
        let mut system = rustls_native_certs::load_native_certs().certs;
        system.retain(|certificate| readable.add(certificate.clone()).is_ok());
        if system.is_empty() {
            let what = "this system has no trusted certificate authorities";
            let hint = "install the ca-certificates package, or set tls_ca to a PEM file";
            return Err(Error::new(ErrorKind::Config, what).hint(hint));
        }
        Ok(system.iter().map(|certificate| certificate.to_vec()).collect())
    }

    /// A failure of the client or the server, classed, with the remedy where we know one.
    pub(super) fn explain(&self, error: mysql_async::Error, what: impl Into<String>) -> Error {
        let (kind, hint) = class(&error);
        let what = format!("{} (source `{}`)", what.into(), self.source);
        let explained = Error::new(kind, what).caused_by(error);
        match hint {
            Some(hint) => explained.hint(hint),
            None => explained,
        }
    }
}

fn class(error: &mysql_async::Error) -> (ErrorKind, Option<&'static str>) {
    use mysql_async::Error::{Driver, Io, Server};
    const TLS: &str = "set tls_ca to the PEM file of the server's authority, or tls = \"require\"";
    match error {
        Io(mysql_async::IoError::Tls(_)) => (ErrorKind::Setup, Some(TLS)),
        Io(mysql_async::IoError::Io(error)) if is_about_tls(error) => (ErrorKind::Setup, Some(TLS)),
        Server(server) => match server.code {
            // ER_ACCESS_DENIED_ERROR and its cousins.
            1045 | 1698 => (ErrorKind::Setup, Some("correct user and password of the source")),
            1044 | 1142 | 1143 | 1227 => {
                (ErrorKind::Setup, Some("run `trueup check`: it lists the grants that are missing"))
            }
            // ER_UNKNOWN_SYSTEM_VARIABLE, from the statement that pins the session.
            1193 => (
                ErrorKind::Setup,
                Some(
                    "the server must be MariaDB 10.6 or later with kind = \"mariadb\", or MySQL 8.0 or \
                     later with kind = \"mysql\"",
                ),
            ),
            1049 => (ErrorKind::Setup, Some("name an existing database in the source's url")),
            // The binlog's reader fails for many reasons; the lost position is the grave one.
            1236 if is_without_gtid(error) && server.message.contains("AUTO_POSITION") => (
                ErrorKind::Gap,
                Some("the log holds transactions without GTIDs: copy the source again"),
            ),
            // Followed by file and position, it could be read; the server does not send it in this mode.
            1236 if is_without_gtid(error) => (
                ErrorKind::Setup,
                Some(
                    "SET GLOBAL gtid_mode = ON_PERMISSIVE until this part of the log is read, then ON again",
                ),
            ),
            // (Asked again, the server's settings say it better.)
            1236 if server.message.contains("AUTO_POSITION mode") => (ErrorKind::Unreachable, None),
            1236 if is_lost_position(&server.message) => (
                ErrorKind::Gap,
                Some("the server no longer has the log we need: copy the source again"),
            ),
            1236 => (ErrorKind::Unreachable, None),
            // Shutdown, too many connections, killed, lock or statement timeouts.
            1040 | 1053 | 1077 | 1158..=1161 | 1203 | 1205 | 1226 | 1317 | 1927 | 1969 => {
                (ErrorKind::Unreachable, None)
            }
            _ => (ErrorKind::Setup, None),
        },
        Driver(DriverError::NoClientSslFlagFromServer) => (
            ErrorKind::Setup,
            Some("give the server a certificate (ssl_cert, ssl_key), or set tls = \"disable\""),
        ),
        _ => (ErrorKind::Unreachable, None),
    }
}

/// True if the two sides could not agree on trust, which no patience mends.
fn is_about_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| {
        inner.is::<rustls::Error>()
            || inner.downcast_ref::<std::io::Error>().is_some_and(is_about_tls)
    })
}

/// True if the server refuses to send a transaction because it has no GTID.
pub(super) fn is_without_gtid(error: &mysql_async::Error) -> bool {
    let says = |message: &str| message.contains("anonymous transaction");
    matches!(error, mysql_async::Error::Server(error) if error.code == 1236 && says(&error.message))
}

/// True if the server says that our position is not in its log.
fn is_lost_position(message: &str) -> bool {
    [
        "GTID",
        "purged",
        "not in the master's binlog",
        "Could not find first log",
        "impossible position",
    ]
    .iter()
    .any(|sign| message.contains(sign))
}

/// A value read from `SHOW` output by name.
pub(super) async fn named_values(
    address: &Address,
    connection: &mut Conn,
    statement: &str,
) -> Result<std::collections::HashMap<String, String>> {
    let rows: Vec<(String, String)> = connection
        .query(statement)
        .await
        .map_err(|error| address.explain(error, "could not read the server's settings"))?;
    Ok(rows.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect())
}
