//! The canonical rows against a target, as of the event that the target's own account names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::runtime::Handle;

use super::drill::{Cells, Expected, Judge, differing, rows_of};
use super::{Outcome, Reconcile};
use crate::canon::Entity;
use crate::canon::event::Row;
use crate::config::TargetConfig;
use crate::digest::{Digest, Family, bucket, lanes, row_text};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::ledger::drift::{Comparison, Drift};
use crate::store::Reader;
use crate::store::evaluate::past::{self, Past};
use crate::store::expr::Expr;
use crate::target::postgres::survey::{Columns, PostgresSurvey};
use crate::target::{Account, BaselineState, Target};

/// Rows that are rendered at once.
const ROWS_AT_ONCE: usize = 5_000;
/// Buckets whose rows are held at once.
const BUCKETS_AT_ONCE: usize = 16;
/// Earlier states of a row that are looked through.
const STATES_MAX: usize = 50;
/// Digits of a bucket: 256 buckets.
const DIGITS: usize = 2;
/// Rows from which on there are 16 times as many.
const ROWS_MANY: u64 = 1 << 20;

/// A target as it is compared.
pub struct TargetSide {
    /// Its name.
    pub name: String,
    /// As configured.
    pub config: TargetConfig,
    /// The entities it takes.
    pub entities: Vec<Entity>,
    /// The system itself; it is not opened, only looked at.
    pub target: Target,
}

impl TargetSide {
    /// `target:<name>`
    #[must_use]
    pub fn pair(&self) -> String {
        format!("target:{}", self.name)
    }
}

/// One entity at work.
struct Work {
    survey: Arc<PostgresSurvey>,
    runtime: Handle,
    entity: Entity,
    expr: Expr,
    /// Compared columns, key first, and their places among what is rendered.
    columns: Vec<(String, Family)>,
    places: Vec<usize>,
    left_out: Vec<String>,
    key_count: usize,
    is_shared: bool,
    digits: usize,
    /// Canonical keys that the target has parked.
    parked: BTreeSet<String>,
    drift_max: usize,
}

impl Reconcile {
    /// Compares a target, one entity or all, in one snapshot of it.
    pub(super) async fn target(
        &self,
        side: &TargetSide,
        entity: Option<&str>,
    ) -> Result<Vec<Outcome>> {
        let busy = |what: &str| {
            Error::new(ErrorKind::Unreachable, what.to_owned()).hint("try again in a moment")
        };
        let survey = Arc::new(side.target.survey().await?);
        let account = survey.account().await?;
        let mut found = Vec::new();
        let wanted = side.entities.iter().filter(|one| entity.is_none_or(|name| name == one.name));
        for entity in wanted {
            // Its rows are still being brought for the first time.
            if account.baselines.get(&entity.name) != Some(&BaselineState::Done) {
                continue;
            }
            let reader = (self.readers)().ok_or_else(|| busy("the store is not open"))?;
            let work = self.work(side, entity, &survey, &account)?;
            let event = account.cursor;
            let pair = side.pair();
            let compared = tokio::task::spawn_blocking(move || work.compare(&reader, event, &pair));
            let compared = compared
                .await
                .context(ErrorKind::Bug, || "a comparison ended badly".to_owned())??;
            found.push(compared.ok_or_else(|| busy("the store is behind the target"))?);
        }
        Ok(found)
    }

    fn work(
        &self,
        side: &TargetSide,
        entity: &Entity,
        survey: &Arc<PostgresSurvey>,
        account: &Account,
    ) -> Result<Work> {
        let table = side.config.entity.get(&entity.name).ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("{} does not take {}", side.name, entity.name))
        })?;
        let all: Vec<(String, String)> = table
            .key
            .iter()
            .chain(&table.columns)
            .map(|(name, sql)| (name.clone(), sql.clone()))
            .collect();
        let Columns { compared: columns, left_out } = survey.columns(&entity.name)?;
        let place = |(name, _): &(String, Family)| all.iter().position(|(one, _)| one == name);
        let places = columns.iter().filter_map(place).collect();
        let of_entity = account.holes.iter().filter(|hole| hole.entity == entity.name);
        Ok(Work {
            survey: Arc::clone(survey),
            runtime: Handle::current(),
            expr: Expr::compile(entity, &all)?,
            entity: entity.clone(),
            columns,
            places,
            left_out,
            key_count: table.key.len(),
            is_shared: table.shared,
            digits: DIGITS,
            parked: of_entity.map(|hole| hole.key.clone()).collect(),
            drift_max: self.limits.drift_rows_max,
        })
    }
}

impl Work {
    fn compare(mut self, reader: &Reader, event: u64, pair: &str) -> Result<Option<Outcome>> {
        let entity = self.entity.clone();
        let at_micros = jiff::Timestamp::now().as_microsecond();
        past::at(reader, &entity, event, |past| {
            if past.count()? >= ROWS_MANY {
                self.digits += 1;
            }
            let (ours, rows) = self.digests(past)?;
            let theirs = self.runtime.block_on(self.survey.digests(&entity.name, self.digits))?;
            let (mut drifts, mut differing_rows) = (Vec::new(), 0);
            for buckets in differing(&ours, &theirs).chunks(BUCKETS_AT_ONCE) {
                let found = self.drill(past, buckets)?;
                differing_rows += found.len() as u64;
                let room = self.drift_max.saturating_sub(drifts.len());
                drifts.extend(found.into_iter().take(room));
            }
            let keys: BTreeSet<String> =
                drifts.iter().map(|drift: &Drift| drift.key.clone()).collect();
            if !keys.is_empty() {
                let mut sources = past.provenance(&keys)?;
                for drift in &mut drifts {
                    drift.source_rows = sources.remove(&drift.key);
                }
            }
            let comparison = Comparison {
                pair: pair.to_owned(),
                entity: entity.name.clone(),
                at_micros,
                rows,
                differing: differing_rows,
                pending: self.parked.len() as u64,
                left_out: self.left_out.clone(),
            };
            Ok(Outcome { comparison, drifts })
        })
    }

