//! A PostgreSQL target whose triggers write down what each transaction said it was.

use tokio_postgres::Client;
use trueup::demo::servers::PostgresServer;

use super::{Row, difference, postgres, store};
use crate::support::process::Installation;

/// Trueup's account, as an administrator would make it, so that it is watched from the beginning.
const ACCOUNT: &str = include_str!("../../sql/target/postgres/schema.sql");
/// The operator's tables are made first; this watches all of them, and the cursor.
const AUDIT: &str = include_str!("audit.sql");

/// Makes a database with the operator's tables, all watched.
pub(crate) fn create(server: &PostgresServer, database: &str, tables: &str) {
    for sql in [tables, ACCOUNT, AUDIT] {
        server.sql(database, sql).unwrap_or_else(|error| panic!("{}", error.chain()));
    }
}

/// The last event that the target has.
pub(crate) fn cursor(server: &PostgresServer, database: &str) -> u64 {
    let seq = server.sql(database, "SELECT coalesce(max(seq), 0) FROM _trueup.cursor").unwrap();
    seq.trim().parse().unwrap()
}

/// The first difference between the target's tables and what their configuration says they
/// should hold, over canonical rows.
pub(crate) async fn disagreement(
    installation: &Installation,
    client: &Client,
    target: &toml::Table,
) -> Result<(), String> {
    for (entity, config) in target {
        let table = config["table"].as_str().unwrap();
        let columns: Vec<(&String, &str)> = ["key", "columns"]
            .iter()
            .filter_map(|part| config.get(*part)?.as_table())
            .flatten()
            .map(|(name, sql)| (name, sql.as_str().unwrap()))
            .collect();
        let select = |cells: Vec<String>| cells.join(", ");
        let in_store =
            select(columns.iter().map(|(_, s)| format!("CAST({s} AS VARCHAR)")).collect());
        let in_target = select(columns.iter().map(|(n, _)| format!("\"{n}\"::text")).collect());
        let expected =
            store::rows(installation, &format!("SELECT {in_store} FROM canon.{entity}"))?;
        let found = postgres::rows(client, &format!("SELECT {in_target} FROM {table}")).await;
        if let Some(difference) = difference(&format!("target table {table}"), expected, found) {
            return Err(difference);
        }
    }
    Ok(())
}

/// What the triggers saw.
pub(crate) struct Seen {
    /// Transactions with a range of events.
    pub(crate) ranges: usize,
    /// The last event applied.
    pub(crate) cursor: u64,
    /// Transactions that filled the tables at first, and those that tried a parked row again.
    pub(crate) marked: usize,
}

/// Holds the recorded ranges against each other: from event 1 to the cursor, none missing, none
/// twice, and no write to a watched table outside of an announced transaction.
pub(crate) async fn ranges(client: &Client) -> Seen {
    // Opening is the one thing that says nothing; it writes to the cursor alone.
    let unannounced = "SELECT transaction, array_agg(relation) FROM audit.entry
                       WHERE sequence IS NULL GROUP BY 1 HAVING bool_or(relation <> '_trueup.cursor')";
    assert_eq!(postgres::rows(client, unannounced).await, Vec::<Row>::new());
    let torn = "SELECT transaction FROM audit.entry GROUP BY 1 HAVING count(DISTINCT coalesce(sequence, '')) > 1";
    assert_eq!(postgres::rows(client, torn).await, Vec::<Row>::new());
    let said = "SELECT transaction, min(sequence) FROM audit.entry WHERE sequence IS NOT NULL
                GROUP BY 1 ORDER BY 1";
    let (mut ranges, mut marked) = (Vec::<(u64, u64)>::new(), 0);
    for row in postgres::rows(client, said).await {
        let sequence = row[1].clone().unwrap();
        match sequence.split_once('-') {
            Some((from, to)) => ranges.push((from.parse().unwrap(), to.parse().unwrap())),
            None => {
                assert!(["baseline", "retry"].contains(&sequence.as_str()), "{sequence}");
                marked += 1;
            }
        }
    }
    let mut next = 1_u64;
    // In the order of the transactions: nothing goes back either.
    for (from, to) in &ranges {
        assert_eq!(*from, next, "a hole, an overlap or a step back: {ranges:?}");
        assert!(from <= to, "{from}-{to}");
        next = to + 1;
    }
    let cursor = postgres::rows(client, "SELECT seq FROM _trueup.cursor").await;
    assert_eq!(cursor, vec![vec![Some((next - 1).to_string())]], "the cursor and the ranges");
    let holes = postgres::rows(client, "SELECT * FROM _trueup.hole").await;
    assert_eq!(holes, Vec::<Row>::new(), "events that were not applied");
    Seen { ranges: ranges.len(), cursor: next - 1, marked }
}
