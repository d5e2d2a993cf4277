//! PostgreSQL in the soak.

use async_trait::async_trait;
use rand::Rng;
use rand::rngs::StdRng;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use trueup::change::Position;
use trueup::demo::servers::{Options, PostgresServer};

use super::engine::{Alter, Engine, Session, value};
use super::oracle::{How, Mirrored, Reading, Stored, grouped};
use super::statements::salt;
use super::world::{Kind, Shape};
use crate::agreement::Row;
use crate::types::values;

const DATABASE: &str = "soak";

/// What a daemon may stand still before the server ends its connection.
pub(super) const WAL_SENDER_TIMEOUT_SECS: u64 = 4;

const KINDS: &[Kind] = &[
    Kind { sql: "integer", value: "({g} * 7 + {s}) % 100000" },
    Kind { sql: "text", value: "repeat(md5(({g} + {s})::text), (abs({g} + {s}) % 4)::int)" },
    Kind { sql: "numeric(12,2)", value: "({g} * 31 + {s}) % 1000000 / 100.0" },
    Kind { sql: "bigint", value: "{g}::bigint * {s} * 100003" },
    Kind { sql: "varchar(60)", value: "'ä☃' || left(md5(({g} * {s}::bigint)::text), 20)" },
    Kind { sql: "boolean", value: "({g} + {s}) % 2 = 0" },
    Kind { sql: "date", value: "date '2020-01-01' + (({g} + {s}) % 4000)::int" },
    Kind { sql: "timestamp", value: "timestamp '2020-01-01' + ({g} + {s}) * interval '7.125 s'" },
    Kind {
        sql: "timestamptz",
        value: "timestamptz '2020-01-01Z' - ({g} + {s}) * interval '9.5 s'",
    },
    Kind { sql: "uuid", value: "md5(({g} - {s})::text)::uuid" },
    Kind { sql: "jsonb", value: "jsonb_build_object('a', {g} + {s}, 'b', NULL, 'c', 'ü')" },
    Kind { sql: "bytea", value: "decode(md5(({g} + {s})::text), 'hex')" },
    Kind { sql: "double precision", value: "({g} + {s}) / 7.0::double precision" },
    Kind { sql: "integer[]", value: "ARRAY[{g}, NULL, {s}]" },
    Kind { sql: "interval", value: "({g} + {s}) * interval '61.5 s' + interval '2 mons 3 days'" },
    // One row in five has none.
    Kind { sql: "numeric", value: "CASE WHEN {g} % 5 <> 0 THEN {g} / 3.0 + {s} END" },
];

/// Keys of the tables below.
const WIDE: i64 = 250;
const FAMILY: i64 = 400;
const EVERY: i64 = 60;
const PARTED: i64 = 3_000;

pub(crate) struct Postgres {
    server: PostgresServer,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let timeout = format!("'{WAL_SENDER_TIMEOUT_SECS}s'");
        let options = Options::default()
            .setting("wal_sender_timeout", &timeout)
            .setting("max_prepared_transactions", "32")
            // Small, so that large transactions are spilled to disk and sent in pieces.
            .setting("logical_decoding_work_mem", "'1MB'");
        let server = PostgresServer::start(&options).unwrap();
        server.create_database(DATABASE).unwrap();
        Self { server }
    }
}

