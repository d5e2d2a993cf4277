//! `trueup demo`: the whole system at work on private databases, then the proof.
//!
//! ```text
//! folder, servers, seeds ─► daemon (in this process) ─► generator ─► stop the writers
//!                                                                      │
//!           agree / DISAGREE ◄─ compare row by row ◄─ drain ◄──────────┘
//! ```
//! It changes nothing outside its own folder and servers, which go with this process however it
//! ends.

pub mod compare;
mod daemon;
mod folder;
mod scenario;
mod screen;
mod stage;
mod watch;
mod wiring;

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::generator::{Generator, Report};
use super::servers;
use crate::cli::DemoOptions;
use crate::error::{Context, ErrorKind, Result};
use compare::Sides;
pub use daemon::Api;
use daemon::Daemon;
use folder::DemoFolder;
use screen::{Screen, say};
use stage::Stage;
use watch::Watch;

/// Business transactions a second: busy enough to see, slow enough for a laptop.
const PER_SECOND: f64 = 20.0;
/// Pause between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Runs the demo for `options.seconds`, or until `shutdown`; true if all sides agree in the end.
///
/// # Errors
/// Something could not be started, went away or could not be read.
pub async fn run(options: DemoOptions, shutdown: CancellationToken) -> Result<bool> {
    let folder = DemoFolder::new()?;
    let servers = if options.erp_only { "PostgreSQL" } else { "PostgreSQL and MariaDB" };
    say(screen::INTRODUCTION);
    say(&format!("starting a private {servers} and filling them …"));
    let building = tokio::task::spawn_blocking(move || Stage::build(!options.erp_only));
    let stage = joined(building.await)??;
    let played = play(&options, &shutdown, &stage, &folder).await;
    // Stopping servers waits for processes.
    let cleared = tokio::task::spawn_blocking(move || drop((stage, folder)));
    joined(cleared.await)?;
    played
}

/// With the databases there: the daemon, and what happens while it runs.
async fn play(
    options: &DemoOptions,
    shutdown: &CancellationToken,
    stage: &Stage,
    folder: &DemoFolder,
) -> Result<bool> {
    let (listener, port) = Daemon::listener()?;
    let sql_port = servers::free_port()?;
    let path = wiring::write(stage, folder, port, sql_port)?;
    let mut daemon = Daemon::start(&path, listener)?;
    let mut doors = stage.doors(folder.path());
    doors.push(("HTTP", format!("{} (and /api/status)", daemon.api.url("/metrics"))));
    doors.push(("SQL", stage.analysts_door(folder.path(), sql_port)));
    let sql = "SELECT * FROM canon.worker LIMIT 5";
    // Not `trueup`: before it is installed it is on nobody's path.
    let program = std::env::current_exe()
        .context(ErrorKind::Bug, || "could not find this program's file".to_owned())?;
    doors.push(("store", format!("{} sql -c {} \"{sql}\"", program.display(), path.display())));
    let proved = prove(options, shutdown, stage, &mut daemon, doors).await;
    let stopped = daemon.stop().await;
    proved.and_then(|agree| stopped.map(|()| agree))
}

async fn prove(
    options: &DemoOptions,
    shutdown: &CancellationToken,
    stage: &Stage,
    daemon: &mut Daemon,
    doors: Vec<(&'static str, String)>,
) -> Result<bool> {
    let mut watch = Watch::new(stage, daemon.api.clone()).await?;
    let report = work(options, shutdown, stage, daemon, &mut watch, Screen::new(doors)).await?;
    let total = report.total();
    say(&format!(
        "the writers stopped after {} transactions ({} rows) and {} rollbacks; draining …",
        total.committed, total.rows, total.rolled_back
    ));
    let drained = watch.drain(daemon).await?;
    if let Err(in_flight) = &drained {
        say(&format!("still in flight: {in_flight}"));
    }
    // The verdict below does not depend on it.
    if let Err(error) = scenario::sum_up(&daemon.api).await {
        say(&format!("drift: could not be compared: {}", error.chain()));
    }
    say("comparing source, store and target row by row …");
    let sides = Sides::new(
        stage.postgres_config("erp"),
        stage.hr_opts(),
        stage.postgres_config("psa"),
        Some(stage.postgres_config("books")),
        daemon.api.clone(),
    );
    let (text, agree) = screen::verdict(&sides.compare().await?, drained.err().as_deref());
    say(&text);
    Ok(agree)
}

/// Lets the generator work until the time is over or a signal comes, and shows what happens.
async fn work(
    options: &DemoOptions,
    shutdown: &CancellationToken,
    stage: &Stage,
    daemon: &mut Daemon,
    watch: &mut Watch,
    mut screen: Screen,
) -> Result<Report> {
    let generator = Generator {
        erp: stage.postgres_config("erp"),
        hr: stage.hr_opts(),
        seed: rand::random(),
        per_second: PER_SECOND,
    };
    let stop = CancellationToken::new();
    let token = stop.clone();
    let writers = tokio::spawn(async move { generator.run(token).await });
    let end = options.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let drift = if options.has_drift { Some(tamper(stage, daemon).await?) } else { None };
    let shown = show(shutdown, daemon, watch, &mut screen, end, &writers).await;
    // Its acts need the writers, and end by themselves.
    let played = match drift {
        Some(drift) => joined(drift.await)?,
        None => Ok(()),
    };
    stop.cancel();
    let report = joined(writers.await)??;
    shown?;
    played?;
    Ok(report)
}

/// Somebody tampers with the PSA meanwhile.
async fn tamper(stage: &Stage, daemon: &Daemon) -> Result<JoinHandle<Result<()>>> {
    let psa = stage::connect_postgres(&stage.postgres_config("psa")).await?;
    let api = daemon.api.clone();
    Ok(tokio::spawn(async move { scenario::play(&api, &psa).await }))
}

async fn show(
    shutdown: &CancellationToken,
    daemon: &mut Daemon,
    watch: &mut Watch,
    screen: &mut Screen,
    end: Option<Instant>,
    writers: &JoinHandle<Result<Report>>,
) -> Result<()> {
    loop {
        daemon.check().await?;
        screen.show(&watch.look().await?);
        let now = Instant::now();
        let next = end.map_or(now + LOOK, |end| end.min(now + LOOK));
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep_until(next) => {}
        }
        // Writers that gave up say why themselves.
        if end.is_some_and(|end| Instant::now() >= end) || writers.is_finished() {
            return Ok(());
        }
    }
}

fn joined<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T> {
    joined.context(ErrorKind::Bug, || "a part of the demo panicked".to_owned())
}
