//! Encryption to the target: on where it must be, and only to the server that was meant.
//!
//! `tls/` holds an authority and a certificate for `localhost` made by `openssl` for this test
//! alone, valid until 2100; the authority's key was thrown away.

use trueup::config::{TargetConfig, Tls};
use trueup::demo::servers::{Options, PostgresServer};
use trueup::error::ErrorKind;

use super::rig::{claim, target};

/// Writes a file into the server's data folder, as the server's user and for it alone.
fn install(server: &PostgresServer, name: &str, text: &str) {
    let lines = format!("SELECT unnest(string_to_array('{}', E'\\n'))", text.trim());
    let copy = format!("COPY ({lines}) TO PROGRAM 'umask 077; cat > {name}'");
    server.sql("postgres", &copy).unwrap();
}

fn config(server: &PostgresServer, host: &str, folder: &std::path::Path) -> TargetConfig {
    let secret = folder.join("password");
    std::fs::write(&secret, server.password()).unwrap();
    let text = format!(
        "[target.psa]\nkind = \"postgres\"\nurl = \"postgres://postgres@{host}:{}/postgres\"\n\
         password = \"${{file:{}}}\"\n",
        server.port(),
        secret.display()
    );
    trueup::config::parse(&text).unwrap().target["psa"].clone()
}

#[tokio::test]
async fn a_connection_is_encrypted_to_the_right_server_or_refused() {
    let server = PostgresServer::start(&Options::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, include_str!("tls/ca.pem")).unwrap();
    let config_for = |host: &str, tls, with_authority: bool| {
        let mut config = config(&server, host, folder.path());
        config.tls = tls;
        config.tls_ca = with_authority.then(|| authority.clone());
        config
    };

    // GIVEN a server without TLS, THEN asking for it fails instead of falling back.
    let opened =
        target(&config_for("localhost", Tls::Require, false)).unwrap().open(&claim(1)).await;
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.chain().contains("does not support TLS"), "{}", error.chain());

    install(&server, "server.crt", include_str!("tls/server.pem"));
    install(&server, "server.key", include_str!("tls/server.key"));
    server.sql("postgres", "ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf();").unwrap();

    let mut epoch = 0;
    for (host, tls, with_authority, encrypted) in [
        ("localhost", Tls::Auto, false, Some("f")),
        ("localhost", Tls::Disable, false, Some("f")),
        ("localhost", Tls::Require, false, Some("t")),
        ("127.0.0.1", Tls::Require, false, Some("t")),
        ("localhost", Tls::VerifyFull, true, Some("t")),
        // Nobody we trust has signed it; it is somebody else's name.
        ("localhost", Tls::VerifyFull, false, None),
        ("127.0.0.1", Tls::VerifyFull, true, None),
    ] {
        epoch += 1;
        let mut target = target(&config_for(host, tls, with_authority)).unwrap();
        let opened = target.open(&claim(epoch)).await;
        let case = format!("{host} {tls:?} {with_authority}: {opened:?}");
        match encrypted {
            None => assert!(opened.unwrap_err().chain().contains("ertificate"), "{case}"),
            Some(encrypted) => {
                assert!(opened.is_ok(), "{case}");
                let sql = "SELECT ssl FROM pg_stat_ssl JOIN _trueup.cursor ON pid = backend";
                assert_eq!(server.sql("postgres", sql).unwrap().trim(), encrypted, "{case}");
            }
        }
    }
}