#[async_trait]
impl Engine for Postgres {
    fn source(&self) -> &'static str {
        "erp"
    }

    fn schema(&self) -> &'static str {
        "public"
    }

    fn configuration(&self, port: u16) -> String {
        format!(
            "[source.erp]\nkind = \"postgres\"\n\
             url = \"postgres://postgres@127.0.0.1:{port}/{DATABASE}\"\ntables = [\"public.*\"]\n"
        )
    }

    fn password(&self) -> &str {
        self.server.password()
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    async fn connect(&self) -> Result<Box<dyn Session>, String> {
        let mut config: tokio_postgres::Config = self.server.url(DATABASE).parse().unwrap();
        config.password(self.server.password());
        let (client, connection) = config.connect(NoTls).await.map_err(|error| said(&error))?;
        tokio::spawn(connection);
        let settings = "SET lock_timeout = '3s'; SET statement_timeout = '60s';
            SET timezone = 'UTC'; SET datestyle = 'ISO'; SET extra_float_digits = 1;
            SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET intervalstyle = 'postgres'";
        client.batch_execute(settings).await.map_err(|error| said(&error))?;
        Ok(Box::new(PostgresSession(client)))
    }

    async fn end_of_log(&self) -> Position {
        let mut session = self.connect().await.unwrap();
        let rows = session.rows("SELECT 'lsn:' || pg_current_wal_flush_lsn()").await.unwrap();
        rows[0][0].clone().unwrap().parse().unwrap()
    }

    fn restart(&self) {
        self.server.restart().unwrap();
    }

    fn kill(&self) {
        self.server.kill().unwrap();
    }

    fn start_again(&self) {
        self.server.start_again().unwrap();
    }

    fn tables(&self) -> Vec<String> {
        let tables = format!(
            "CREATE TABLE wide (id int PRIMARY KEY, v int, big text, packed text, doc jsonb);
             ALTER TABLE wide ALTER big SET STORAGE EXTERNAL;
             CREATE TABLE whole (id int PRIMARY KEY, v int, big text);
             ALTER TABLE whole ALTER big SET STORAGE EXTERNAL;
             ALTER TABLE whole REPLICA IDENTITY FULL;
             INSERT INTO wide SELECT g, 0, repeat(md5(g::text), 200 + g), repeat('x', 9000), '{{}}'
             FROM generate_series(1, {WIDE}) AS g;
             INSERT INTO whole SELECT g, 0, repeat(md5(g::text), 90)
             FROM generate_series(1, {WIDE}) AS g;
             CREATE TABLE customer (id int PRIMARY KEY, v int);
             CREATE TABLE invoice (id int PRIMARY KEY, customer int REFERENCES customer
                 ON DELETE CASCADE ON UPDATE CASCADE, v int);
             CREATE TABLE line (invoice int REFERENCES invoice ON DELETE CASCADE ON UPDATE CASCADE,
                 n int, v text, PRIMARY KEY (invoice, n));
             CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
             CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (1000);
             CREATE TABLE parted_high PARTITION OF parted DEFAULT;
             CREATE TABLE couple (a text, b int, v text, PRIMARY KEY (b, a));
             INSERT INTO couple SELECT 'k' || g % 50, g, 'v' FROM generate_series(1, 500) AS g;"
        );
        vec![tables, values::SETUP.to_owned(), values::table("every", None)]
    }

    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    fn own(&self, rng: &mut StdRng) -> Vec<String> {
        match rng.random_range(0..10) {
            0..=3 => toasted(rng),
            4..=5 => family(rng),
            6 => every(rng),
            7 => parted(rng),
            8 => paired(rng),
            _ => vec![
                "SELECT pg_logical_emit_message(true, 'other', repeat('m', 500))".to_owned(),
                format!("UPDATE whole SET v = v + 1 WHERE id % 7 = {}", rng.random_range(0..7)),
            ],
        }
    }

    fn series(&self, first: i64, last: i64) -> String {
        format!("generate_series({first}, {last}) AS g")
    }

    fn insert_free(&self, table: &str, columns: &str, select: &str) -> String {
        format!("INSERT INTO {table} ({columns}) {select} ON CONFLICT DO NOTHING")
    }

    fn put(&self, shape: &Shape, columns: &str, select: &str) -> String {
        let set = shape.columns.iter().map(|(name, _)| format!("{name} = excluded.{name}"));
        let set: Vec<String> = set.collect();
        let (table, set) = (&shape.name, set.join(", "));
        format!("INSERT INTO {table} ({columns}) {select} ON CONFLICT (id) DO UPDATE SET {set}")
    }

    fn alter(&self, shape: &Shape, change: &Alter) -> String {
        let table = &shape.name;
        let typed = |kind: &usize| KINDS[*kind].sql;
        match change {
            Alter::Create => {
                let column = |(name, kind): &(String, usize)| format!("{name} {}", typed(kind));
                let columns: Vec<String> = shape.columns.iter().map(column).collect();
                format!("CREATE TABLE {table} (id int PRIMARY KEY, {})", columns.join(", "))
            }
            Alter::Drop => format!("DROP TABLE {table}"),
            Alter::RenameTable(to) => format!("ALTER TABLE {table} RENAME TO {to}"),
            Alter::Truncate => format!("TRUNCATE {table}"),
            Alter::Add(name, kind, has_value) => {
                let value = value(&KINDS[*kind], "5", 11);
                let default =
                    if *has_value { format!(" DEFAULT ({value})") } else { String::new() };
                format!("ALTER TABLE {table} ADD COLUMN {name} {}{default}", typed(kind))
            }
            Alter::DropColumn(name) => format!("ALTER TABLE {table} DROP COLUMN {name}"),
            Alter::Rename(from, _, to) => {
                format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}")
            }
            Alter::Retype(name, kind) => format!(
                "ALTER TABLE {table} ALTER {name} DROP DEFAULT, ALTER {name} TYPE {} USING ({})",
                typed(kind),
                value(&KINDS[*kind], "id", 77)
            ),
            Alter::Comment(text) => format!("COMMENT ON TABLE {table} IS '{text}'"),
            Alter::Index(name, column) => format!("CREATE INDEX {name} ON {table} ({column})"),
            Alter::DropIndex(name) => format!("DROP INDEX IF EXISTS {name}"),
            Alter::Key(columns) => format!(
                "ALTER TABLE {table} DROP CONSTRAINT {table}_pkey,
                 ADD CONSTRAINT {table}_pkey PRIMARY KEY ({columns})"
            ),
        }
    }

    fn alters_in_transactions(&self) -> bool {
        true
    }

    fn prepare(&self, name: &str, writes: Vec<String>) -> Vec<String> {
        let mut all = vec!["BEGIN".to_owned()];
        all.extend(writes);
        all.push(format!("PREPARE TRANSACTION '{name}'"));
        all
    }

    fn finish(&self, name: &str, commits: bool) -> String {
        format!("{} PREPARED '{name}'", if commits { "COMMIT" } else { "ROLLBACK" })
    }

    async fn prepared(&self) -> Result<Vec<String>, String> {
        let mut session = self.connect().await?;
        let rows = session.rows("SELECT gid FROM pg_prepared_xacts").await?;
        Ok(rows.into_iter().filter_map(|mut row| row.remove(0)).collect())
    }

    async fn mirrored(&self, session: &mut dyn Session, stored: &Stored) -> Vec<Mirrored> {
        let rows = session.rows(COLUMNS).await.unwrap();
        // Names of tables as values are told in full.
        session.run("SET search_path = ''").await.unwrap();
        let readings = rows.iter().map(|row| {
            let [Some(table), Some(name), Some(kind), Some(is_key)] = row.as_slice() else {
                panic!("{row:?}")
            };
            let kept = stored.type_of(table, name);
            (table.clone(), reading(name, kind, is_key == "t", kept))
        });
        grouped(readings.collect())
    }
}

