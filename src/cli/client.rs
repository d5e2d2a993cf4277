//! The other end of the daemon's HTTP API.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Config;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::serve::http::Refusal;

/// A daemon that may be there.
pub(super) struct Daemon {
    address: SocketAddr,
    client: reqwest::Client,
}

impl Daemon {
    /// The daemon of this configuration; `seconds_max` bounds each request.
    pub(super) fn new(config: &Config, seconds_max: u64) -> Result<Self> {
        let client = reqwest::Client::builder()
            // The daemon is on this machine; a proxy is not.
            .no_proxy()
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(seconds_max))
            .build()
            .context(ErrorKind::Bug, || "could not make an HTTP client".to_owned())?;
        Ok(Self { address: reachable(config.daemon.http_listen), client })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let request = self.client.get(self.url(path));
        self.answer(request).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        let request = self.client.post(self.url(path)).json(body);
        self.answer(request).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn answer<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T> {
        let address = self.address;
        let silent = || format!("no daemon answers on {address}");
        let response = request
            .send()
            .await
            .context(ErrorKind::Unreachable, silent)
            .map_err(|error| error.hint("start it with `trueup run`"))?;
        let status = response.status();
        let body = response.bytes().await.context(ErrorKind::Unreachable, silent)?;
        if !status.is_success() {
            return Err(refusal(address, status, &body));
        }
        serde_json::from_slice(&body).context(ErrorKind::Unreachable, || {
            format!("what answers on {address} is not a trueup of this version")
        })
    }
}

fn refusal(address: SocketAddr, status: reqwest::StatusCode, body: &[u8]) -> Error {
    let kind = if status.is_client_error() { ErrorKind::Rejected } else { ErrorKind::Unreachable };
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { error, hint: Some(hint) }) => Error::new(kind, error).hint(hint),
        Ok(Refusal { error, hint: None }) => Error::new(kind, error),
        Err(_) => Error::new(ErrorKind::Unreachable, format!("{address} answers {status}"))
            .hint("look whether another program listens there"),
    }
}

/// Listening on all addresses includes loopback; `0.0.0.0` itself is no address to call.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
