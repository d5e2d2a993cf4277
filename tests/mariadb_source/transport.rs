//! TLS to a real server, and passwords that are wrong.

use std::path::Path;
use std::process::Command;

use trueup::config::Tls;
use trueup::demo::servers::{MariadbServer, Options};
use trueup::error::ErrorKind;
use trueup::source::mysql::Mysql;

use super::harness::{Log, config};
use crate::support::require::require;
use crate::support::servers::{mariadb, mariadb_database};

/// An authority, and a certificate of it for `localhost`, made by the system's openssl.
const CERTIFICATES: &str = "
set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj '/CN=a test authority' -keyout ca.key -out ca.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj '/CN=localhost' -keyout server.key -out server.csr
printf 'subjectAltName=DNS:localhost\\nbasicConstraints=CA:FALSE\\n' > leaf.cnf
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
    -extfile leaf.cnf -out server.crt
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
    -subj '/CN=somebody else' -keyout other.key -out other.pem
chmod 644 server.key
";

fn secured(folder: &Path) -> MariadbServer {
    let made = Command::new("sh").args(["-c", CERTIFICATES]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // The server runs as another user.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder, open).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    let options = Options::default()
        .setting("ssl_cert", &path("server.crt"))
        .setting("ssl_key", &path("server.key"));
    let server = MariadbServer::start(&options).unwrap();
    server.create_database("secured").unwrap();
    server.sql("secured", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    server
}

#[tokio::test]
async fn connections_are_encrypted_and_nobody_is_believed_without_proof() {
    if !require("mariadb") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = secured(folder.path());
    let source = |host: &str, tls: Tls, authority: &str| {
        let mut config = config(&server, "secured", &["t"]);
        config.url = config.url.replace("127.0.0.1", host);
        config.tls = tls;
        config.tls_ca = Some(folder.path().join(authority));
        Mysql::new("hr", "test", &config).unwrap()
    };
    // GIVEN an account that must use TLS
    server.sql("", "ALTER USER root@'127.0.0.1' REQUIRE SSL").unwrap();
    let refused = source("127.0.0.1", Tls::Disable, "ca.pem").prepare(None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Setup, "{}", refused.chain());

    // THEN control and log connect when they may
    for (id, (host, tls, authority)) in
        [("127.0.0.1", Tls::Require, "other.pem"), ("localhost", Tls::VerifyFull, "ca.pem")]
            .into_iter()
            .enumerate()
    {
        let mut log = Log::start(&source(host, tls, authority)).await;
        let insert = format!("INSERT INTO t VALUES ({id})");
        let mut client = server.client("secured");
        let done = client.args(["--ssl", &format!("--execute={insert}")]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let mut whole = Vec::new();
        while whole.is_empty() {
            let captured = log.stream.next().await.unwrap();
            whole = log.take(captured).unwrap();
        }
    }
    // AND not when the certificate or the name is another's
    for (host, authority) in [("localhost", "other.pem"), ("127.0.0.1", "ca.pem")] {
        let error = source(host, Tls::VerifyFull, authority).prepare(None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setup, "{}", error.chain());
        assert!(error.chain().contains("certificate"), "{}", error.chain());
        assert!(error.remedy().unwrap().contains("tls_ca"));
    }
}

#[tokio::test]
async fn a_wrong_password_or_address_says_so() {
    if !require("mariadb") {
        return;
    }
    let database = mariadb_database("wrong");
    let with = |url: String| {
        let mut config = config(mariadb(), &database, &["t"]);
        config.url = url;
        Mysql::new("hr", "test", &config)
    };
    let url = mariadb().url(&database);
    let nobody = with(url.replace("root@", "nobody@")).unwrap().prepare(None).await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::Setup);
    assert!(nobody.remedy().unwrap().contains("password"));
    let port = format!(":{}", mariadb().port());
    let closed = with(url.replace(&port, ":1")).unwrap().prepare(None).await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Unreachable);
    assert!(closed.chain().contains("127.0.0.1:1"), "{}", closed.chain());
    let elsewhere = with(url.replace(&database, "nowhere")).unwrap().prepare(None).await;
    assert!(elsewhere.unwrap_err().remedy().unwrap().contains("database"));
    for bad in [url.replace("root@", "root:secret@"), "mysql://root@h".to_owned(), String::new()] {
        let error = with(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!format!("{} {:?}", error.chain(), error.remedy()).contains("secret"));
    }
}