/// Columns of every table, in the order of the catalog; what the server computes is in no log.
const COLUMNS: &str = "
    SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attnum = ANY (i.indkey)
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND NOT c.relispartition AND a.attgenerated = ''
    ORDER BY c.relname, a.attnum";

fn reading(name: &str, kind: &str, is_key: bool, stored: Option<&str>) -> Reading {
    let column = format!("\"{name}\"");
    // As the server prints it: a cast to text is another thing for some types.
    let (mut source, mut store) = (column.clone(), format!("{column}::VARCHAR"));
    let mut how = How::Exact;
    // A column that became text has the server's own; all others are told by their types.
    match (kind, stored) {
        ("bytea", _) => {
            (source, store) = (format!("encode({column}, 'hex')"), format!("lower(hex({column}))"));
        }
        ("boolean", _) => source = format!("{column}::text"),
        ("interval", Some("INTERVAL")) => {
            source = format!(
                "(extract(year from {column}) * 12 + extract(month from {column}))::bigint || ' ' ||
                 extract(day from {column})::bigint || ' ' || ((extract(hour from {column}) * 60
                 + extract(minute from {column})) * 60000000
                 + extract(microseconds from {column}))::bigint"
            );
            store = format!(
                "concat(datepart('year', {column}) * 12 + datepart('month', {column}), ' ',
                 datepart('day', {column}), ' ', (datepart('hour', {column}) * 60
                 + datepart('minute', {column})) * 60000000 + datepart('microseconds', {column}))"
            );
            let or_null = |text: &str| format!("CASE WHEN {column} IS NOT NULL THEN {text} END");
            (source, store) = (or_null(&source), or_null(&store));
        }
        (_, Some("FLOAT" | "DOUBLE")) => {
            (source, store) =
                (format!("{column}::float8::text"), format!("{column}::DOUBLE::VARCHAR"));
            how = How::Number;
        }
        (_, Some("TIME" | "TIMESTAMP" | "TIMESTAMP WITH TIME ZONE")) => how = How::Time,
        _ => {}
    }
    Reading { name: name.to_owned(), is_key, source, store, how }
}

