//! A store with a mirror and nothing else: plain SQL changes it, the difference between two states
//! becomes the deltas.

use std::collections::BTreeMap;
use std::path::Path;

use duckdb::Connection;
use trueup::canon::EventOp;
use trueup::canon::mapping::{MappingSet, Pack};
use trueup::config::EntityConfig;
use trueup::error::{Error, Result};
use trueup::store::evaluate::{Delta, Difference, Evaluated, Evaluator, Moment};

/// 2026-03-31 12:00:00 UTC.
pub(crate) const START: i64 = 1_774_958_400_000_000;
pub(crate) const DAY: i64 = 86_400_000_000;

pub(crate) struct Bench {
    pub(crate) connection: Connection,
    pub(crate) evaluator: Evaluator,
    /// `(schema, table, key columns)`
    tables: Vec<(String, String, String)>,
    pub(crate) as_of: i64,
    batch: u64,
}

/// `packs`: source → pack and the SQL of its mirror tables, with primary keys.
pub(crate) fn open(
    sql_dir: &Path,
    packs: &[(&str, &str, &str)],
    owners: &[(&str, &[(&str, &str)])],
) -> Bench {
    let connection = Connection::open_in_memory().unwrap();
    let mut tables = Vec::new();
    for (source, _, sql) in packs {
        let sql = format!("CREATE SCHEMA {source}_next; USE {source}_next; {sql}");
        connection.execute_batch(&sql).unwrap();
        connection.execute_batch(&format!("USE main; CREATE SCHEMA {source}")).unwrap();
        let sql = "SELECT table_name, array_to_string(constraint_column_names, ', ')
            FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' AND schema_name = ?
            ORDER BY 1";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([format!("{source}_next")], |row| {
            Ok(((*source).to_owned(), row.get(0)?, row.get(1)?))
        });
        tables.extend(
            rows.unwrap().map(|row: duckdb::Result<(String, String, String)>| row.unwrap()),
        );
    }
    for (source, table, _) in &tables {
        connection
            .execute_batch(&format!(
                "CREATE TABLE {source}.{table} AS FROM {source}_next.{table};
                 CREATE TEMP TABLE {source}_before_{table} AS
                     SELECT *, 0::BIGINT AS _time FROM {source}.{table} LIMIT 0;
                 CREATE TEMP TABLE {source}_after_{table} AS
                     SELECT *, 0::BIGINT AS _time FROM {source}.{table} LIMIT 0;"
            ))
            .unwrap();
    }
    let evaluator = Evaluator::new(&set(sql_dir, packs, owners), &BTreeMap::new()).unwrap();
    let mut bench = Bench { connection, evaluator, tables, as_of: START, batch: 0 };
    bench.evaluator.create_tables(&bench.connection).unwrap();
    bench
}

pub(crate) fn set(
    sql_dir: &Path,
    packs: &[(&str, &str, &str)],
    owners: &[(&str, &[(&str, &str)])],
) -> MappingSet {
    let packs = packs.iter().map(|(s, pack, _)| ((*s).to_owned(), Pack::utc(pack))).collect();
    let owners: BTreeMap<String, EntityConfig> = owners
        .iter()
        .map(|(entity, rules)| {
            let rules = rules.iter().map(|(a, s)| ((*a).to_owned(), (*s).to_owned()));
            ((*entity).to_owned(), EntityConfig { owner: rules.collect() })
        })
        .collect();
    MappingSet::load(Some(sql_dir), &packs, &owners).unwrap()
}

/// The pack `own` as source `erp`, fully evaluated.
pub(crate) fn erp(sql_dir: &Path) -> Bench {
    let mut bench = open(sql_dir, &[("erp", "own", super::packs::TABLES)], &[]);
    bench.all("erp");
    bench
}

impl Bench {
    /// Starts again with the files as they are now.
    pub(crate) fn reopen(
        &mut self,
        sql_dir: &Path,
        packs: &[(&str, &str, &str)],
        owners: &[(&str, &[(&str, &str)])],
    ) {
        self.evaluator = Evaluator::new(&set(sql_dir, packs, owners), &BTreeMap::new()).unwrap();
        self.evaluator.create_tables(&self.connection).unwrap();
    }

    pub(crate) fn moment(&mut self) -> Moment {
        self.batch += 1;
        Moment { as_of_micros: self.as_of, batch: self.batch }
    }

