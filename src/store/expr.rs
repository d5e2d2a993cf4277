//! SQL expressions over a canonical row, offered to delivery: compiled once, run set-wise.
//!
//! Each `Expr` has an in-memory DuckDB of its own that reaches nothing outside: no file, no
//! network, no table but the batch. It knows neither targets nor events.

mod condition;

use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use duckdb::{Config, Connection};
use serde_json::Value;

use super::evaluate::{Functions, parse_select, quote, unparse, use_utc};
use crate::canon::entity::Entity;
use crate::canon::event::Row;
use crate::canon::mapping::{Syntax, expression, expressions, joined};
use crate::error::{Error, ErrorKind, Result};
use crate::store::refusal::failed;
pub use condition::Condition;

/// A list of named expressions over one entity's rows.
pub struct Expr {
    entity: Entity,
    columns: usize,
    sql: String,
    /// One batch at a time: the batch is a table of this connection.
    connection: Mutex<Connection>,
}

impl Expr {
    /// Compiles `columns` (name, SQL over the entity's attributes).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the column, what is wrong with its SQL, and the nearest
    /// attribute.
    pub fn compile(entity: &Entity, columns: &[(String, String)]) -> Result<Self> {
        let connection = connect()?;
        let functions = Functions::known(&connection)?;
        let create = create_batch(entity);
        connection.execute_batch(&create).map_err(|error| {
            failed(format!("could not make a batch of {}", entity.name), &error)
        })?;
        let mut items = Vec::new();
        for (name, sql) in columns {
            let select = joined(parse(&connection, entity, name, sql)?, entity);
            let (aggregates, volatile) = (functions.aggregates.clone(), functions.volatile.clone());
            let syntax = Syntax { select, aggregates, volatile, ..Syntax::default() };
            let item = expression(name, entity, &syntax)?;
            check(&connection, entity, name, &item)?;
            items.push(item);
        }
        let inner = unparse(&connection, &expressions(&items), &entity.name)?;
        let types = types(&connection, &inner, &entity.name)?;
        let texts: Vec<String> =
            types.iter().enumerate().skip(1).map(|(n, kind)| rendered(n - 1, kind)).collect();
        let texts = if texts.is_empty() { "''".to_owned() } else { texts.join(", ") };
        let sql = format!("SELECT {texts} FROM ({inner}) ORDER BY _place");
        let connection = Mutex::new(connection);
        Ok(Self { entity: entity.clone(), columns: columns.len(), sql, connection })
    }

    /// One text per row and column, in PostgreSQL's input syntax; `None` is NULL. An attribute
    /// that a row lacks is NULL.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if an expression fails on a row; the error does not say on which.
    /// Render fewer rows to find out.
    pub fn render(&self, rows: &[&Row]) -> Result<Vec<Vec<Option<String>>>> {
        let what = || format!("could not evaluate the target columns of {}", self.entity.name);
        if rows.is_empty() || self.columns == 0 {
            return Ok(vec![Vec::new(); rows.len()]);
        }
        let connection = self.connection.lock().map_err(|_| Error::new(ErrorKind::Bug, what()))?;
        let run = || -> duckdb::Result<Vec<RecordBatch>> {
            connection.execute("DELETE FROM cells", [])?;
            let mut appender = connection.appender("cells")?;
            appender.append_record_batch(cells(&self.entity, rows)?)?;
            appender.flush()?;
            let mut statement = connection.prepare(&self.sql)?;
            Ok(statement.query_arrow([])?.collect())
        };
        let batches = run().map_err(|error| {
            let cause = super::refusal::without_values(&error);
            Error::new(ErrorKind::Rejected, what()).caused_by(cause)
        })?;
        let mut texts = Vec::with_capacity(rows.len());
        for batch in &batches {
            for place in 0..batch.num_rows() {
                texts.push(batch.columns().iter().map(|column| cell(column, place)).collect());
            }
        }
        Ok(texts)
    }
}

fn connect() -> Result<Connection> {
    let open = || -> duckdb::Result<Connection> {
        let config = Config::default()
            .enable_autoload_extension(false)?
            .enable_external_access(false)?
            .threads(1)?;
        Connection::open_in_memory_with_flags(config)
    };
    let what = "could not start DuckDB for expressions".to_owned();
    let connection = open().map_err(|error| failed(what, &error))?;
    use_utc(&connection)?;
    Ok(connection)
}