/// Values that the log leaves out where they do not change.
fn toasted(rng: &mut StdRng) -> Vec<String> {
    let (id, salt) = (rng.random_range(1..=WIDE), salt(rng));
    let table = if rng.random_ratio(1, 4) { "whole" } else { "wide" };
    match rng.random_range(0..7) {
        0..=2 => vec![format!("UPDATE {table} SET v = {salt} WHERE id BETWEEN {id} AND {id} + 9")],
        3 => vec![format!(
            "UPDATE {table} SET big = repeat(md5('{salt}'), {}) WHERE id = {id}",
            rng.random_range(0..900)
        )],
        // A key moves while the large value stays unsaid.
        4 => vec![
            format!("DELETE FROM {table} WHERE id = -{id}"),
            format!("UPDATE {table} SET id = -{id}, v = {salt} WHERE id = {id}"),
        ],
        5 => vec![
            format!("DELETE FROM {table} WHERE id = {id}"),
            format!("UPDATE {table} SET id = {id} WHERE id = -{id}"),
            format!(
                "INSERT INTO {table} (id, v, big) VALUES ({id}, 1, repeat(md5('{salt}'), 300))
                 ON CONFLICT (id) DO UPDATE SET v = excluded.v"
            ),
        ],
        _ => vec![format!(
            "UPDATE wide SET packed = repeat('{salt}', 4000), doc = doc || '{{\"s\": {salt}}}'
             WHERE id = {id}"
        )],
    }
}

