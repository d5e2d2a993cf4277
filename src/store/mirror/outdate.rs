//! Tables that changed so that their mirrors cannot follow: another key or foreign key, another table under
//! the name, anything while a table is copied for the first time.
//!
//! ```text
//!  outdated: rows stay as they were, mappings that read them wait, the log is passed by ─► capture begins a
//!  copy as if for the first time ─► the source is evaluated again once it is done
//! ```

use super::registry::difference;
use super::reshape::{Followed, Shape, can_be_kept, rewritten};
use super::{MirrorState, MirrorTable};
use crate::change::{Table, TableName};
use crate::error::Result;
use crate::store::Store;

impl Store {
    /// Values of a table changed untold: a copy under the mirror shows them. One that is copied for the first
    /// time begins anew, because nobody can tell which of its chunks were read before.
    pub(super) fn doubt(
        &mut self,
        source: &str,
        name: &TableName,
        followed: &mut Followed,
    ) -> Result<()> {
        let mirror = self.mirrors.find(source, name);
        let what = match mirror.is_some_and(|mirror| mirror.table.rows.is_some()) {
            true => "by an ALTER TABLE, or what `rows` asks for of a row that does not tell it",
            false => "by an ALTER TABLE",
        };
        match mirror.map(|mirror| mirror.state) {
            None => Ok(()),
            Some(state) if state.is_whole() => {
                followed.has_changed = true;
                self.note_unproven(source, &name.to_string(), what)
            }
            Some(_) => self.outdate(source, name, what, followed),
        }
    }

    /// A mirror that could not follow the columns at the end of the batch.
    pub(super) fn give_up_following(
        &mut self,
        source: &str,
        name: &TableName,
        shape: &Shape,
        followed: &mut Followed,
    ) -> Result<()> {
        let Some(mirror) = self.mirrors.find(source, name) else { return Ok(()) };
        let strange = match mirror.state.is_whole() {
            // It followed, or could not.
            true => difference(&shape.table.columns, &mirror.table.columns),
            false => shape.strange.clone(),
        };
        match strange.filter(|_| can_be_kept(&shape.table)) {
            Some(columns) => self.outdate(source, name, &columns, followed),
            None => Ok(()),
        }
    }

    /// A table became another one. Those that follow it by foreign keys follow the other one from here on, or
    /// the one that it was, under its new name: which, only the catalog says.
    pub(super) fn outdate_replaced(
        &mut self,
        source: &str,
        name: &TableName,
        followed: &mut Followed,
    ) -> Result<()> {
        self.outdate(source, name, "another table, key or foreign key", followed)?;
        self.outdate_children(source, name, followed)
    }

    fn outdate_children(
        &mut self,
        source: &str,
        name: &TableName,
        followed: &mut Followed,
    ) -> Result<()> {
        let follows = |mirror: &&MirrorTable| {
            mirror.table.cascades.iter().any(|cascade| cascade.parent == *name)
        };
        let children: Vec<TableName> =
            self.mirrors.of_source(source).filter(follows).map(|one| one.name().clone()).collect();
        for child in children {
            self.outdate(source, &child, "the foreign key to another table", followed)?;
        }
        Ok(())
    }

    /// The mirror cannot follow any more: what the log has of the table is passed by until a copy begins
    /// anew, for which mappings wait. What foreign keys do to its rows unseen is not known meanwhile, nor what
    /// that does to the rows of those that follow it: they are copied after it.
    pub(super) fn outdate(
        &mut self,
        source: &str,
        name: &TableName,
        columns: &str,
        followed: &mut Followed,
    ) -> Result<()> {
        let Some(mirror) = self.mirrors.find(source, name).cloned() else { return Ok(()) };
        tracing::warn!(
            source,
            table = %name,
            columns,
            "a table changed so that its mirror cannot follow: it is copied anew"
        );
        self.give_up_resync(source, name)?;
        self.forget_copy(&mirror)?;
        self.note_unproven(source, &name.to_string(), columns)?;
        followed.has_changed = true;
        let guessed = followed.guessed.entry(source.to_owned()).or_default();
        guessed.insert(mirror.mirror.clone());
        let changes_unseen = !mirror.table.cascades.is_empty();
        let outdated = MirrorTable { state: MirrorState::Outdated, truncated: None, ..mirror };
        self.mirrors.put(&self.connection, outdated)?;
        if changes_unseen { self.outdate_children(source, name, followed) } else { Ok(()) }
    }
}

/// The columns of a table that a mirror which cannot follow does not have so.
pub(super) fn strange_to(table: &Table, mirror: &MirrorTable) -> Option<String> {
    let kept = &mirror.table.columns;
    let rewritten = rewritten(&table.columns, kept);
    let rewritten = (!rewritten.is_empty()).then(|| rewritten.join(", "));
    difference(&table.columns, kept).or(rewritten)
}
