//! The scenario `drift`: somebody tampers with the PSA while people work, and each time what was done
//! is found, named and mended.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::Client;

use super::daemon::Api;
use super::screen::say;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::serve::http::{ReconcileRequest, ReconcileResult};

/// What is done, one after the other.
const ACTS: [&str; 3] = [
    include_str!("../../../sql/demo/scenario/drift/edited_by_hand.sql"),
    include_str!("../../../sql/demo/scenario/drift/removed.sql"),
    include_str!("../../../sql/demo/scenario/drift/shifted_by_an_hour.sql"),
];
/// Longest wait for the first fill of the target.
const FILL_SECS_MAX: u64 = 60;
/// Between two looks at it, and between two acts.
const PAUSE: Duration = Duration::from_secs(2);
/// Rows that are named of each act.
const NAMED: usize = 3;

/// Plays all acts.
///
/// # Errors
/// A side went away; or [`ErrorKind::Bug`] if what was done is not found, or not mended.
pub(super) async fn play(api: &Api, psa: &Client) -> Result<()> {
    filled(api).await?;
    for act in ACTS {
        tokio::time::sleep(PAUSE).await;
        let word = |name: &str| {
            let line = act.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim).unwrap_or_default().to_owned()
        };
        let (entity, what) = (word("-- entity:"), word("-- act:"));
        let rows = psa.query(act, &[]).await;
        let rows = rows.context(ErrorKind::Unreachable, || format!("could not do: {what}"))?;
        let keys: Vec<String> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
        say(&format!("drift: {what}: {} rows", keys.len()));
        found(api, &entity, &keys).await?;
        let mended = ask(api, &entity, true).await?;
        let left: u64 = mended.compared.iter().map(|one| one.differing).sum();
        say(&format!("drift: mended: {} rows written again, {left} differ now", mended.repaired));
        if left > 0 {
            return Err(Error::new(
                ErrorKind::Bug,
                format!("{left} rows of {entity} still differ"),
            ));
        }
    }
    Ok(())
}

async fn filled(api: &Api) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(FILL_SECS_MAX);
    loop {
        let status = api.status().await?;
        let psa = status.targets.iter().find(|target| target.name == "psa");
        let is_done = |done: &String| done == "done";
        if psa.is_some_and(|psa| !psa.baseline.is_empty() && psa.baseline.values().all(is_done)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Error::new(ErrorKind::Unreachable, "the PSA was not filled in time"));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Compares, says what was found, and holds it against what was done. A row that its owner changed
/// meanwhile is right again by itself.
async fn found(api: &Api, entity: &str, keys: &[String]) -> Result<()> {
    ask(api, entity, false).await?;
    let sql = format!(
        "SELECT key, class, array_to_string(columns, ', ') FROM ops.drift
         WHERE pair = 'target:psa' AND entity = '{entity}' ORDER BY key"
    );
    let rows = api.sql(&sql).await?.rows;
    let named: Vec<(String, String)> = rows
        .into_iter()
        .filter_map(|row| match row.as_slice() {
            [Some(key), Some(class), columns] => {
                let columns = columns.clone().unwrap_or_default();
                Some((key.clone(), format!("{entity} {key} {class} {columns}").trim().to_owned()))
            }
            _ => None,
        })
        .collect();
    let known = keys.iter().filter(|key| named.iter().any(|(name, _)| name == *key)).count();
    let texts: Vec<&str> = named.iter().take(NAMED).map(|(_, text)| text.as_str()).collect();
    let more = if named.len() > NAMED { ", …" } else { "" };
    say(&format!("drift: found {} rows: {}{more}", named.len(), texts.join(", ")));
    // Writers go on: at most a few of many can be right again.
    if known == 0 || known * 2 < keys.len() {
        let what = format!("{known} of {} rows of {entity} were found", keys.len());
        return Err(Error::new(ErrorKind::Bug, what));
    }
    Ok(())
}

async fn ask(api: &Api, entity: &str, repair: bool) -> Result<ReconcileResult> {
    let pair = Some("target:psa".to_owned());
    api.reconcile(&ReconcileRequest { pair, entity: Some(entity.to_owned()), repair }).await
}

/// Says how the workflows and the last comparisons are.
///
/// # Errors
/// The daemon does not answer.
pub(super) async fn sum_up(api: &Api) -> Result<()> {
    let sql = "SELECT workflow, target, sla_seconds, done, missed, open,
        round(p50_seconds, 2), round(p95_seconds, 2) FROM ops.service_level ORDER BY workflow";
    for row in api.sql(sql).await?.rows {
        let cell = |place: usize| row.get(place).cloned().flatten().unwrap_or_else(|| "-".into());
        say(&format!(
            "service level {:<22} → {:<5} {} runs within {} s, {} late, {} open; half in {} s, 95 % in {} s",
            cell(0),
            cell(1),
            cell(3),
            cell(2),
            cell(4),
            cell(5),
            cell(6),
            cell(7)
        ));
    }
    let all = ReconcileRequest { pair: None, entity: None, repair: false };
    let compared = api.reconcile(&all).await?.compared;
    let mut pairs: Vec<&str> = compared.iter().map(|one| one.pair.as_str()).collect();
    pairs.dedup();
    for pair in pairs {
        let of = compared.iter().filter(|one| one.pair == pair);
        let (rows, differing) = of
            .clone()
            .fold((0, 0), |(rows, differing), one| (rows + one.rows, differing + one.differing));
        say(&format!("drift {pair:<12} {} tables, {rows} rows, {differing} differ", of.count()));
    }
    Ok(())
}