fn family(rng: &mut StdRng) -> Vec<String> {
    let (id, other) = (rng.random_range(1..=FAMILY), rng.random_range(1..=FAMILY));
    let series = format!("generate_series({id}, {id} + 20) AS g");
    match rng.random_range(0..12) {
        0..=3 => vec![
            format!("INSERT INTO customer SELECT g, 0 FROM {series} ON CONFLICT DO NOTHING"),
            format!("INSERT INTO invoice SELECT g, g, 0 FROM {series} ON CONFLICT DO NOTHING"),
            format!(
                "INSERT INTO line SELECT g, n, 'l' FROM {series}, generate_series(1, 2) AS n
                 ON CONFLICT DO NOTHING"
            ),
        ],
        4..=5 => vec![format!("UPDATE line SET v = v || '.' WHERE invoice = {id}")],
        6 => vec![format!("DELETE FROM customer WHERE id BETWEEN {id} AND {id} + 5")],
        7 => vec![format!("DELETE FROM invoice WHERE id = {id}")],
        8 => vec![format!(
            "UPDATE customer SET id = {} WHERE id = {id}",
            i64::from(rng.random_range(1_000..900_000))
        )],
        9 => vec![format!("UPDATE invoice SET customer = {other} WHERE id = {id}")],
        10 => vec![
            "TRUNCATE customer CASCADE".to_owned(),
            format!("INSERT INTO customer SELECT g, 1 FROM {series}"),
        ],
        _ => vec!["TRUNCATE line".to_owned()],
    }
}

/// A table with a column of every type.
fn every(rng: &mut StdRng) -> Vec<String> {
    let id = rng.random_range(1..=EVERY);
    let value = |rng: &mut StdRng, case: &values::Case| match rng.random_ratio(1, 10) {
        true => "NULL".to_owned(),
        false => format!("({})::{}", case.2(rng), case.1),
    };
    match rng.random_range(0..4) {
        0 => vec![format!("DELETE FROM every WHERE id = {id}")],
        1 => {
            let names: Vec<&str> = values::CASES.iter().map(|(name, ..)| *name).collect();
            let all: Vec<String> = values::CASES.iter().map(|case| value(rng, case)).collect();
            let (names, all) = (names.join(", "), all.join(", "));
            vec![format!(
                "INSERT INTO every (id, {names}) VALUES ({id}, {all}) ON CONFLICT DO NOTHING"
            )]
        }
        _ => {
            let case = &values::CASES[rng.random_range(0..values::CASES.len())];
            vec![format!("UPDATE every SET {} = {} WHERE id = {id}", case.0, value(rng, case))]
        }
    }
}

/// Rows that move from partition to partition.
fn parted(rng: &mut StdRng) -> Vec<String> {
    let (id, salt) = (rng.random_range(1..=PARTED), salt(rng));
    vec![
        format!("DELETE FROM parted WHERE id BETWEEN {id} + 500 AND {id} + 510"),
        format!(
            "UPDATE parted SET id = id + 500, v = '{salt}' WHERE id BETWEEN {id} AND {id} + 10"
        ),
        format!(
            "INSERT INTO parted SELECT g, 'p' FROM generate_series({id}, {id} + 10) AS g
             ON CONFLICT (id) DO UPDATE SET v = '{salt}'"
        ),
    ]
}

/// A key of two columns, in another order than the table's.
fn paired(rng: &mut StdRng) -> Vec<String> {
    let (b, salt) = (rng.random_range(1..=500), salt(rng));
    vec![
        format!("UPDATE couple SET v = '{salt}' WHERE b BETWEEN {b} AND {b} + 9"),
        format!("UPDATE couple SET a = 'm' || {salt} % 9 WHERE b = {b}"),
        format!("INSERT INTO couple VALUES ('m1', {b}, NULL) ON CONFLICT DO NOTHING"),
    ]
}

struct PostgresSession(Client);

#[async_trait]
impl Session for PostgresSession {
    async fn run(&mut self, sql: &str) -> Result<u64, String> {
        let messages = self.0.simple_query(sql).await.map_err(|error| said(&error))?;
        let is_change = ["INSERT", "UPDATE", "DELETE"].iter().any(|word| sql.starts_with(word));
        let rows = messages.iter().map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) if is_change => *rows,
            _ => 0,
        });
        Ok(rows.sum())
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, String> {
        let messages = self.0.simple_query(sql).await.map_err(|error| said(&error))?;
        let row = |message: SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).map(ToOwned::to_owned)).collect())
            }
            _ => None,
        };
        Ok(messages.into_iter().filter_map(row).collect())
    }
}

/// The server's words.
fn said(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
