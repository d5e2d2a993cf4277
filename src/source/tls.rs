//! Transport security shared by all source connections: when it is on, and who is trusted.
//!
//! It opens no connection. Control and log connections of one source must trust the same
//! authorities, and one of the clients only takes a file, so trust is always a PEM file: the
//! configured one, or the bundle of the system.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::config::Tls;
use crate::error::{Context, Error, ErrorKind, Result};

/// How one connection is secured, with nothing left to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// In the clear.
    Plain,
    /// Encrypted; whoever answers is believed.
    Encrypted,
    /// Encrypted; the certificate must be signed by an authority of this PEM file and carry the
    /// host's name.
    Verified {
        /// The PEM file of authorities.
        authorities: PathBuf,
    },
}

impl Security {
    /// Decides for a connection to `host`. A path (a Unix socket) counts as loopback.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if certificates are to be verified and no authorities are found.
    pub fn decide(tls: Tls, authorities: Option<&Path>, host: &str) -> Result<Self> {
        match tls {
            Tls::Disable => Ok(Security::Plain),
            Tls::Auto if is_loopback(host) => Ok(Security::Plain),
            Tls::Require => Ok(Security::Encrypted),
            Tls::Auto | Tls::VerifyFull => {
                let authorities = match authorities {
                    Some(path) => path.to_owned(),
                    None => system_authorities()?,
                };
                Ok(Security::Verified { authorities })
            }
        }
    }

    /// The rustls settings for it; `None` in the clear.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the authorities cannot be read.
    pub fn client_config(&self) -> Result<Option<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .context(ErrorKind::Bug, || "could not set up TLS".to_owned())?;
        let config = match self {
            Security::Plain => return Ok(None),
            Security::Encrypted => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(BelieveAnyone { provider })),
            Security::Verified { authorities } => {
                builder.with_root_certificates(read_authorities(authorities)?)
            }
        };
        Ok(Some(config.with_no_client_auth()))
    }
}

/// True for names and addresses that do not leave this machine.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Where the distributions keep their bundle, most common first.
const SYSTEM_AUTHORITIES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

fn system_authorities() -> Result<PathBuf> {
    let found = std::env::var_os("SSL_CERT_FILE")
        .map(PathBuf::from)
        .or_else(|| SYSTEM_AUTHORITIES.iter().map(PathBuf::from).find(|path| path.is_file()));
    found.ok_or_else(|| {
        Error::new(ErrorKind::Config, "no certificate authorities found on this system").hint(
            "set tls_ca to a PEM file with the authority that signed the server's \
                certificate, or tls = \"require\" to encrypt without verifying",
        )
    })
}

fn read_authorities(path: &Path) -> Result<RootCertStore> {
    let unreadable = || format!("could not read certificate authorities from {}", path.display());
    let certificates = CertificateDer::pem_file_iter(path)
        .context(ErrorKind::Config, unreadable)?
        .collect::<std::result::Result<Vec<_>, _>>()
        .context(ErrorKind::Config, unreadable)?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        let what = format!("no certificate authority found in {}", path.display());
        return Err(Error::new(ErrorKind::Config, what)
            .hint("point tls_ca at a PEM file with at least one CERTIFICATE block"));
    }
    Ok(roots)
}

/// The verifier of `tls = "require"`: proves possession of a key, not whose it is.
#[derive(Debug)]
struct BelieveAnyone {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for BelieveAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_verifies_everything_that_leaves_the_machine() {
        let authorities = Path::new("/some/ca.pem");
        let decide = |tls, host| Security::decide(tls, Some(authorities), host).unwrap();
        let verified = Security::Verified { authorities: authorities.to_owned() };
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "/run/postgresql"] {
            assert_eq!(decide(Tls::Auto, host), Security::Plain, "{host}");
            assert_eq!(decide(Tls::VerifyFull, host), verified, "{host}");
        }
        for host in ["erp-db", "10.0.0.1", "localhost.example"] {
            assert_eq!(decide(Tls::Auto, host), verified, "{host}");
            assert_eq!(decide(Tls::Require, host), Security::Encrypted, "{host}");
            assert_eq!(decide(Tls::Disable, host), Security::Plain, "{host}");
        }
    }

    #[test]
    fn a_file_without_authorities_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty.pem");
        std::fs::write(&path, "nothing here\n").unwrap();
        let security = Security::Verified { authorities: path };
        let error = security.client_config().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.remedy().unwrap().contains("tls_ca"));
    }
}
