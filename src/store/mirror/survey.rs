//! A mirror as it is in one snapshot: which tables there are, and their digests.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Connection;

use super::MirrorTable;
use super::registry::Mirrors;
use super::sql::mirror_name;
use crate::change::keyless::is_own;
use crate::change::{Column, Kind};
use crate::digest::{Digest, Equals, Family, Hash, golden, store};
use crate::error::{Error, ErrorKind, Result};
use crate::store::reader::{self, Reader};
use crate::store::refusal::InStore;
use crate::store::types::quoted;

/// How the values of a column are compared; `None`: they have no text that is the same everywhere.
#[must_use]
pub fn family(kind: Kind) -> Option<Family> {
    Some(match kind {
        Kind::Boolean => Family::Boolean,
        Kind::Int { .. } | Kind::Unsigned { .. } | Kind::Decimal { .. } => Family::Number,
        Kind::Date => Family::Date,
        Kind::Time => Family::Time,
        Kind::Timestamp => Family::Timestamp,
        Kind::TimestampTz => Family::TimestampTz,
        Kind::Uuid | Kind::Json | Kind::Text => Family::Text,
        Kind::Bytes => Family::Bytes,
        Kind::Float4 | Kind::Float8 | Kind::Interval => return None,
    })
}

/// The columns of a table that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Name and family of each, key first.
    pub columns: Vec<(String, Family)>,
    /// How many of them are the key.
    pub key_count: usize,
    /// Names of the others.
    pub left_out: Vec<String>,
    /// What rows and keys are hashed with.
    pub hash: Hash,
    /// The table has no key: rows may be there several times, and are counted.
    pub is_keyless: bool,
}

impl Compared {
    /// Of a mirrored table; `misspelled` families cannot be compared.
    ///
    /// # Errors
    /// [`ErrorKind::Setup`] if a column of the key cannot be.
    pub fn of(table: &MirrorTable, misspelled: &BTreeSet<Family>, hash: Hash) -> Result<Self> {
        let of = |column: &Column| {
            let is_stamp = column.kind == Kind::Text && column.source_type.starts_with("timestamp");
            let family = if is_stamp { Some(Family::Stamp) } else { family(column.kind) };
            family.filter(|family| !misspelled.contains(family))
        };
        let all = &table.table.columns;
        if table.table.is_keyless() {
            return Ok(Self::whole_rows(all, of, hash));
        }
        let (mut columns, mut left_out) = (Vec::new(), Vec::new());
        for column in table.table.key().filter_map(|place| all.get(place)) {
            let Some(family) = of(column) else {
                let what =
                    format!("{}: key column {} cannot be compared", table.name(), column.name);
                return Err(Error::new(ErrorKind::Setup, what)
                    .hint("its type has no text that is the same everywhere"));
            };
            columns.push((column.name.clone(), family));
        }
        let key_count = columns.len();
        for column in all.iter().filter(|column| column.key.is_none()) {
            match of(column) {
                Some(family) => columns.push((column.name.clone(), family)),
                None => left_out.push(column.name.clone()),
            }
        }
        Ok(Self { columns, key_count, left_out, hash, is_keyless: false })
    }

    /// Of a table without a key: rows are told apart by all that is compared. Our own columns no source has.
    fn whole_rows(all: &[Column], of: impl Fn(&Column) -> Option<Family>, hash: Hash) -> Self {
        let (mut columns, mut left_out) = (Vec::new(), Vec::new());
        for column in all.iter().filter(|column| !is_own(column)) {
            match of(column) {
                Some(family) => columns.push((column.name.clone(), family)),
                None => left_out.push(column.name.clone()),
            }
        }
        Self { key_count: columns.len(), columns, left_out, hash, is_keyless: true }
    }
}

/// Whether all tables of a source were copied once.
///
/// # Errors
/// [`ErrorKind::Store`].
pub fn is_ready(reader: &Reader, source: &str) -> Result<bool> {
    reader.snapshot(|connection| Ok(Mirrors::load(connection)?.is_ready(source)))
}

/// One snapshot of a source's mirror.
#[derive(Debug)]
pub struct MirrorSurvey<'a> {
    connection: &'a Connection,
    /// The tables that are copied.
    pub tables: Vec<MirrorTable>,
    /// The last entry of the journal that is in it.
    pub journal_seq: u64,
    /// Whether it is in the middle of a transaction.
    pub is_divided: bool,
}

