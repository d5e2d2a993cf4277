//! The rows of a PostgreSQL server, as its own text.

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use trueup::demo::servers::PostgresServer;

use super::{Column, Contents, Row, Table};

/// Columns of every table that has a primary key, in the order of the catalog.
const COLUMNS: &str = "
    SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
      AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
    ORDER BY c.relname, a.attnum";

pub(crate) async fn connect(server: &PostgresServer, database: &str) -> Client {
    let mut config: tokio_postgres::Config = server.url(database).parse().unwrap();
    config.password(server.password());
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub(crate) async fn rows(client: &Client, sql: &str) -> Vec<Row> {
    let (_, rows) = rows_with_names(client, sql).await;
    rows
}

/// The rows of a query with the names of its columns.
pub(crate) async fn rows_with_names(client: &Client, sql: &str) -> (Vec<String>, Vec<Row>) {
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    let messages = client.simple_query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                names = columns.iter().map(|column| column.name().to_owned()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|at| row.get(at).map(ToOwned::to_owned)).collect());
            }
            _ => {}
        }
    }
    (names, rows)
}

/// Tables with a primary key whose name does not begin with `without`.
async fn tables(client: &Client, without: &str) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for row in rows(client, COLUMNS).await {
        let [Some(table), Some(name), Some(kind)] = row.as_slice() else { panic!("{row:?}") };
        if table.starts_with(without) {
            continue;
        }
        if tables.last().is_none_or(|last| last.name != *table) {
            tables.push(Table { name: table.clone(), columns: Vec::new() });
        }
        tables.last_mut().unwrap().columns.push(column(name, kind));
    }
    tables
}

/// What a source holds, but for tables whose name begins with `without`.
pub(crate) async fn contents(client: &Client, source: &'static str, without: &str) -> Contents {
    let tables = tables(client, without).await;
    let mut contents = Vec::new();
    for table in &tables {
        let columns: Vec<&str> = table.columns.iter().map(|c| c.source_sql.as_str()).collect();
        let sql = format!("SELECT {} FROM public.\"{}\"", columns.join(", "), table.name);
        contents.push(rows(client, &sql).await);
    }
    Contents { source, tables, rows: contents }
}

fn column(name: &str, kind: &str) -> Column {
    let quoted = format!("\"{name}\"");
    let text = format!("CAST({quoted} AS VARCHAR)");
    let (source_sql, store_sql) = match kind {
        "bytea" => (format!("encode({quoted}, 'hex')"), format!("lower(hex({quoted}))")),
        // A whole number is `1` here and `1.0` there.
        "double precision" => (text.clone(), format!("regexp_replace({text}, '\\.0$', '')")),
        _ => (text.clone(), text),
    };
    Column { source_sql, store_sql }
}
