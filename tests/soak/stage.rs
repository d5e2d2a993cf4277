//! The stage: private servers, wires that break, writers, and one daemon; and the verdict at its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;
use trueup::change::Position;
use trueup::config::SourceKind;

use super::daemon::Daemon;
use super::engine::{Alter, Engine};
use super::mariadb::Binlog;
use super::oracle;
use super::postgres::Postgres;
use super::reshaping::REKEYED;
use super::statements;
use super::world::{Shape, World, seen};
use super::writing::{self, BULK, Load};
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::proxy::Proxy;

/// How long nothing may move before it is stuck.
const STANDSTILL_MAX: Duration = Duration::from_secs(120);
/// Small, so that everything has borders: parts of transactions, slices, segments, chunks.
const LIMITS: &str = "[limits]\nchunk_bytes = 65536\nbatch_bytes = 1048576\n\
    segment_bytes = 16000000\ncopy_chunk_rows = 1000\ncompare_every_secs = 0\n\
    idle_confirm_secs = 1\narchive_every_secs = 0\n";

/// One source and what belongs to it.
pub(crate) struct Source {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) proxy: Proxy,
    pub(crate) world: Arc<World>,
}

/// Everything.
pub(crate) struct Stage {
    pub(crate) sources: Vec<Source>,
    pub(crate) daemon: Daemon,
    is_over: AtomicBool,
}

impl Stage {
    /// Servers with tables and rows, and a daemon that has copied them.
    pub(crate) async fn begin() -> Self {
        let (postgres, mariadb, mysql) = tokio::join!(
            tokio::task::spawn_blocking(Postgres::start),
            tokio::task::spawn_blocking(|| Binlog::start(SourceKind::Mariadb)),
            tokio::task::spawn_blocking(|| Binlog::start(SourceKind::Mysql))
        );
        let engines: [Arc<dyn Engine>; 3] =
            [Arc::new(postgres.unwrap()), Arc::new(mariadb.unwrap()), Arc::new(mysql.unwrap())];
        let mut sources = Vec::new();
        for engine in engines {
            let world = Arc::new(World::new(shapes(engine.as_ref())));
            fill(engine.as_ref(), &world).await;
            sources.push(Source { proxy: Proxy::to(engine.port()), engine, world });
        }
        let stage = Self {
            daemon: Daemon::new(install(&sources), worlds(&sources)),
            sources,
            is_over: AtomicBool::new(false),
        };
        stage.daemon.start(None);
        stage.caught_up().await.unwrap();
        stage
    }

