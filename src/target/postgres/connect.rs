//! Reaching a PostgreSQL target: its URL, password and transport, and the session's settings.
//!
//! It neither retries nor looks at tables.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, Socket};

use super::refusal::{failure, with_causes};
use crate::config::{Secret, TargetConfig, Tls};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::tls::postgres_connector;

/// Longer than any healthy network needs, short enough to be tried again within a minute.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A dead peer is noticed after `KEEPALIVE_IDLE` and three probes `KEEPALIVE_INTERVAL` apart.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

/// Everything needed to connect, but for the secret itself.
#[derive(Debug, Clone)]
pub(super) struct Address {
    target: String,
    config: Config,
    password: Option<Secret>,
    tls: Tls,
    tls_ca: Option<PathBuf>,
}

impl Address {
    pub(super) fn new(target: &str, config: &TargetConfig) -> Result<Self> {
        let unusable = || format!("the url of target `{target}` is not usable");
        let example = "write postgres://user@host:5432/database";
        let mut parsed = Config::from_str(&config.url)
            .context(ErrorKind::Config, unusable)
            .map_err(|error| error.hint(example))?;
        if parsed.get_password().is_some() {
            let what = format!("the url of target `{target}` holds a password");
            return Err(Error::new(ErrorKind::Config, what)
                .hint("remove it from the url and set password = \"${file:PATH}\""));
        }
        if parsed.get_hosts().is_empty() {
            return Err(Error::new(ErrorKind::Config, unusable()).hint(example));
        }
        parsed
            .application_name("trueup")
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(KEEPALIVE_IDLE + KEEPALIVE_INTERVAL * KEEPALIVE_RETRIES);
        Ok(Self {
            target: target.to_owned(),
            config: parsed,
            password: config.password.clone(),
            tls: config.tls,
            tls_ca: config.tls_ca.clone(),
        })
    }

    /// Opens a session with our settings. The password is read anew, so that a rotated one is
    /// found by trying again.
    pub(super) async fn connect(&self) -> Result<Client> {
        let mut config = self.config.clone();
        if let Some(password) = &self.password {
            config.password(password.read()?);
        }
        let connector = postgres_connector(self.tls, self.tls_ca.as_deref(), &self.host())?;
        let client = match connector {
            None => self.session(config.ssl_mode(SslMode::Disable), NoTls).await?,
            Some(connector) => self.session(config.ssl_mode(SslMode::Require), connector).await?,
        };
        client
            .batch_execute(include_str!("../../../sql/target/postgres/session.sql"))
            .await
            .map_err(|error| self.failed("could not set up the session", &error))?;
        Ok(client)
    }

    /// An error of this target's connection, without row values. `what` says what failed.
    pub(super) fn failed(&self, what: &str, error: &tokio_postgres::Error) -> Error {
        failure(format!("{what} on target `{}`", self.target), error)
    }

    async fn session<T>(&self, config: &Config, transport: T) -> Result<Client>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let connected = config.connect(transport).await;
        let (client, connection) = connected.map_err(|error| self.unconnected(&error))?;
        // It ends when the client is dropped. Its error also reaches whoever uses the client.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %with_causes(&error), "target connection ended");
            }
        });
        Ok(client)
    }

    fn unconnected(&self, error: &tokio_postgres::Error) -> Error {
        if error.as_db_error().is_some() {
            return self.failed("could not log in", error);
        }
        let (what, cause) =
            (format!("could not connect to target `{}`", self.target), with_causes(error));
        // The client gives this no kind of its own.
        if self.password.is_none() && cause.contains("password missing") {
            return Error::new(ErrorKind::Setup, what)
                .caused_by("the server asks for a password")
                .hint("set password = \"${file:PATH}\" for this target");
        }
        Error::new(ErrorKind::Unreachable, what).caused_by(cause)
    }

    /// The host that decides about encryption: of several, the one that needs it most.
    fn host(&self) -> String {
        let name = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let mut hosts = self.config.get_hosts().iter().map(name);
        let first = hosts.next().unwrap_or_default();
        let is_remote =
            |host: &String| crate::tls::protection(self.tls, host) != crate::tls::Protection::Off;
        if is_remote(&first) { first } else { hosts.find(is_remote).unwrap_or(first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<Address> {
        let text = format!("[target.psa]\nkind = \"postgres\"\nurl = \"{url}\"\n");
        Address::new("psa", &crate::config::parse(&text)?.target["psa"])
    }

    #[test]
    fn unusable_urls_are_refused_with_a_remedy() {
        for url in ["nonsense", "postgres://u@host:99999999/db", "postgres:///db"] {
            let error = address(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(error.remedy().is_some(), "{url}");
        }
        let error = address("postgres://u:geheim@host/db").unwrap_err();
        assert!(error.to_string().contains("holds a password"));
        assert!(!format!("{error:?}{}", error.chain()).contains("geheim"));
    }

    #[test]
    fn one_remote_host_among_local_ones_decides_about_encryption() {
        assert_eq!(address("postgres://u@localhost,db.example/x").unwrap().host(), "db.example");
        assert_eq!(address("postgres://u@127.0.0.1,localhost/x").unwrap().host(), "127.0.0.1");
    }
}