/// `cells` holds the batch as text, `batch` shows it typed.
fn create_batch(entity: &Entity) -> String {
    let texts = entity.attributes.iter().map(|a| format!("{} VARCHAR", quote(&a.name)));
    let typed = entity
        .attributes
        .iter()
        .map(|a| format!("CAST({0} AS {1}) AS {0}", quote(&a.name), a.kind.sql()));
    format!(
        "CREATE TABLE cells (_place BIGINT, {});
         CREATE VIEW batch AS SELECT _place, {} FROM cells;",
        texts.collect::<Vec<_>>().join(", "),
        typed.collect::<Vec<_>>().join(", ")
    )
}

fn parse(connection: &Connection, entity: &Entity, name: &str, sql: &str) -> Result<Value> {
    // The line break ends a comment that the expression may end in.
    let tree = parse_select(connection, &format!("SELECT (\n{sql}\n)"))?;
    match tree.get("error_message").and_then(Value::as_str) {
        None => Ok(tree),
        Some(message) => {
            let what = format!("column `{name}` of {}: {message}", entity.name);
            Err(Error::new(ErrorKind::Config, what)
                .hint("write one expression in DuckDB's SQL over the attributes of the row"))
        }
    }
}

/// Binds the expression alone, so that an unknown function or a type error names its column.
fn check(connection: &Connection, entity: &Entity, name: &str, item: &Value) -> Result<()> {
    let sql = unparse(connection, &expressions(std::slice::from_ref(item)), name)?;
    let what = format!("column `{name}` of {}", entity.name);
    let kinds = types(connection, &sql, &what)?;
    match kinds.get(1).map(String::as_str) {
        Some(kind) if nested(kind) => {
            let what = format!("{what}: its type {kind} has no text a target would read");
            Err(Error::new(ErrorKind::Config, what).hint("convert it to VARCHAR"))
        }
        _ => Ok(()),
    }
}

fn nested(kind: &str) -> bool {
    kind.ends_with(']') || ["STRUCT", "MAP", "UNION"].iter().any(|word| kind.starts_with(word))
}

fn types(connection: &Connection, sql: &str, what: &str) -> Result<Vec<String>> {
    let read = || -> duckdb::Result<Vec<String>> {
        let mut statement = connection.prepare(&format!("DESCRIBE {sql}"))?;
        statement.query_map([], |row| row.get(1))?.collect()
    };
    read().map_err(|error| {
        let cause = super::refusal::without_values(&error);
        let what = format!("{what}: the expression does not fit the row");
        Error::new(ErrorKind::Config, what)
            .caused_by(cause)
            .hint("check the functions it calls and the types of their arguments")
    })
}

/// SQL for the text of column `c<number>` in PostgreSQL's input syntax. DuckDB's own text form is
/// that already, but for bytes.
fn rendered(number: usize, kind: &str) -> String {
    match kind {
        "BLOB" => format!(r"'\x' || lower(hex(c{number}))"),
        _ => format!("CAST(c{number} AS VARCHAR)"),
    }
}

