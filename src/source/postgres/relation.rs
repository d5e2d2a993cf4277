//! Relation messages: what a table is at one place in the log. Pure.
//!
//! Names, columns and identity are true as of that place; everything else (the order of the key,
//! what a type is) is looked up and joined in here.

use bytes::{Buf, Bytes};

use super::catalog::{RawColumn, rank};
use crate::change::{Column, Table, TableName};
use crate::error::{Error, ErrorKind, Result};

/// A decoded Relation message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    /// The table's oid.
    pub(crate) oid: u32,
    /// Its name at this place in the log.
    pub(crate) name: TableName,
    /// Its replica identity covers the whole row: then every column is flagged, and the flags
    /// say nothing.
    is_full: bool,
    /// Its columns, in the order of the rows that follow.
    pub(crate) columns: Vec<RawColumn>,
    /// Per column, whether it is part of the replica identity.
    flagged: Vec<bool>,
}

impl Relation {
    /// Reads a whole message, its first byte `R` included.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is malformed.
    pub(crate) fn parse(message: &Bytes) -> Result<Self> {
        read(message.clone())
            .ok_or_else(|| Error::new(ErrorKind::Decode, "malformed relation message in the log"))
    }

    /// The table at this place: `typed` are the columns as looked up, `catalog_key` is the key
    /// the catalog shows now (`None` if the table is gone).
    ///
    /// Which columns are the key, the message knows better (it is older than the catalog); in
    /// which order, only the catalog knows. Under FULL only the catalog knows either.
    pub(crate) fn table(&self, typed: Vec<Column>, catalog_key: Option<&[String]>) -> Table {
        let named = |column: &String| self.columns.iter().any(|known| known.name == *column);
        let flagged: Vec<String> = self
            .columns
            .iter()
            .zip(&self.flagged)
            .filter(|(_, flagged)| **flagged && !self.is_full)
            .map(|(column, _)| column.name.clone())
            .collect();
        let catalog_key = catalog_key.unwrap_or_default();
        let agrees = if self.is_full {
            catalog_key.iter().all(named)
        } else {
            catalog_key.len() == flagged.len() && flagged.iter().all(|c| catalog_key.contains(c))
        };
        let key = if agrees { catalog_key } else { &flagged };
        let mut columns = typed;
        for column in &mut columns {
            column.key = rank(key, &column.name);
        }
        let name = self.name.clone();
        Table {
            id: u64::from(self.oid),
            name,
            columns,
            cascades: Vec::new(),
            left_out: Vec::new(),
            rows: None,
        }
    }
}

fn read(mut message: Bytes) -> Option<Relation> {
    if message.try_get_u8().ok()? != b'R' {
        return None;
    }
    let oid = message.try_get_u32().ok()?;
    let schema = read_name(&mut message)?;
    // pgoutput leaves the schema empty for pg_catalog.
    let schema = if schema.is_empty() { "pg_catalog".to_owned() } else { schema };
    let name = TableName::new(schema, read_name(&mut message)?);
    let is_full = message.try_get_u8().ok()? == b'f';
    let count = message.try_get_u16().ok()?;
    let mut columns = Vec::new();
    let mut flagged = Vec::new();
    for _ in 0..count {
        flagged.push(message.try_get_u8().ok()? & 1 == 1);
        let name = read_name(&mut message)?;
        let type_oid = message.try_get_u32().ok()?;
        columns.push(RawColumn { name, type_oid, modifier: message.try_get_i32().ok()? });
    }
    message.is_empty().then_some(Relation { oid, name, is_full, columns, flagged })
}

/// A zero-terminated name. Names in a database without a declared encoding may be anything.
fn read_name(message: &mut Bytes) -> Option<String> {
    let end = message.iter().position(|byte| *byte == 0)?;
    let name = message.split_to(end);
    message.advance(1);
    Some(String::from_utf8_lossy(&name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Kind;
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    fn message(identity: u8, columns: &[(&str, bool)]) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u8(b'R');
        out.put_u32(16_400);
        out.put_slice(b"public\0person\0");
        out.put_u8(identity);
        out.put_u16(u16::try_from(columns.len()).unwrap());
        for (name, flagged) in columns {
            out.put_u8(u8::from(*flagged));
            out.put_slice(name.as_bytes());
            out.put_u8(0);
            out.put_u32(25);
            out.put_i32(-1);
        }
        out.freeze()
    }

    fn key(identity: u8, columns: &[(&str, bool)], catalog: Option<&[&str]>) -> Vec<String> {
        let relation = Relation::parse(&message(identity, columns)).unwrap();
        let typed = columns
            .iter()
            .map(|(name, _)| Column {
                name: (*name).to_owned(),
                source_type: "text".to_owned(),
                kind: Kind::Text,
                key: None,
            })
            .collect();
        let catalog: Option<Vec<String>> =
            catalog.map(|key| key.iter().map(|&name| name.to_owned()).collect());
        let table = relation.table(typed, catalog.as_deref());
        table.key().map(|place| table.columns[place].name.clone()).collect()
    }

    #[test]
    fn the_message_says_what_the_key_is_and_the_catalog_in_which_order() {
        let columns = [("a", true), ("b", true), ("c", false)];
        assert_eq!(key(b'd', &columns, Some(&["b", "a"])), ["b", "a"]);
        // Renamed, re-keyed or dropped since.
        assert_eq!(key(b'd', &columns, Some(&["b", "z"])), ["a", "b"]);
        assert_eq!(key(b'd', &columns, Some(&["c"])), ["a", "b"]);
        assert_eq!(key(b'i', &columns, None), ["a", "b"]);
    }

    #[test]
    fn under_full_every_flag_is_set_and_only_the_catalog_knows() {
        let columns = [("a", true), ("b", true)];
        assert_eq!(key(b'f', &columns, Some(&["b"])), ["b"]);
        assert!(key(b'f', &columns, None).is_empty());
        assert!(key(b'f', &columns, Some(&["z"])).is_empty());
    }

    proptest! {
        #[test]
        fn mutated_messages_do_not_panic(
            places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = message(b'd', &[("a", true), ("b", false)]).to_vec();
            for (place, byte) in places {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            Relation::parse(&Bytes::from(bytes)).ok();
        }
    }
}
