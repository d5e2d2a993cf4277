//! Compares source with store with target, row by row, independently of mappings and codecs.
//!
//! ```text
//! mirror = source     every mirrored table, all columns
//! canon  = source     sql/demo/compare/{erp,hr}: written from the source's schema
//! target = canon      sql/demo/compare/{psa,books}: what the targets' tables must hold
//! ```
//! It only reads, and it expects that nothing is written meanwhile.

mod mariadb;
mod merge;
mod postgres;
mod read;
mod scripts;
mod store;
mod text;

use super::daemon::Api;
use crate::error::Result;
use mariadb::Mariadb;
pub use merge::Compared;
use postgres::Postgres;
use read::{Reading, Script};
use scripts::{ENTITIES, EntityScripts, From};
use store::Store;

/// The sides.
#[derive(Debug, Clone)]
pub struct Sides {
    erp: Postgres,
    hr: Option<Mariadb>,
    psa: Postgres,
    books: Option<Postgres>,
    store: Store,
}

/// What was found for one thing that was compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// An entity, or `tables of erp`.
    pub what: String,
    /// Comparisons: between what, and with which result.
    pub compared: Vec<(&'static str, Compared)>,
}

impl Line {
    /// Differences in all comparisons.
    #[must_use]
    pub fn differences(&self) -> u64 {
        self.compared.iter().map(|(_, compared)| compared.differences).sum()
    }

    /// Rows in all comparisons: the larger side's.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.compared.iter().map(|(_, one)| one.left_rows.max(one.right_rows)).sum()
    }
}

impl Sides {
    /// `erp`, `psa` and `books` are PostgreSQL databases, `hr` a MariaDB, `api` the daemon between them.
    #[must_use]
    pub fn new(
        erp: tokio_postgres::Config,
        hr: Option<mysql_async::Opts>,
        psa: tokio_postgres::Config,
        books: Option<tokio_postgres::Config>,
        api: Api,
    ) -> Self {
        Self {
            erp: Postgres::new("ERP", erp),
            hr: hr.map(Mariadb::new),
            psa: Postgres::new("PSA", psa),
            books: books.map(|books| Postgres::new("books", books)),
            store: Store::new(api),
        }
    }

    /// Compares everything; one line per source and per entity.
    ///
    /// # Errors
    /// A side cannot be read.
    pub async fn compare(&self) -> Result<Vec<Line>> {
        let mut lines = vec![self.erp_tables().await?];
        if let Some(hr) = &self.hr {
            lines.push(self.hr_tables(hr).await?);
        }
        for entity in ENTITIES {
            lines.push(self.entity(entity).await?);
        }
        Ok(lines)
    }

    /// The ERP's tables and their mirrors. What begins with `sys_` is not mirrored.
    ///
    /// # Errors
    /// A side cannot be read.
    pub async fn erp_tables(&self) -> Result<Line> {
        let mut tables = self.erp.tables().await?;
        tables.retain(|table| !table.starts_with("sys_"));
        let mut sum = self.missing_tables("erp", &tables).await?;
        for table in &tables {
            let reading = self.erp.table(table).await?;
            let rows = self.erp.rows(&reading).await?;
            sum.add(&self.mirror("erp", table, &reading, rows).await?, &format!("{table} "));
        }
        Ok(Line { what: "tables of erp".to_owned(), compared: vec![("source→mirror", sum)] })
    }

    async fn hr_tables(&self, hr: &Mariadb) -> Result<Line> {
        let tables = hr.tables().await?;
        let mut sum = self.missing_tables("hr", &tables).await?;
        for table in &tables {
            let reading = hr.table(table).await?;
            let rows = hr.rows(&reading).await?;
            sum.add(&self.mirror("hr", table, &reading, rows).await?, &format!("{table} "));
        }
        Ok(Line { what: "tables of hr".to_owned(), compared: vec![("source→mirror", sum)] })
    }

    /// A source's tables and the mirrors there are must be the same.
    async fn missing_tables(&self, source: &str, tables: &[String]) -> Result<Compared> {
        let mirrors = self.store.tables(source).await?;
        let mut compared = Compared::default();
        for table in tables.iter().filter(|table| !mirrors.contains(table)) {
            compared.note(format!("table {table} only in source"));
        }
        for mirror in mirrors.iter().filter(|mirror| !tables.contains(mirror)) {
            compared.note(format!("table {mirror} only in store"));
        }
        Ok(compared)
    }

    async fn mirror(
        &self,
        source: &str,
        table: &str,
        reading: &Reading,
        rows: merge::Rows,
    ) -> Result<Compared> {
        let mirror = self.store.table(source, table).await?;
        let mut compared = Compared::default();
        if mirror.columns.is_empty() {
            // Noted as a missing table.
            return Ok(compared);
        }
        let (ours, theirs) = (mirror.names(), reading.names());
        if ours.iter().any(|name| !theirs.contains(name))
            || theirs.iter().any(|n| !ours.contains(n))
        {
            compared.note("has other columns".to_owned());
            return Ok(compared);
        }
        let mirror = mirror.reordered(&theirs, &reading.key)?;
        merge::compare(rows, self.store.rows(&mirror), ["source", "store"], &theirs).await
    }

    /// The canonical rows against their owner's source, then the targets' rows against them.
    async fn entity(&self, entity: &EntityScripts) -> Result<Line> {
        let mut compared = Vec::new();
        let mut from_source = Compared::default();
        for (origin, script) in entity.sources(self.hr.is_some()) {
            from_source.add(&self.canon(entity.name, *origin, *script).await?, "");
        }
        compared.push(("source→store", from_source));
        compared.push(("store→target", self.target(&self.psa, entity.psa).await?));
        if let (Some(books), Some(script)) = (&self.books, entity.books) {
            compared.push(("store→books", self.target(books, script).await?));
        }
        Ok(Line { what: entity.name.to_owned(), compared })
    }

    async fn canon(&self, entity: &str, origin: From, script: Script) -> Result<Compared> {
        let (reading, rows) = match (origin, &self.hr) {
            (From::Hr, Some(hr)) => {
                let reading = hr.script(script).await?;
                let rows = hr.rows(&reading).await?;
                (reading, rows)
            }
            _ => {
                let reading = self.erp.script(script).await?;
                let rows = self.erp.rows(&reading).await?;
                (reading, rows)
            }
        };
        let names = reading.names();
        let canon = self.store.table("canon", entity).await?.reordered(&names, &reading.key)?;
        merge::compare(rows, self.store.rows(&canon), ["source", "store"], &names).await
    }

    async fn target(&self, target: &Postgres, script: Script) -> Result<Compared> {
        let wanted = self.store.script(script).await?;
        let names = wanted.names();
        let table = target.table(script.table()).await?.reordered(&names, &wanted.key)?;
        let found = target.rows(&table).await?;
        merge::compare(self.store.rows(&wanted), found, ["store", "target"], &names).await
    }
}
