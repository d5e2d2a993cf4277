//! Tests of the HTTP listener over real sockets.

use std::sync::Mutex;

use super::*;
use crate::serve::bind;
use crate::status::{ArchiveStatus, ConformStatus, DaemonState};

/// Answers what the test put in.
struct Answers {
    reasons: Vec<String>,
    asked: Mutex<Vec<SqlRequest>>,
    sql: fn() -> Result<SqlResult>,
}

impl Operator for Answers {
    fn status(&self) -> BoxFuture<'_, Status> {
        Box::pin(async {
            Status {
                install: "5d1c".to_owned(),
                version: "0.1.0".to_owned(),
                daemon: DaemonState::Running,
                since: None,
                sources: Vec::new(),
                conform: ConformStatus::default(),
                archive: ArchiveStatus::default(),
                entities: Vec::new(),
                targets: Vec::new(),
                dead_letters: Vec::new(),
                findings: Vec::new(),
            }
        })
    }

    fn ready(&self) -> BoxFuture<'_, std::result::Result<(), Vec<String>>> {
        let reasons = self.reasons.clone();
        Box::pin(async { if reasons.is_empty() { Ok(()) } else { Err(reasons) } })
    }

    fn metrics(&self) -> BoxFuture<'_, String> {
        Box::pin(async { "trueup_build_info 1\n".to_owned() })
    }

    fn sql(&self, request: SqlRequest) -> BoxFuture<'_, Result<SqlResult>> {
        self.asked.lock().unwrap().push(request);
        Box::pin(async { (self.sql)() })
    }

    fn diff(&self, request: DiffRequest) -> BoxFuture<'_, Result<DiffResult>> {
        let entity = request.files.into_keys().next().unwrap_or_default();
        let effect = EffectStatus { entity, ..EffectStatus::default() };
        Box::pin(async { Ok(DiffResult { effects: vec![effect] }) })
    }

    fn reconcile(&self, _: ReconcileRequest) -> BoxFuture<'_, Result<ReconcileResult>> {
        Box::pin(async { Ok(ReconcileResult::default()) })
    }

    fn resync(&self, request: ResyncRequest) -> BoxFuture<'_, Result<ResyncResult>> {
        Box::pin(async { Ok(ResyncResult { tables: Vec::from_iter(request.table), gap: None }) })
    }

    fn resume(&self, request: ResumeRequest) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            match request.seq_upto {
                7 => Ok(()),
                _ => Err(Error::new(ErrorKind::Usage, "not held")),
            }
        })
    }
}

fn answers() -> Answers {
    Answers { reasons: Vec::new(), asked: Mutex::default(), sql: || Ok(SqlResult::default()) }
}

struct Server {
    url: String,
    operator: Arc<Answers>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<Result<()>>,
}

