//! The rows of a MariaDB or MySQL server, as its own text.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Value};
use trueup::demo::servers::BinlogServer;

use super::{Column, Contents, Row, Table};

/// Columns of every table that has a primary key, in order.
const COLUMNS: &str = "
    SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE
    FROM information_schema.COLUMNS c
    JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME)
    WHERE c.TABLE_SCHEMA = database() AND t.TABLE_TYPE = 'BASE TABLE'
      AND EXISTS (SELECT 1 FROM information_schema.STATISTICS s
                  WHERE s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME
                    AND s.INDEX_NAME = 'PRIMARY')
    ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION";

/// A session in UTC.
pub(crate) async fn connect(server: &BinlogServer, database: &str) -> Conn {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(server.port())
        .user(Some("root"))
        .pass(Some(server.password()))
        .db_name(Some(database))
        .prefer_socket(false)
        .init(vec!["SET time_zone = '+00:00', NAMES utf8mb4"]);
    Conn::new(options).await.unwrap()
}

pub(crate) async fn rows(connection: &mut Conn, sql: &str) -> Vec<Row> {
    let (_, rows) = rows_with_names(connection, sql).await;
    rows
}

/// The rows of a query with the names of its columns.
pub(crate) async fn rows_with_names(connection: &mut Conn, sql: &str) -> (Vec<String>, Vec<Row>) {
    let mut result =
        connection.query_iter(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let columns = result.columns_ref().iter().map(|column| column.name_str().into_owned());
    let columns = columns.collect();
    let rows: Vec<mysql_async::Row> = result.collect().await.unwrap();
    (columns, rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
}

/// Tables with a primary key.
async fn tables(connection: &mut Conn) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for row in rows(connection, COLUMNS).await {
        let [Some(table), Some(name), Some(kind)] = row.as_slice() else { panic!("{row:?}") };
        if tables.last().is_none_or(|last| last.name != *table) {
            tables.push(Table { name: table.clone(), columns: Vec::new() });
        }
        tables.last_mut().unwrap().columns.push(column(name, kind));
    }
    tables
}

/// What a source holds.
pub(crate) async fn contents(connection: &mut Conn, source: &'static str) -> Contents {
    let tables = tables(connection).await;
    let mut contents = Vec::new();
    for table in &tables {
        let columns: Vec<&str> = table.columns.iter().map(|c| c.source_sql.as_str()).collect();
        let sql = format!("SELECT {} FROM `{}`", columns.join(", "), table.name);
        contents.push(rows(connection, &sql).await);
    }
    Contents { source, tables, rows: contents }
}

fn column(name: &str, kind: &str) -> Column {
    let stored = format!("CAST(\"{name}\" AS VARCHAR)");
    let text = format!("convert(`{name}` using utf8mb4)");
    let (source_sql, store_sql) = match kind {
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            (format!("lower(hex(`{name}`))"), format!("lower(hex(\"{name}\"))"))
        }
        "json" => (format!("cast(`{name}` AS char)"), stored),
        "timestamp" => (format!("concat(`{name}`, '+00')"), stored),
        // A whole number is `1` here and `1.0` there.
        "double" | "float" => (text, format!("regexp_replace({stored}, '\\.0$', '')")),
        _ => (text, stored),
    };
    Column { source_sql, store_sql }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
        other => panic!("a text query answered {other:?}"),
    }
}