    /// Starts who writes to each source.
    pub(crate) fn write(&self, load: &Load, seed: u64) -> Vec<JoinSet<()>> {
        let start = |(number, source): (u64, &Source)| {
            writing::start(&source.engine, &source.world, load, seed.wrapping_add(number * 1_000))
        };
        (0..).zip(&self.sources).map(start).collect()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// The faults end.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Brings everything to rest and says what source and mirror are to each other.
    ///
    /// # Errors
    /// The first difference, or what keeps the daemon from its end.
    pub(crate) async fn verdict(&self, writers: Vec<JoinSet<()>>) -> Result<String, String> {
        for source in &self.sources {
            source.world.stop.store(true, Ordering::Relaxed);
        }
        for tasks in writers {
            tasks.join_all().await;
        }
        for source in &self.sources {
            for name in source.engine.prepared().await? {
                writing::finish(source.engine.as_ref(), &name, true).await;
            }
            touch(source).await?;
        }
        // A session with a source begins by looking which tables there are.
        tokio::task::block_in_place(|| {
            self.daemon.stop();
            self.daemon.start(None);
        });
        self.caught_up().await?;
        self.reconciled()?;
        tokio::task::block_in_place(|| self.daemon.stop());
        let mut said = Vec::new();
        for source in &self.sources {
            let store = oracle::open(&self.daemon.installation.state_folder());
            let held = oracle::held(source.engine.as_ref(), store).await?;
            said.push(format!(
                "{}: {} tables, {} rows, {} values",
                source.engine.source(),
                held.tables,
                held.rows,
                held.values
            ));
        }
        match self.daemon.troubles().first() {
            Some(first) => Err(format!("source and mirror agree, but {first}")),
            None => Ok(said.join("; ")),
        }
    }

    /// Waits until everything that is in the logs now is in the store, and nothing is unproven.
    async fn caught_up(&self) -> Result<(), String> {
        let mut ends = Vec::new();
        for source in &self.sources {
            ends.push(source.engine.end_of_log().await);
        }
        let (mut last, mut moved, mut told) = (Value::Null, Instant::now(), Instant::now());
        loop {
            if self.daemon.has_died() {
                return Err("the daemon ended by itself".to_owned());
            }
            self.daemon.mend_gaps().await;
            let status = self.daemon.status().await.unwrap_or_default();
            let open = self.open(&status, &ends);
            let Some(open) = open else { return Ok(()) };
            let now = progress(&status);
            if now != last {
                (last, moved) = (now, Instant::now());
            }
            if moved.elapsed() > STANDSTILL_MAX {
                return Err(format!("stuck: {open}; {status}"));
            }
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                eprintln!("catching up: {open}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What is still to be waited for.
    fn open(&self, status: &Value, ends: &[Position]) -> Option<String> {
        for (source, end) in self.sources.iter().zip(ends) {
            let name = source.engine.source();
            let all = status["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
            let Some(now) = all.iter().find(|one| one["name"] == name) else {
                return Some("no answer".to_owned());
            };
            let position = now["position"].as_str().and_then(|text| text.parse::<Position>().ok());
            let is_there = position.as_ref().is_some_and(|here| here.covers(end).unwrap());
            if now["state"] != "streaming" || !is_there || now["resyncs"] != serde_json::json!([]) {
                let behind = &status["conform"]["journal_behind_entries"];
                return Some(format!("{behind} entries behind, to come to {end}: {now}"));
            }
        }
        let conform = &status["conform"];
        if conform["journal_behind_entries"] != 0 || !conform["open_transaction"].is_null() {
            return Some(conform.to_string());
        }
        let unproven = "SELECT (SELECT count(*) FROM ops.unproven)
            + (SELECT count(*) FROM ops.resync WHERE state = 'running')
            + (SELECT count(*) FROM ops.mirror_table WHERE state NOT IN ('done', 'left'))";
        let installation = &self.daemon.installation;
        let found = tokio::task::block_in_place(|| store_rows(installation, unproven));
        match found {
            Ok(rows) if rows[0][0].as_deref() == Some("0") => None,
            Ok(rows) => Some(format!("{:?} tables are unproven", rows[0][0])),
            Err(error) => Some(error),
        }
    }

    /// The product's own word.
    fn reconciled(&self) -> Result<(), String> {
        let installation = &self.daemon.installation;
        let output = tokio::task::block_in_place(|| installation.output(&["reconcile", "--json"]));
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        let answer: Value = serde_json::from_str(&said).map_err(|_| format!("{said}{failed}"))?;
        let compared = answer["compared"].as_array().cloned().unwrap_or_default();
        if output.status.success() && !compared.is_empty() {
            return Ok(());
        }
        let drift = "SELECT to_json(d)::VARCHAR FROM ops.drift AS d LIMIT 3";
        let drift = tokio::task::block_in_place(|| store_rows(installation, drift));
        Err(format!("trueup reconcile found: {drift:?}; {failed}"))
    }

    /// One line of what was done so far.
    pub(crate) fn counts(&self) -> String {
        let mut said =
            format!("{} kills, {} orderly stops", self.daemon.killed(), seen(&self.daemon.stops));
        for source in &self.sources {
            let counts = &source.world.counts;
            said += &format!(
                " | {}: {} changes, {} transactions, {} DDL, {} rolled back, {} failed, {} large, \
                 {} prepared, {} resyncs, {} gaps mended, {} server kills",
                source.engine.source(),
                seen(&counts.changes),
                seen(&counts.transactions),
                seen(&counts.ddl),
                seen(&counts.rolled_back),
                seen(&counts.failed),
                seen(&counts.large),
                seen(&counts.prepared),
                seen(&counts.resyncs),
                seen(&counts.gaps),
                seen(&counts.server_kills),
            );
        }
        said
    }
}

fn worlds(sources: &[Source]) -> BTreeMap<String, Arc<World>> {
    let world = |source: &Source| (source.engine.source().to_owned(), Arc::clone(&source.world));
    sources.iter().map(world).collect()
}

fn install(sources: &[Source]) -> Installation {
    let installation = Installation::new("");
    let mut text = format!(
        "[daemon]\nstate_dir = {:?}\nhttp_listen = \"127.0.0.1:{}\"\n{LIMITS}",
        installation.state_folder(),
        installation.http_port()
    );
    for source in sources {
        let engine = &source.engine;
        let file = installation.write(&format!("{}.password", engine.source()), engine.password());
        text += &engine.configuration(source.proxy.port());
        text += &format!("password = \"${{file:{}}}\"\n", file.display());
    }
    installation.write("trueup.toml", &text);
    installation
}

/// Tables whose columns come and go.
fn shapes(engine: &dyn Engine) -> Vec<Shape> {
    let shape = |name: &str, kinds: std::ops::Range<usize>, keys| Shape {
        name: name.to_owned(),
        columns: kinds.map(|kind| (format!("k{kind}"), kind)).collect(),
        keys,
        indexes: Vec::new(),
    };
    let all = engine.kinds().len();
    vec![
        shape("plain", 0..6, 4_000),
        shape("shape_a", 3..9, 1_500),
        shape("shape_b", 6..all, 800),
        shape(BULK, 0..3, 100_000),
        shape(REKEYED, 0..4, 300),
    ]
}

async fn fill(engine: &dyn Engine, world: &World) {
    let mut session = engine.connect().await.unwrap();
    for tables in engine.tables() {
        for statement in tables.split(';').filter(|statement| !statement.trim().is_empty()) {
            let run = session.run(statement).await;
            run.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
    for shape in world.shapes() {
        session.run(&engine.alter(&shape, &Alter::Create)).await.unwrap();
        for statement in statements::put(engine, &shape, 1, shape.keys.min(2_000), 5) {
            session.run(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
}

/// Columns are shown by the next row that is written.
async fn touch(source: &Source) -> Result<(), String> {
    let engine = source.engine.as_ref();
    let mut session = engine.connect().await?;
    for shape in source.world.shapes() {
        let rows = match shape.name.as_str() {
            // Not by its key, which is another by now.
            REKEYED => vec![format!("DELETE FROM {REKEYED} WHERE id < 20")],
            _ => statements::put(engine, &shape, shape.keys + 7, 1, 3),
        };
        for statement in rows {
            session.run(&statement).await.map_err(|error| format!("{statement}: {error}"))?;
        }
    }
    Ok(())
}

/// What moves as long as there is progress.
fn progress(status: &Value) -> Value {
    let sources = status["sources"].as_array().into_iter().flatten();
    let sources: Vec<Value> = sources
        .map(|one| serde_json::json!([one["position"], one["state"], one["resyncs"], one["copy"]]))
        .collect();
    serde_json::json!([status["conform"]["journal_seq"], status["conform"]["batch"], sources])
}