fn start(answers: Answers) -> Server {
    let listener = bind("127.0.0.1:0".parse().unwrap(), "x").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let operator = Arc::new(answers);
    let shutdown = CancellationToken::new();
    let served: Arc<dyn Operator> = operator.clone();
    let task = tokio::spawn(serve(listener, served, shutdown.clone()));
    Server { url, operator, shutdown, task }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn fetch(url: String) -> (u16, String) {
    let response = client().get(url).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn health_metrics_and_status_are_served_on_one_port() {
    let server = start(answers());
    assert_eq!(fetch(format!("{}/livez", server.url)).await, (200, "ok\n".to_owned()));
    let metrics = fetch(format!("{}/metrics", server.url)).await;
    assert_eq!(metrics, (200, "trueup_build_info 1\n".to_owned()));
    let (code, body) = fetch(format!("{}/readyz", server.url)).await;
    assert_eq!((code, body.as_str()), (200, r#"{"ready":true,"reasons":[]}"#));
    let (code, body) = fetch(format!("{}/api/status", server.url)).await;
    assert_eq!(code, 200);
    assert_eq!(serde_json::from_str::<Status>(&body).unwrap().install, "5d1c");
}

#[tokio::test]
async fn not_ready_names_the_reasons() {
    let server = start(Answers { reasons: vec!["source hr: first copy".into()], ..answers() });
    let (code, body) = fetch(format!("{}/readyz", server.url)).await;
    let expected = r#"{"ready":false,"reasons":["source hr: first copy"]}"#;
    assert_eq!((code, body.as_str()), (503, expected));
}

#[tokio::test]
async fn sql_is_passed_on_and_its_errors_come_back_with_their_remedy() {
    let server = start(Answers {
        sql: || Err(Error::new(ErrorKind::Rejected, "no table \"x\"").hint("look at canon")),
        ..answers()
    });
    let body = json!({ "query": "SELECT 1", "rows_max": 5 });
    let url = format!("{}/api/sql", server.url);
    let response = client().post(&url).json(&body).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 400);
    let refusal: Refusal = response.json().await.unwrap();
    assert_eq!(refusal.error, "no table \"x\"");
    assert_eq!(refusal.hint.as_deref(), Some("look at canon"));
    let asked = server.operator.asked.lock().unwrap().clone();
    assert_eq!(asked, [SqlRequest { query: "SELECT 1".into(), rows_max: Some(5) }]);
}

#[tokio::test]
async fn a_held_batch_is_let_go_by_the_entry_it_was_seen_with() {
    let server = start(answers());
    let url = format!("{}/api/resume", server.url);
    for (seq_upto, code) in [(7, 200), (8, 400)] {
        let body = json!({ "seq_upto": seq_upto });
        let response = client().post(&url).json(&body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), code, "{seq_upto}");
    }
}

#[tokio::test]
async fn a_large_set_of_mappings_is_passed_on() {
    let server = start(answers());
    let body = json!({ "files": { "a.sql": "x".repeat(2 * BODY_BYTES_MAX) } });
    let url = format!("{}/api/diff", server.url);
    let response = client().post(&url).json(&body).send().await.unwrap();
    let result: DiffResult = response.json().await.unwrap();
    assert_eq!(result.effects[0].entity, "a.sql");
}

#[tokio::test]
async fn a_web_page_cannot_reach_the_store() {
    let server = start(answers());
    // A form or a script of another site may send text without asking first, but not JSON.
    let url = format!("{}/api/sql", server.url);
    let text = client().post(&url).body(r#"{"query":"SELECT 1"}"#).send().await.unwrap();
    assert_eq!(text.status().as_u16(), 415);
    // A page that points its own name here keeps that name in the Host header.
    for (host, code) in [
        ("evil.example", 403),
        ("evil.example:9847", 403),
        ("127.0.0.1.evil.example:9847", 403),
        ("localhost:9847", 200),
        ("localhost", 200),
        ("[::1]:9847", 200),
        ("127.0.0.1", 200),
    ] {
        let request = client().get(format!("{}/api/status", server.url)).header("host", host);
        assert_eq!(request.send().await.unwrap().status().as_u16(), code, "{host}");
    }
    assert!(server.operator.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_busy_port_is_one_error_with_what_where_and_a_remedy() {
    let first = bind("127.0.0.1:0".parse().unwrap(), "x").unwrap();
    let address = first.local_addr().unwrap();
    let error = bind(address, "http_listen in [daemon]").unwrap_err();
    assert_eq!(error.to_string(), format!("could not listen on {address}"));
    assert_eq!(error.kind().exit_code(), 78);
    assert!(error.remedy().unwrap().contains(&format!("sport = :{}", address.port())));
}

#[tokio::test]
async fn shutdown_ends_the_listener() {
    let server = start(answers());
    assert_eq!(fetch(format!("{}/livez", server.url)).await.0, 200);
    server.shutdown.cancel();
    server.task.await.unwrap().unwrap();
    let refused = client().get(format!("{}/livez", server.url)).send().await;
    assert!(refused.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_client_that_keeps_its_request_open_does_not_hold_the_shutdown() {
    let server = start(answers());
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut stuck = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stuck, b"POST /api/sql HTTP/1.1\r\n").await.unwrap();
    // A whole request on another connection: the half one has been taken up by then.
    assert_eq!(fetch(format!("{}/livez", server.url)).await.0, 200);
    server.shutdown.cancel();
    let limit = Duration::from_secs(DRAIN_SECS_MAX + 20);
    tokio::time::timeout(limit, server.task).await.unwrap().unwrap().unwrap();
}
