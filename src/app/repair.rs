//! Hands rows that differ to the deliveries of their targets.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use super::operator::Daemon;
use crate::canon::Entity;
use crate::config::TargetEntity;
use crate::deliver::repair::Repair;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::ledger::drift::{Class, Comparison, Drift, Seen};

/// How long a target may take to write rows again.
const REPAIR_SECS_MAX: u64 = 120;

impl Daemon {
    /// Writes rows of targets again that the comparisons found to differ; how many.
    pub(super) async fn repair(&self, found: &[Comparison]) -> Result<u64> {
        let mut drifts: BTreeMap<(String, String), Vec<Drift>> = BTreeMap::new();
        for Seen { pair, entity, drift, .. } in self.ledger.drift(usize::MAX)? {
            let is_meant = |one: &Comparison| one.pair == pair && one.entity == entity;
            if let Some(target) =
                pair.strip_prefix("target:").filter(|_| found.iter().any(is_meant))
            {
                drifts.entry((target.to_owned(), entity)).or_default().push(drift);
            }
        }
        // All that differ count, not only those that are kept.
        let of_targets = found.iter().filter(|one| one.pair.starts_with("target:"));
        let rows: u64 = of_targets.map(|one| one.differing).sum();
        let most = self.config.limits.repair_rows_max as u64;
        if rows > most {
            let what = format!("{rows} rows differ, more than one repair may write ({most})");
            return Err(Error::new(ErrorKind::Usage, what).hint(
                "find out why so many differ first; then repair one --entity at a time, or raise \
                 repair_rows_max in [limits]",
            ));
        }
        let mut repaired = 0;
        // Referenced entities first.
        for entity in self.mappings.contributed() {
            let of_entity = drifts.iter().filter(|((_, name), _)| *name == entity.name);
            for ((target, _), drifts) in of_entity {
                repaired += self.repair_one(target, entity, drifts).await?;
            }
        }
        Ok(repaired)
    }

    async fn repair_one(&self, target: &str, entity: &Entity, drifts: &[Drift]) -> Result<u64> {
        let table = self.config.target.get(target).and_then(|t| t.entity.get(&entity.name));
        let (Some(table), Some(sender)) = (table, self.repairs.get(target)) else { return Ok(0) };
        let (mut keys, mut extra) = (Vec::new(), Vec::new());
        for drift in drifts {
            if drift.class != Class::Extra {
                keys.push(drift.key.clone());
            } else if let Some((key, cells)) = removable(entity, table, drift) {
                keys.push(key.clone());
                extra.push((key, cells));
            }
        }
        if keys.is_empty() {
            return Ok(0);
        }
        let (answer, answered) = oneshot::channel();
        let repair = Repair { entity: entity.name.clone(), keys, extra, answer };
        let what = || format!("target {target} did not write the rows of {} again", entity.name);
        let slow = |_| Error::new(ErrorKind::Unreachable, what()).hint("see `trueup status`");
        let asked = async {
            sender.send(repair).await.context(ErrorKind::Unreachable, what)?;
            answered.await.context(ErrorKind::Unreachable, what)?
        };
        let wait = Duration::from_secs(REPAIR_SECS_MAX);
        let rows = tokio::time::timeout(wait, asked).await.map_err(slow)??;
        let pair = format!("target:{target}");
        self.metrics.repaired_rows.with_label_values(&[&pair, &entity.name]).inc_by(rows);
        Ok(rows)
    }
}

/// The canonical key of a row that nobody has, and its cells in the target, if the one can be told
/// from the other: each key column is an attribute of the key.
fn removable(
    entity: &Entity,
    table: &TargetEntity,
    drift: &Drift,
) -> Option<(String, Vec<Option<String>>)> {
    let found = drift.found.as_ref()?;
    let cell = |column: &String| found.get(column).and_then(Value::as_str).map(str::to_owned);
    let of = |attribute: &String| {
        let column = table.key.iter().find(|(_, sql)| *sql == attribute).map(|(name, _)| name)?;
        cell(column)
    };
    if table.key.len() != entity.key.len() {
        return None;
    }
    let key: Option<Vec<String>> = entity.key.iter().map(of).collect();
    Some((key?.join("|"), table.key.keys().map(cell).collect()))
}
