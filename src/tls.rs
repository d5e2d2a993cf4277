//! Transport security shared by sources and targets: when a connection is encrypted, and which
//! certificates are trusted.
//!
//! It opens no connection; each client library is handed what is built here.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::Tls;
use crate::error::{Context, Error, ErrorKind, Result};

/// What a configured [`Tls`] means for one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// In the clear.
    Off,
    /// Encrypted, the certificate not judged: safe from listeners, not from impostors.
    Encrypted,
    /// Encrypted, certificate and host name verified.
    Verified,
}

/// Decides by mode and host. `host` is a name, an address, or the folder of a Unix socket.
#[must_use]
pub fn protection(tls: Tls, host: &str) -> Protection {
    match tls {
        Tls::Auto if is_local(host) => Protection::Off,
        Tls::Disable => Protection::Off,
        Tls::Require => Protection::Encrypted,
        Tls::Auto | Tls::VerifyFull => Protection::Verified,
    }
}

/// The rustls side of a connection to `host`; `None` for one in the clear. `ca` is a PEM file of
/// authorities to trust instead of the system's.
///
/// # Errors
/// [`ErrorKind::Config`] if `ca` cannot be read or holds no certificate, or if there is no `ca`
/// and the system trusts nobody.
pub fn client_config(tls: Tls, ca: Option<&Path>, host: &str) -> Result<Option<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .context(ErrorKind::Bug, || "could not set up tls".to_owned())?;
    let config = match protection(tls, host) {
        Protection::Off => return Ok(None),
        Protection::Encrypted => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate::new(&provider)))
            .with_no_client_auth(),
        Protection::Verified => {
            builder.with_root_certificates(authorities(ca)?).with_no_client_auth()
        }
    };
    Ok(Some(config))
}

/// The same for `tokio-postgres`. Whoever gets `Some` must also set `SslMode::Require`, because
/// the library's default falls back to the clear.
///
/// # Errors
/// As [`client_config`].
pub fn postgres_connector(
    tls: Tls,
    ca: Option<&Path>,
    host: &str,
) -> Result<Option<MakeRustlsConnect>> {
    Ok(client_config(tls, ca, host)?.map(MakeRustlsConnect::new))
}

/// The rustls side of a listener: a certificate, those that vouch for it, and its key, as PEM files.
///
/// # Errors
/// [`ErrorKind::Config`] if a file cannot be read or the two do not belong together.
pub fn server_config(certificate: &Path, key: &Path) -> Result<ServerConfig> {
    let unusable = |path: &Path| format!("could not use {} for tls", path.display());
    let read =
        || CertificateDer::pem_file_iter(certificate)?.collect::<std::result::Result<_, _>>();
    let chain: Vec<CertificateDer<'static>> =
        read().context(ErrorKind::Config, || unusable(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).context(ErrorKind::Config, || unusable(key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context(ErrorKind::Bug, || "could not set up tls".to_owned())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context(ErrorKind::Config, || unusable(certificate))?;
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

/// True for hosts whose traffic does not leave the machine.
fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn authorities(ca: Option<&Path>) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let Some(path) = ca else {
        // A few unreadable system certificates are normal; none at all is not.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            let what = "this system has no trusted certificate authorities";
            let hint = "install the ca-certificates package, or set tls_ca to a PEM file";
            return Err(Error::new(ErrorKind::Config, what).hint(hint));
        }
        return Ok(store);
    };
    let unusable = || format!("could not read certificate authorities from {}", path.display());
    for certificate in CertificateDer::pem_file_iter(path).context(ErrorKind::Config, unusable)? {
        let certificate = certificate.context(ErrorKind::Config, unusable)?;
        store.add(certificate).context(ErrorKind::Config, unusable)?;
    }
    if store.is_empty() {
        let what = format!("{} holds no certificate", path.display());
        return Err(Error::new(ErrorKind::Config, what).hint("set tls_ca to a PEM file"));
    }
    Ok(store)
}

/// Accepts every certificate, but still checks that the server holds its key.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyCertificate {
    fn new(provider: &CryptoProvider) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_in_the_clear_only_on_this_machine() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "/run/pg"]
        {
            assert_eq!(protection(Tls::Auto, host), Protection::Off, "{host}");
        }
        for host in ["db", "10.0.0.1", "localhost.example", "127.0.0.1.example", "::2", ""] {
            assert_eq!(protection(Tls::Auto, host), Protection::Verified, "{host}");
        }
        assert_eq!(protection(Tls::Disable, "db"), Protection::Off);
        assert_eq!(protection(Tls::Require, "localhost"), Protection::Encrypted);
        assert_eq!(protection(Tls::VerifyFull, "localhost"), Protection::Verified);
    }

    #[test]
    fn an_unusable_authority_file_is_an_error_and_never_the_systems_trust() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "no certificate in here\n").unwrap();
        for path in [empty, folder.path().join("missing.pem")] {
            let error = client_config(Tls::VerifyFull, Some(&path), "db").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.chain().contains(&path.display().to_string()), "{}", error.chain());
        }
        assert!(client_config(Tls::Require, None, "db").unwrap().is_some());
        assert!(client_config(Tls::Auto, None, "localhost").unwrap().is_none());
    }
}
