//! What the tables of an event were made of at its place in the log.

use super::dialect::Dialect;
use super::event::{Event, kind};
use super::session::Address;
use super::{binlog, catalog, table_map};
use crate::change::{Table, TableName};
use crate::error::{Error, ErrorKind, Result};

/// The tables that `event` needs: as they were there, if it is a table map, with what only the
/// catalog knows; else as the catalog shows them. One that is gone by now is only named.
pub(super) async fn read(
    address: Address,
    event: Event,
    names: Vec<TableName>,
) -> Result<Vec<Table>> {
    let dialect: Dialect = address.dialect();
    let mut connection = address.connect().await?;
    let described = catalog::describe(&address, &mut connection, &names).await?;
    connection.disconnect().await.unwrap_or_default();
    let mut tables = Vec::with_capacity(names.len());
    for name in &names {
        let described = described.iter().find(|described| described.table.name == *name);
        let untold = described.map_or(&[][..], |described| &described.untold);
        let known = described.map_or_else(|| gone(name), |described| described.table.clone());
        if event.kind != kind::TABLE_MAP {
            tables.push(known);
            continue;
        }
        let log = table_map::parse(&event.body, dialect).ok_or_else(|| {
            Error::new(ErrorKind::Decode, format!("could not read the table map of {name}"))
        })?;
        let merged = table_map::merge(&log, &known).ok_or_else(|| binlog::nameless(name))?;
        tables.push(address.choice().narrow(merged, untold));
    }
    Ok(tables)
}

/// A table of which nothing is left but its name.
fn gone(name: &TableName) -> Table {
    let id = catalog::table_id(name);
    Table {
        id,
        name: name.clone(),
        columns: Vec::new(),
        cascades: Vec::new(),
        left_out: Vec::new(),
        rows: None,
    }
}