fn cells(entity: &Entity, rows: &[&Row]) -> duckdb::Result<RecordBatch> {
    let places = (0..).take(rows.len()).collect::<Vec<i64>>();
    let mut fields = vec![Field::new("_place", DataType::Int64, false)];
    let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(places))];
    for attribute in &entity.attributes {
        let texts = rows.iter().map(|row| row.get(&attribute.name).and_then(text));
        columns.push(Arc::new(texts.collect::<StringArray>()));
        fields.push(Field::new(&attribute.name, DataType::Utf8, true));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|_| duckdb::Error::AppendError)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn cell(column: &ArrayRef, place: usize) -> Option<String> {
    let texts = column.as_any().downcast_ref::<StringArray>()?;
    texts.is_valid(place).then(|| texts.value(place).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> Entity {
        let text = "-- entity: worker\n-- key: worker_no\nCREATE TABLE worker (
            worker_no VARCHAR, -- No.
            status VARCHAR, -- Status.
            cost_rate DECIMAL(12,2), -- Rate.
            hire_date DATE, -- Date.
            seen_at TIMESTAMP, -- Time.
            entries BIGINT, -- Count.
            billable BOOLEAN -- Truth.
            );";
        Entity::parse("worker.sql", text).unwrap()
    }

    fn columns(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())).collect()
    }

    fn row(json: serde_json::Value) -> Row {
        json.as_object().unwrap().clone()
    }

    #[test]
    fn rows_render_in_order_as_text_postgresql_reads() {
        let expr = Expr::compile(
            &worker(),
            &columns(&[
                ("code", "worker_no"),
                ("active", "status = 'active'"),
                ("cents", "cost_rate * 100 -- in cents"),
                ("rate", "cost_rate"),
                ("hired", "hire_date"),
                ("seen", "seen_at"),
                ("n", "entries + 1"),
                ("billable", "billable"),
                ("raw", "encode(status)"),
            ]),
        )
        .unwrap();
        let first = row(serde_json::json!({"worker_no": "O'Hara", "status": "active",
            "cost_rate": "12345678.90", "hire_date": "2026-02-28",
            "seen_at": "2026-02-28 12:00:00.5", "entries": 9007199254740993_i64,
            "billable": true}));
        let second = row(serde_json::json!({"worker_no": "B", "status": null}));
        let texts = expr.render(&[&first, &second]).unwrap();
        let expected = [
            "O'Hara",
            "true",
            "1234567890.00",
            "12345678.90",
            "2026-02-28",
            "2026-02-28 12:00:00.5",
            "9007199254740994",
            "true",
            r"\x616374697665",
        ];
        let first: Vec<&str> = texts[0].iter().map(|text| text.as_deref().unwrap()).collect();
        assert_eq!(first, expected);
        assert_eq!(texts[1][0].as_deref(), Some("B"));
        assert!(texts[1][1..].iter().all(Option::is_none));
        assert_eq!(expr.render(&[]).unwrap(), Vec::<Vec<Option<String>>>::new());
        let many: Vec<Row> =
            (0..5_000).map(|n| row(serde_json::json!({"worker_no": format!("W{n}")}))).collect();
        let many: Vec<&Row> = many.iter().collect();
        let texts = expr.render(&many).unwrap();
        assert_eq!(texts.len(), 5_000);
        assert_eq!(texts[4_321][0].as_deref(), Some("W4321"));
    }

    #[test]
    fn a_failing_row_is_rejected_without_its_value_and_the_next_batch_works() {
        let expr = Expr::compile(&worker(), &columns(&[("n", "CAST(status AS INTEGER)")])).unwrap();
        let bad = row(serde_json::json!({"status": "secret"}));
        let error = expr.render(&[&bad]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert!(!error.chain().contains("secret"), "{}", error.chain());
        let good = row(serde_json::json!({"status": "7"}));
        assert_eq!(expr.render(&[&good]).unwrap(), vec![vec![Some("7".to_owned())]]);
    }

    #[test]
    fn anything_but_a_scalar_over_the_row_is_refused_by_name() {
        let refused = |sql: &str, word: &str| {
            let error = Expr::compile(&worker(), &columns(&[("display", sql)])).err();
            let error = error.unwrap_or_else(|| panic!("{sql} was accepted"));
            let text = format!("{} {}", error.chain(), error.remedy().unwrap_or_default());
            assert!(text.contains("display") && text.contains(word), "{sql}: {text}");
            assert_eq!(error.kind(), ErrorKind::Config, "{sql}");
        };
        refused("statsu", "`status`");
        refused("status.x", "status.x");
        refused("(SELECT 1)", "subquery");
        refused("1), (2", "not one expression");
        refused("1) FROM duckdb_settings() WHERE (true", "not one expression");
        refused("1; DROP TABLE cells", "syntax");
        refused("max(cost_rate)", "aggregates");
        refused("row_number() OVER (ORDER BY status)", "window");
        refused("now()", "clock");
        refused("current_date", "clock");
        refused("random()", "random");
        refused("$1", "parameters");
        refused("*", "expression");
        refused("[status]", "VARCHAR");
        refused("nosuch(status)", "nosuch");
        refused("status +", "syntax");
    }
}
