//! From canonical rows to the target's cells: the operator's SQL, set-wise.

use std::collections::BTreeMap;

use super::plan::Draft;
use super::soft::{self, Instead, Soft};
use crate::canon::Entity;
use crate::canon::event::Row;
use crate::config::TargetConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::store::expr::Expr;
use crate::target::{Apply, TargetRow};

/// The compiled columns of every entity a target takes.
pub(super) struct Renderer {
    columns: BTreeMap<String, Columns>,
}

/// The expressions of one entity: key cells first, then the others.
struct Columns {
    all: Expr,
    key: Expr,
    key_count: usize,
    soft: Vec<Soft>,
}

/// A row whose cells could not be rendered: parked like one the target refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unrendered {
    /// The entity.
    pub(super) entity: String,
    /// The canonical key.
    pub(super) key: String,
    /// Why, without row values.
    pub(super) words: String,
}

impl Renderer {
    /// # Errors
    /// [`ErrorKind::Config`] naming the expression.
    pub(super) fn new(entities: &[Entity], config: &TargetConfig) -> Result<Self> {
        let mut columns = BTreeMap::new();
        for entity in entities {
            let Some(table) = config.entity.get(&entity.name) else { continue };
            let key: Vec<(String, String)> =
                table.key.iter().map(|(name, sql)| (name.clone(), sql.clone())).collect();
            let others = table.columns.iter().map(|(name, sql)| (name.clone(), sql.clone()));
            let all: Vec<(String, String)> = key.iter().cloned().chain(others).collect();
            let compiled = Columns {
                all: Expr::compile(entity, &all)?,
                key: Expr::compile(entity, &key)?,
                key_count: key.len(),
                soft: soft::of(entity, table)?,
            };
            columns.insert(entity.name.clone(), compiled);
        }
        Ok(Self { columns })
    }

    /// Renders drafts into `apply`. Rows that cannot be rendered are parked in it and returned.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`] for an entity the target does not take.
    pub(super) fn render(&self, apply: &mut Apply, drafts: Vec<Draft>) -> Result<Vec<Unrendered>> {
        let mut unrendered = Vec::new();
        let mut run: Vec<Draft> = Vec::new();
        for draft in drafts {
            if run.last().is_some_and(|last| kind_of(last) != kind_of(&draft)) {
                self.render_run(apply, std::mem::take(&mut run), &mut unrendered)?;
            }
            run.push(draft);
        }
        self.render_run(apply, run, &mut unrendered)?;
        Ok(unrendered)
    }

    /// Renders drafts of one entity, all upserts or all removals.
    fn render_run(
        &self,
        apply: &mut Apply,
        drafts: Vec<Draft>,
        unrendered: &mut Vec<Unrendered>,
    ) -> Result<()> {
        let Some(first) = drafts.first() else { return Ok(()) };
        let columns = self.columns.get(&first.entity).ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("the target does not take {}", first.entity))
        })?;
        let nothing = Row::new();
        let rows: Vec<&Row> = drafts.iter().map(|draft| columns.source(draft, &nothing)).collect();
        match columns.expr(first).render(&rows) {
            Ok(cells) => {
                let soft: Vec<Vec<Instead>> = columns.soft(&drafts);
                let rendered = drafts.into_iter().zip(cells).zip(soft);
                let row = |((draft, cells), soft)| columns.row(draft, cells, soft);
                apply.rows.extend(rendered.map(row));
            }
            Err(error) if drafts.len() == 1 => {
                let words = error.chain();
                for draft in drafts {
                    let (entity, key) = (draft.entity.clone(), draft.key.clone());
                    unrendered.push(Unrendered { entity, key, words: words.clone() });
                    draft.park(apply);
                }
            }
            // One row spoils a set: halve it until that row is alone.
            Err(_) => {
                let mut drafts = drafts;
                let rest = drafts.split_off(drafts.len() / 2);
                self.render_run(apply, drafts, unrendered)?;
                self.render_run(apply, rest, unrendered)?;
            }
        }
        Ok(())
    }
}

impl Columns {
    fn expr(&self, draft: &Draft) -> &Expr {
        if draft.row.is_some() { &self.all } else { &self.key }
    }

    /// A removal renders its key from the row that was there.
    fn source<'a>(&self, draft: &'a Draft, nothing: &'a Row) -> &'a Row {
        draft.row.as_ref().or(draft.old.as_ref()).unwrap_or(nothing)
    }

    /// Per row, how it looks without each of its soft references.
    fn soft(&self, drafts: &[Draft]) -> Vec<Vec<Instead>> {
        let rows: Vec<Option<&Row>> = drafts.iter().map(|draft| draft.row.as_ref()).collect();
        let mut all = vec![Vec::new(); rows.len()];
        for soft in &self.soft {
            for (all, instead) in all.iter_mut().zip(soft.instead(&rows)) {
                all.extend(instead);
            }
        }
        all
    }

    fn row(&self, draft: Draft, mut cells: Vec<Option<String>>, soft: Vec<Instead>) -> TargetRow {
        let others = cells.split_off(self.key_count.min(cells.len()));
        TargetRow { soft, ..draft.rendered(cells, others) }
    }
}

/// Drafts that are rendered together.
fn kind_of(draft: &Draft) -> (&str, bool) {
    (draft.entity.as_str(), draft.row.is_some())
}