/// Reads the mirror of a source in one snapshot.
///
/// # Errors
/// [`ErrorKind::Store`], or what `read` returns.
pub fn survey<T>(
    reader: &Reader,
    source: &str,
    read: impl FnOnce(&MirrorSurvey<'_>) -> Result<T>,
) -> Result<T> {
    reader.snapshot(|connection| {
        let mark = reader::mark(connection)?;
        let mirrors = Mirrors::load(connection)?;
        let done = |table: &&MirrorTable| table.state.is_whole();
        let tables = mirrors.of_source(source).filter(done).cloned().collect();
        let (journal_seq, is_divided) = (mark.journal_seq, mark.part > 0);
        read(&MirrorSurvey { connection, tables, journal_seq, is_divided })
    })
}

impl MirrorSurvey<'_> {
    /// The families that DuckDB spells otherwise than was written down.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn misspelled(&self) -> Result<BTreeSet<Family>> {
        let mut misspelled = BTreeSet::new();
        for vector in golden::VECTORS {
            let literal = vector.value.replace('\'', "''");
            let value = match vector.family {
                Family::Bytes => format!("from_hex('{}')", literal.replace("\\x", "")),
                family => format!("CAST('{literal}' AS {})", store::type_of(family)),
            };
            let sql = format!("SELECT {}", store::text(vector.family, &value));
            let text: Option<String> =
                self.connection.query_row(&sql, [], |row| row.get(0)).unwrap_or(None);
            if text.as_deref() != Some(vector.canonical) {
                misspelled.insert(vector.family);
            }
        }
        Ok(misspelled)
    }

    /// Digests of a mirrored table by bucket.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn digests(
        &self,
        table: &MirrorTable,
        compared: &Compared,
        digits: usize,
    ) -> Result<BTreeMap<String, Digest>> {
        let what = || format!("could not digest the mirror of {}", table.name());
        let (all, key) = texts(compared);
        let sql = format!(
            "SELECT substr({}, 1, {digits}), count(*), {} FROM (SELECT k, {} AS h FROM \
             (SELECT {} AS k, {} AS r FROM {} AS t)) GROUP BY 1",
            store::hash(compared.hash, "k"),
            store::sums("h"),
            store::hash(compared.hash, "r"),
            store::row_text(&key),
            store::row_text(&all),
            mirror_name(table),
        );
        let mut statement = self.connection.prepare(&sql).in_store(what)?;
        let rows = statement.query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, String>(3)?,
            ))
        });
        let mut digests = BTreeMap::new();
        for row in rows.in_store(what)? {
            let (bucket, count, first, second) = row.in_store(what)?;
            let lane = |text: &str| text.parse().unwrap_or(0);
            let count = u64::try_from(count).unwrap_or(0);
            let lanes = [lane(&first), lane(&second)];
            digests.insert(bucket, Digest { count, lanes });
        }
        Ok(digests)
    }

    /// Canonical texts of the rows of some buckets, key first.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn rows(
        &self,
        table: &MirrorTable,
        compared: &Compared,
        digits: usize,
        buckets: &[String],
    ) -> Result<Vec<Vec<Option<String>>>> {
        let (all, key) = texts(compared);
        let sql = format!(
            "SELECT {} {}",
            all.join(", "),
            in_buckets(table, compared, &key, (digits, buckets))
        );
        self.read(table, &sql, |row| cells(row, all.len()))
    }

    /// What rows of some buckets hold, and how often, of a table without a key: the buckets are those of
    /// whole rows.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn equals(
        &self,
        table: &MirrorTable,
        compared: &Compared,
        digits: usize,
        buckets: &[String],
    ) -> Result<Vec<Equals>> {
        let (all, _) = texts(compared);
        let named: Vec<String> =
            all.iter().enumerate().map(|(place, text)| format!("{text} AS c{place}")).collect();
        let sql = format!(
            "SELECT *, count(*)::UBIGINT FROM (SELECT {} {}) GROUP BY ALL",
            named.join(", "),
            in_buckets(table, compared, &all, (digits, buckets))
        );
        self.read(table, &sql, |row| Ok((cells(row, all.len())?, row.get(all.len())?)))
    }

    fn read<T>(
        &self,
        table: &MirrorTable,
        sql: &str,
        of: impl FnMut(&duckdb::Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>> {
        let what = || format!("could not read the mirror of {}", table.name());
        let mut statement = self.connection.prepare(sql).in_store(what)?;
        let rows = statement.query_map([], of);
        rows.in_store(what)?.collect::<duckdb::Result<_>>().in_store(what)
    }

    /// About how many rows a mirrored table has.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn count(&self, table: &MirrorTable) -> Result<u64> {
        let what = || format!("could not count the mirror of {}", table.name());
        let sql = format!("SELECT count(*) FROM {}", mirror_name(table));
        let count: i64 = self.connection.query_row(&sql, [], |row| row.get(0)).in_store(what)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// SQL for the rows of a mirror in some buckets of what `key` says.
fn in_buckets(
    table: &MirrorTable,
    compared: &Compared,
    key: &[String],
    (digits, buckets): (usize, &[String]),
) -> String {
    // Hexadecimal digits: nothing to be quoted.
    let wanted: Vec<String> = buckets.iter().map(|bucket| format!("'{bucket}'")).collect();
    format!(
        "FROM {} AS t WHERE substr({}, 1, {digits}) IN ({})",
        mirror_name(table),
        store::hash(compared.hash, &store::row_text(key)),
        wanted.join(", "),
    )
}

fn cells(row: &duckdb::Row<'_>, count: usize) -> duckdb::Result<Vec<Option<String>>> {
    (0..count).map(|place| row.get(place)).collect()
}

/// SQL for the canonical texts of all compared columns, and of the key's.
fn texts(compared: &Compared) -> (Vec<String>, Vec<String>) {
    let text =
        |(name, family): &(String, Family)| store::text(*family, &format!("t.{}", quoted(name)));
    let all: Vec<String> = compared.columns.iter().map(text).collect();
    let key = all.iter().take(compared.key_count).cloned().collect();
    (all, key)
}
