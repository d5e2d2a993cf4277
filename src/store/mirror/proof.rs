//! Which tables have cells that nobody has shown: something changed them untold. A resync that begins
//! afterwards, and comes to its end, proves them.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::params;

use super::reshape::Followed;
use super::{MirrorState, is_orphan};
use crate::change::TableName;
use crate::error::Result;
use crate::store::collapse::Collapsed;
use crate::store::refusal::InStore;
use crate::store::{Store, execute};

/// By source and table, whether it must be copied as if for the first time.
type Waiting = BTreeMap<String, BTreeMap<String, bool>>;

/// Why a table is copied again of which only some rows are chosen.
pub(super) const COMES: &str = "a row that is chosen now, and not told whole";

impl Store {
    /// Rows that left what is chosen and came back, without all of their cells, stay away until a copy has
    /// shown them: what they lack may have changed meanwhile, unseen.
    pub(super) fn keep_away(
        &mut self,
        source: &str,
        name: &TableName,
        collapsed: &mut Collapsed,
    ) -> Result<()> {
        let mut is_any = false;
        for row in collapsed.rows.values_mut().filter(|row| is_orphan(row)) {
            row.cells = None;
            is_any = true;
        }
        if is_any { self.note_unproven(source, &name.to_string(), COMES) } else { Ok(()) }
    }

    pub(super) fn note_unproven(&mut self, source: &str, table: &str, columns: &str) -> Result<()> {
        self.is_doubt_new = true;
        self.prove(source, table, false)?;
        self.connection
            .execute(
                "INSERT INTO ops.unproven VALUES (?, ?, ?, false)",
                params![source, table, columns],
            )
            .map(drop)
            .in_store(|| format!("could not note that {table} of {source} is unproven"))
    }

    /// Rows of the table could not be read, or not be told to be its: it must be copied again, and so must
    /// those that follow it by foreign keys. Mappings wait for them, if they are evaluated at all by now.
    pub(super) fn doubt_unread(
        &mut self,
        source: &str,
        name: &TableName,
        why: &str,
        followed: &mut Followed,
    ) -> Result<()> {
        let mut reached = vec![name.clone()];
        let mut next = 0;
        while let Some(parent) = reached.get(next).cloned() {
            next += 1;
            for child in self.mirrors.of_source(source) {
                let follows = child.table.cascades.iter().any(|cascade| cascade.parent == parent);
                if follows && !reached.contains(child.name()) {
                    reached.push(child.name().clone());
                }
            }
        }
        for name in reached {
            let Some(mirror) = self.mirrors.find(source, &name).cloned() else { continue };
            self.note_unproven(source, &name.to_string(), why)?;
            followed.has_changed = true;
            let guessed = followed.guessed.entry(source.to_owned()).or_default();
            guessed.insert(mirror.mirror);
        }
        Ok(())
    }

    /// Whether the table is to be copied again.
    pub(super) fn is_unproven(&self, source: &str, name: &TableName) -> Result<bool> {
        let what = || format!("could not read whether {name} of {source} is unproven");
        let sql = "SELECT count(*) > 0 FROM ops.unproven WHERE source = ? AND table_name = ?";
        self.connection
            .query_row(sql, params![source, name.to_string()], |row| row.get(0))
            .in_store(what)
    }

    /// A resync of the table begins: what is unproven now is proven by its end.
    pub(super) fn begin_proof(&self, source: &str, table: &str) -> Result<()> {
        let what = || format!("could not note that {table} of {source} is copied again");
        let again = "CREATE OR REPLACE TEMP TABLE proving AS SELECT * FROM ops.unproven
                     WHERE source = ? AND table_name = ?";
        self.connection.execute(again, params![source, table]).in_store(what)?;
        self.prove(source, table, false)?;
        let insert = "INSERT INTO ops.unproven SELECT DISTINCT source, table_name, columns, true
                      FROM temp.main.proving";
        execute(&self.connection, insert, what)?;
        execute(&self.connection, "DROP TABLE temp.main.proving", what).map(drop)
    }

    /// The resync of the table was stopped: what was unproven still is, and another one begins.
    pub(super) fn give_up_proof(&self, source: &str, table: &str) -> Result<()> {
        let sql = "UPDATE ops.unproven SET copying = false WHERE source = ? AND table_name = ?";
        self.connection
            .execute(sql, params![source, table])
            .map(drop)
            .in_store(|| format!("could not note that {table} of {source} is unproven"))
    }

    /// A table is proven; with `by_copy` only as far as it was when its resync began.
    pub(super) fn prove(&self, source: &str, table: &str, by_copy: bool) -> Result<()> {
        let only = if by_copy { " AND copying" } else { "" };
        let sql = format!("DELETE FROM ops.unproven WHERE source = ? AND table_name = ?{only}");
        self.connection
            .execute(&sql, params![source, table])
            .map(drop)
            .in_store(|| format!("could not note that {table} of {source} is proven"))
    }

    /// Whether a table became unproven since this was last asked.
    pub fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.is_doubt_new)
    }

    /// Tables whose mirrors have cells that nobody has shown, by source; and those of them that are not
    /// being copied again yet.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn unproven(&self) -> Result<(BTreeSet<String>, Waiting)> {
        let what = || "could not read which tables are unproven".to_owned();
        let mut statement = self
            .connection
            .prepare("SELECT source, table_name, bool_and(copying) FROM ops.unproven GROUP BY ALL")
            .in_store(what)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let (mut sources, mut waiting) = (BTreeSet::new(), Waiting::new());
        for row in rows.in_store(what)? {
            let (source, table, is_copied): (String, String, bool) = row.in_store(what)?;
            sources.insert(source.clone());
            if !is_copied {
                let is_outdated = self.mirrors.of_source(&source).any(|mirror| {
                    mirror.state == MirrorState::Outdated && mirror.name().to_string() == table
                });
                waiting.entry(source).or_default().insert(table, is_outdated);
            }
        }
        Ok((sources, waiting))
    }
}