    pub(crate) fn all(&mut self, source: &str) -> Evaluated {
        let moment = self.moment();
        let sources = [source.to_owned()];
        self.execute("BEGIN");
        let evaluated = self.evaluator.evaluate_all(&self.connection, &sources, moment).unwrap();
        self.execute("COMMIT");
        evaluated
    }

    /// Evaluates what is due.
    pub(crate) fn tick(&mut self) -> Vec<String> {
        let moment = self.moment();
        self.execute("BEGIN");
        let evaluated = self.evaluator.evaluate_due(&self.connection, moment).unwrap();
        self.execute("COMMIT");
        lines(&evaluated.differences)
    }

    /// Runs the statements (on `<source>_next`) as one batch; gives the differences as lines.
    pub(crate) fn batch(&mut self, statements: &[&str]) -> Vec<String> {
        lines(&self.try_batch(statements).unwrap().differences)
    }

    pub(crate) fn try_batch(&mut self, statements: &[&str]) -> Result<Evaluated> {
        for statement in statements {
            self.execute(statement);
        }
        self.execute("BEGIN");
        let moment = self.moment();
        let result = self.evaluate(moment);
        self.execute(if result.is_ok() { "COMMIT" } else { "ROLLBACK" });
        if result.is_ok() {
            self.verify();
        }
        result
    }

    fn evaluate(&mut self, moment: Moment) -> Result<Evaluated, Error> {
        let mut deltas = Vec::new();
        for (source, table, key) in &self.tables {
            let (old, new) = (format!("{source}.{table}"), format!("{source}_next.{table}"));
            let (before, after) =
                (format!("{source}_before_{table}"), format!("{source}_after_{table}"));
            let touched = format!(
                "SELECT {key} FROM ((FROM {old} EXCEPT FROM {new}) UNION ALL (FROM {new} EXCEPT \
                    FROM {old}))"
            );
            for (image, state) in [(&before, &old), (&after, &new)] {
                self.execute(&format!(
                    "DELETE FROM {image};
                     INSERT INTO {image} SELECT *, {} FROM {state} SEMI JOIN ({touched}) USING ({key})",
                    self.as_of - 1_000
                ));
            }
            let (source, table) = (source.clone(), table.clone());
            deltas.push(Delta { source, table, before, after });
        }
        self.evaluator.touch_before(&self.connection, &deltas)?;
        for (source, table, _) in &self.tables {
            self.execute(&format!(
                "DELETE FROM {source}.{table}; INSERT INTO {source}.{table} FROM \
                    {source}_next.{table}"
            ));
        }
        self.evaluator.touch_after(&self.connection, &deltas)?;
        self.evaluator.evaluate(&self.connection, moment)
    }

    /// Incremental equals full.
    pub(crate) fn verify(&self) {
        let moment = Moment { as_of_micros: self.as_of, batch: self.batch };
        assert_eq!(self.evaluator.verify(&self.connection, moment).unwrap(), []);
    }

    pub(crate) fn execute(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The rows of a query, cells joined by spaces, NULL as `-`.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        let sql = format!("SELECT coalesce(CAST(COLUMNS(*) AS VARCHAR), '-') FROM ({sql})");
        let mut statement = self.connection.prepare(&sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let count = row.as_ref().column_count();
            let cells: Vec<String> = (0..count).map(|place| row.get(place).unwrap()).collect();
            lines.push(cells.join(" "));
        }
        lines
    }
}

/// `+worker A`, `~worker B status=terminated` (what changed), `-worker C`.
pub(crate) fn lines(differences: &[Difference]) -> Vec<String> {
    let line = |one: &Difference| {
        let name = format!("{} {}", one.entity, one.key);
        match (one.op, &one.old, &one.new) {
            (EventOp::Created, None, Some(_)) => format!("+{name}"),
            (EventOp::Deleted, Some(_), None) => format!("-{name}"),
            (EventOp::Updated, Some(old), Some(new)) => {
                let changed = new.iter().filter(|(attribute, value)| old[*attribute] != **value);
                let changed = changed.map(|(attribute, value)| match value.as_str() {
                    Some(text) => format!(" {attribute}={text}"),
                    None => format!(" {attribute}={value}"),
                });
                format!("~{name}{}", changed.collect::<String>())
            }
            other => panic!("{name}: {other:?}"),
        }
    };
    differences.iter().map(line).collect()
}
