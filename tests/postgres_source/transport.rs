//! TLS to a real server: both connections encrypted, and nobody believed without proof.

use std::path::Path;
use std::process::Command;

use super::{Bench, Reader};
use trueup::config::Tls;
use trueup::demo::servers::Options;
use trueup::error::Result;
use trueup::source::Source;

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
";

fn shell(script: &str, folder: &Path) {
    let done = Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

struct Secured {
    bench: Bench,
}

impl Secured {
    fn new() -> Self {
        let bench = Bench::alone(&Options::default(), "CREATE TABLE t (id int PRIMARY KEY);");
        shell(CERTIFICATES, bench.folder.path());
        let data = bench.sql("SHOW data_directory");
        let install = format!(
            "set -e; cp server.crt server.key '{0}'; chmod 600 '{0}/server.key';
             chown --reference='{0}' '{0}/server.crt' '{0}/server.key'",
            data.trim()
        );
        shell(&install, bench.folder.path());
        bench.sql("ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf(); SELECT pg_sleep(0.5);");
        assert_eq!(bench.sql("SHOW ssl").trim(), "on");
        Self { bench }
    }

    fn source(&self, host: &str, tls: Tls, authority: &str) -> Result<Source> {
        let mut config = self.bench.config(&["t"]);
        config.url = config.url.replace("127.0.0.1", host);
        config.tls = tls;
        config.tls_ca = Some(self.bench.folder.path().join(authority));
        Source::new("erp", &self.bench.install, &config)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_connections_are_encrypted_and_the_name_is_proved() {
    let secured = Secured::new();
    let encrypted = "SELECT count(*) FILTER (WHERE ssl), count(*)
                     FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'trueup erp'";
    for (host, tls, is_encrypted) in [
        ("127.0.0.1", Tls::Require, true),
        ("localhost", Tls::VerifyFull, true),
        ("127.0.0.1", Tls::Auto, false),
    ] {
        let source = secured.source(host, tls, "ca.pem").unwrap();
        let prepared = source.prepare(None).await.unwrap();
        let mut reader = Reader::open(&source, &prepared.start).await;
        let seen = secured.bench.sql(encrypted);
        let expected = if is_encrypted { "2|2\n" } else { "0|2\n" };
        // Sessions of the step before may still be leaving.
        let seen = if seen == expected {
            seen
        } else {
            std::thread::sleep(std::time::Duration::from_secs(1));
            secured.bench.sql(encrypted)
        };
        assert_eq!(seen, expected, "{host} {tls:?}");
        secured.bench.sql("INSERT INTO t SELECT coalesce(max(id), 0) + 1 FROM t");
        reader.read_to(secured.bench.insert_lsn()).await;
        assert_eq!(reader.rows().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_believed() {
    let secured = Secured::new();
    for (host, authority) in [("localhost", "other.pem"), ("127.0.0.1", "ca.pem")] {
        let source = secured.source(host, Tls::VerifyFull, authority).unwrap();
        let error = source.prepare(None).await.unwrap_err();
        assert!(error.chain().contains("certificate"), "{}", error.chain());
        assert!(error.remedy().unwrap().contains("tls_ca"));
    }
    // Whoever only asks for encryption believes anyone.
    let source = secured.source("localhost", Tls::Require, "other.pem").unwrap();
    source.prepare(None).await.unwrap();
}
