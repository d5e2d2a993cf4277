//! One key of a PostgreSQL table, looked up in its index: where a part of it may be parted.

use std::pin::pin;

use futures_util::StreamExt;

use super::catalog::{quote, quoted};
use super::copy::{PostgresCopier, compared};
use super::copy_text::CopyText;
use super::session::Asked;
use crate::change::{Cell, Column, TableName};
use crate::error::Result;
use crate::source::span::{Bound, Edge};

impl PostgresCopier {
    /// See [`crate::source::Copier::part`]. One index entry is looked at, or so many as are passed over; whether
    /// it lies within the bounds is asked of that one, so that no server gets the idea of beginning at another.
    ///
    /// # Errors
    /// As [`PostgresCopier::chunk`].
    pub(in crate::source) async fn key(
        &self,
        name: &TableName,
        (bound, edge, nth): (Option<Bound<'_>>, Edge, u32),
        within: &[Bound<'_>],
    ) -> Result<Option<Vec<Cell>>> {
        let what = || format!("could not look for a key of {name}");
        let (listed, table) = self.described(name).await?;
        if table.is_keyless() {
            return Ok(None);
        }
        let key: Vec<&Column> = table.key().filter_map(|at| table.columns.get(at)).collect();
        let names: Vec<String> = key.iter().map(|column| quote(&column.name)).collect();
        let compared = |bound: &Bound<'_>| compared(&table, &key, *bound);
        let bound = bound.as_ref().map(compared).transpose()?;
        let within: Vec<String> = within.iter().map(compared).collect::<Result<_>>()?;
        let order: Vec<String> =
            names.iter().map(|name| format!("{name}{}", edge.order())).collect();
        // (Children by plain inheritance are tables of their own.)
        let only = if listed.is_partitioned { "" } else { "ONLY " };
        let sql = format!(
            "COPY (SELECT * FROM (SELECT {} FROM {only}{}{} ORDER BY {} LIMIT 1 OFFSET {nth}) AS found \
             {}) TO STDOUT",
            names.join(", "),
            quoted(name),
            bound.map(|bound| format!(" WHERE {bound}")).unwrap_or_default(),
            order.join(", "),
            if within.is_empty() {
                String::new()
            } else {
                format!("WHERE {}", within.join(" AND "))
            },
        );
        let mut data = pin!(self.client.copy_out(&sql).await.asking(what)?);
        let mut text = CopyText::default();
        while let Some(piece) = data.next().await {
            text.push(&piece.asking(what)?);
        }
        Ok(text.next_row())
    }
}