    /// Our digests by bucket, without what is parked, and how many rows they are of.
    fn digests(&self, past: &Past<'_>) -> Result<(BTreeMap<String, Digest>, u64)> {
        let (mut digests, mut rows) = (BTreeMap::<String, Digest>::new(), 0);
        self.each(past, |_, cells| {
            let key = row_text(cells.iter().take(self.key_count).map(Option::as_deref));
            let row = row_text(cells.iter().map(Option::as_deref));
            digests.entry(bucket(&key, self.digits)).or_default().add(lanes(&row));
            rows += 1;
        })?;
        Ok((digests, rows))
    }

    /// The rows of some buckets that differ.
    fn drill(&self, past: &Past<'_>, buckets: &[String]) -> Result<Vec<Drift>> {
        let mut ours: BTreeMap<String, Expected> = BTreeMap::new();
        let mut parked: BTreeSet<String> = BTreeSet::new();
        self.every(past, |key, cells| {
            let text = row_text(cells.iter().take(self.key_count).map(Option::as_deref));
            if self.parked.contains(&key) {
                parked.insert(text);
            } else if buckets.contains(&bucket(&text, self.digits)) {
                ours.insert(text, Expected { key, cells });
            }
        })?;
        let found = self.survey.rows(&self.entity.name, self.digits, buckets);
        let mut theirs: BTreeMap<String, Vec<Cells>> = BTreeMap::new();
        for row in self.runtime.block_on(found)? {
            let text = row_text(row.cells.iter().take(self.key_count).map(Option::as_deref));
            if !parked.contains(&text) {
                theirs.entry(text).or_default().push(row.cells);
            }
        }
        let names: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let judge = Judge { columns: &names, key_count: self.key_count, is_shared: self.is_shared };
        let mut drifts = Vec::new();
        let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for key in keys {
            let mut failed = None;
            let was = |row: &Expected| {
                self.earlier(past, &row.key).unwrap_or_else(|error| {
                    failed = Some(error);
                    Vec::new()
                })
            };
            drifts.extend(judge.judge(ours.get(key), rows_of(&theirs, key), was));
            if let Some(error) = failed {
                return Err(error);
            }
        }
        // A parked key that is not there yet has no row of ours to be left out with.
        drifts.retain(|drift| !self.parked.contains(&drift.key));
        Ok(drifts)
    }

    /// What a row of the target was in earlier states.
    fn earlier(&self, past: &Past<'_>, key: &str) -> Result<Vec<Cells>> {
        let states = past.earlier(key, STATES_MAX)?;
        Ok(self.rendered(&states.iter().collect::<Vec<_>>())?.into_iter().flatten().collect())
    }

    fn each(&self, past: &Past<'_>, mut take: impl FnMut(String, Cells)) -> Result<()> {
        self.every(past, |key, cells| {
            if !self.parked.contains(&key) {
                take(key, cells);
            }
        })
    }

    /// All rows as the target must have them. One that cannot be rendered is parked there.
    fn every(&self, past: &Past<'_>, mut take: impl FnMut(String, Cells)) -> Result<()> {
        past.each(ROWS_AT_ONCE, |rows| {
            let states: Vec<&Row> = rows.iter().map(|(_, row)| row).collect();
            let rendered = self.rendered(&states)?;
            for ((key, _), cells) in rows.iter().zip(rendered) {
                if let Some(cells) = cells {
                    take(key.clone(), cells);
                }
            }
            Ok(())
        })
    }

    /// Canonical texts of rendered rows; `None` for one that cannot be rendered.
    fn rendered(&self, rows: &[&Row]) -> Result<Vec<Option<Cells>>> {
        match self.expr.render(rows) {
            Ok(all) => Ok(all.into_iter().map(|cells| Some(self.canonical(&cells))).collect()),
            Err(error) if rows.len() > 1 && error.kind() == ErrorKind::Rejected => {
                let mut found = Vec::with_capacity(rows.len());
                for row in rows {
                    found.extend(self.rendered(&[*row])?);
                }
                Ok(found)
            }
            Err(error) if error.kind() == ErrorKind::Rejected => Ok(vec![None]),
            Err(error) => Err(error),
        }
    }

    fn canonical(&self, cells: &[Option<String>]) -> Cells {
        let one = |(place, (_, family)): (&usize, &(String, Family))| {
            let text = cells.get(*place)?.as_deref()?;
            // What is no value of its type cannot be there: it is compared as it is, and differs.
            Some(family.canonical(text).unwrap_or_else(|| text.to_owned()))
        };
        self.places.iter().zip(&self.columns).map(one).collect()
    }
}
