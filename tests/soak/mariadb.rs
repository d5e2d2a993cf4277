//! MariaDB and MySQL in the soak. Statements are MariaDB's; `mysql.rs` spells them for the other.

use async_trait::async_trait;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Value};
use rand::Rng;
use rand::rngs::StdRng;
use trueup::change::Position;
use trueup::config::SourceKind;
use trueup::demo::servers::{BinlogServer, MariadbServer, MysqlServer, Options};

use super::engine::{Alter, Engine, Session, value};
use super::mysql;
use super::oracle::{How, Mirrored, Reading, Stored, grouped};
use super::statements::salt;
use super::world::{Kind, Shape};
use crate::agreement::Row;
use crate::mariadb_source::types;

const DATABASE: &str = "soak";

const KINDS: &[Kind] = &[
    Kind { sql: "int", value: "({g} * 7 + {s}) % 100000" },
    Kind { sql: "text", value: "repeat(md5({g} + {s}), abs({g} + {s}) % 4)" },
    Kind { sql: "decimal(12,2)", value: "(({g} * 31 + {s}) % 1000000) / 100" },
    Kind { sql: "bigint unsigned", value: "abs({g}) * {s} * 100003" },
    Kind { sql: "varchar(60)", value: "concat('ä☃', left(md5({g} * {s}), 20))" },
    Kind { sql: "boolean", value: "({g} + {s}) % 2 = 0" },
    Kind { sql: "date", value: "DATE '2020-01-01' + INTERVAL (({g} + {s}) % 4000) DAY" },
    Kind {
        sql: "datetime(3)",
        value: "TIMESTAMP'2020-01-01 00:00:00' + INTERVAL ({g} + {s}) * 7125000 MICROSECOND",
    },
    Kind {
        sql: "timestamp(6) NULL",
        value: "TIMESTAMP'2020-01-01 00:00:00' - INTERVAL ({g} + {s}) * 9500001 MICROSECOND",
    },
    Kind { sql: "uuid", value: "insert(insert(md5({g} - {s}), 13, 1, '4'), 17, 1, '8')" },
    Kind { sql: "json", value: "JSON_OBJECT('a', {g} + {s}, 'b', NULL, 'c', 'ü')" },
    Kind { sql: "varbinary(40)", value: "UNHEX(MD5({g} + {s}))" },
    Kind { sql: "double", value: "({g} + {s}) / 7e0" },
    Kind { sql: "enum('a','b','ü')", value: "elt(1 + abs({g} + {s}) % 3, 'a', 'b', 'ü')" },
    Kind { sql: "time(2)", value: "SEC_TO_TIME(abs({g} + {s}) % 80000 + 0.25)" },
    Kind { sql: "char(12)", value: "IF({g} % 5 <> 0, left(md5({g} + {s}), 10), NULL)" },
    Kind { sql: "bit(9)", value: "abs({g} + {s}) % 512" },
    Kind { sql: "year", value: "1950 + abs({g} + {s}) % 150" },
];

/// Keys of the tables below.
const FAMILY: i64 = 400;
const EVERY: i64 = 60;
const WIDE: i64 = 200;

/// A private server of either kind.
pub(crate) struct Binlog {
    server: Server,
}

enum Server {
    Mariadb(MariadbServer),
    Mysql(MysqlServer),
}

impl Binlog {
    pub(crate) fn start(kind: SourceKind) -> Self {
        let options = Options::default()
            // Log files come and go.
            .setting("max_binlog_size", "16M")
            .setting("innodb_lock_wait_timeout", "3")
            .setting("innodb_buffer_pool_size", "128M")
            .setting("max_allowed_packet", "64M");
        let server = match kind {
            SourceKind::Mysql => Server::Mysql(MysqlServer::start(&options).unwrap()),
            _ => Server::Mariadb(MariadbServer::start(&options).unwrap()),
        };
        let started = Self { server };
        started.server().create_database(DATABASE).unwrap();
        if started.kind() == SourceKind::Mysql {
            started.server().sql("", mysql::NUMBERS).unwrap();
        }
        started
    }

    fn server(&self) -> &BinlogServer {
        match &self.server {
            Server::Mariadb(server) => server,
            Server::Mysql(server) => server,
        }
    }

    fn kind(&self) -> SourceKind {
        match &self.server {
            Server::Mariadb(_) => SourceKind::Mariadb,
            Server::Mysql(_) => SourceKind::Mysql,
        }
    }
}

#[async_trait]
impl Engine for Binlog {
    fn source(&self) -> &'static str {
        if self.kind() == SourceKind::Mysql { "crm" } else { "hr" }
    }

    fn schema(&self) -> &'static str {
        DATABASE
    }

    fn configuration(&self, port: u16) -> String {
        let kind = if self.kind() == SourceKind::Mysql { "mysql" } else { "mariadb" };
        format!(
            "[source.{}]\nkind = \"{kind}\"\nurl = \"mysql://root@127.0.0.1:{port}/{DATABASE}\"\n\
             tables = [\"{DATABASE}.*\"]\n",
            self.source()
        )
    }

    fn password(&self) -> &str {
        self.server().password()
    }

    fn port(&self) -> u16 {
        self.server().port()
    }

    async fn connect(&self) -> Result<Box<dyn Session>, String> {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.server().port())
            .user(Some("root"))
            .pass(Some(self.server().password()))
            .db_name(Some(DATABASE))
            .prefer_socket(false)
            .init(vec!["SET time_zone = '+00:00', NAMES utf8mb4, lock_wait_timeout = 5"]);
        let connection = Conn::new(options).await.map_err(|error| error.to_string())?;
        Ok(Box::new(BinlogSession(connection, self.kind())))
    }

    async fn end_of_log(&self) -> Position {
        let mut session = self.connect().await.unwrap();
        let rows = session.rows(match self.kind() {
            SourceKind::Mysql => "SELECT concat('gtids:', @@GLOBAL.gtid_executed)",
            _ => "SELECT concat('gtid:', @@gtid_binlog_pos)",
        });
        let rows = rows.await.unwrap();
        rows[0][0].clone().unwrap().parse().unwrap()
    }

    fn restart(&self) {
        self.server().restart().unwrap();
    }

    fn kill(&self) {
        self.server().kill().unwrap();
    }

    fn start_again(&self) {
        self.server().start_again().unwrap();
    }

    fn tables(&self) -> Vec<String> {
        let tables = format!(
            "CREATE TABLE root (id int PRIMARY KEY, v int);
             CREATE TABLE branch (id int PRIMARY KEY, root int, v varchar(40),
                 FOREIGN KEY (root) REFERENCES root (id) ON DELETE CASCADE ON UPDATE CASCADE);
             CREATE TABLE leaf (branch int, n int, v varchar(40), PRIMARY KEY (branch, n),
                 FOREIGN KEY (branch) REFERENCES branch (id) ON DELETE CASCADE ON UPDATE CASCADE);
             CREATE TABLE note (id int PRIMARY KEY, branch int, v text,
                 FOREIGN KEY (branch) REFERENCES branch (id) ON DELETE SET NULL ON UPDATE CASCADE);
             CREATE TABLE tag (code varchar(20) PRIMARY KEY, v int);
             CREATE TABLE tagged (id int PRIMARY KEY, code varchar(20), v int,
                 FOREIGN KEY (code) REFERENCES tag (code) ON DELETE SET NULL ON UPDATE CASCADE);
             CREATE TABLE node (id int PRIMARY KEY, up int, v int,
                 FOREIGN KEY (up) REFERENCES node (id) ON DELETE CASCADE);
             CREATE TABLE wide (id int PRIMARY KEY, v int, big longtext, raw longblob);
             INSERT INTO wide SELECT seq, 0, repeat(md5(seq), 200 + seq), repeat('x', 9000)
             FROM seq_1_to_{WIDE};"
        );
        vec![tables, types::table(self.kind(), "every")]
    }

    fn kinds(&self) -> &'static [Kind] {
        match self.kind() {
            SourceKind::Mysql => mysql::KINDS,
            _ => KINDS,
        }
    }

    fn own(&self, rng: &mut StdRng) -> Vec<String> {
        match rng.random_range(0..10) {
            0..=4 => family(rng),
            5 => tags(rng),
            6 => nodes(rng),
            7 => every(self.kind(), rng),
            _ => wide(rng),
        }
    }

    fn series(&self, first: i64, last: i64) -> String {
        format!("(SELECT CAST(seq AS signed) AS g FROM seq_{first}_to_{last}) AS numbers")
    }

    fn insert_free(&self, table: &str, columns: &str, select: &str) -> String {
        format!("INSERT IGNORE INTO {table} ({columns}) {select}")
    }

    fn put(&self, shape: &Shape, columns: &str, select: &str) -> String {
        format!("REPLACE INTO {} ({columns}) {select}", shape.name)
    }

    fn alter(&self, shape: &Shape, change: &Alter) -> String {
        let table = &shape.name;
        let typed = |kind: &usize| self.kinds()[*kind].sql;
        let number = |name: &str| name.chars().last().map_or(0, |last| u32::from(last) % 3);
        match change {
            Alter::Create => {
                let column = |(name, kind): &(String, usize)| format!("{name} {}", typed(kind));
                let columns: Vec<String> = shape.columns.iter().map(column).collect();
                format!("CREATE TABLE {table} (id int PRIMARY KEY, {})", columns.join(", "))
            }
            Alter::Drop => format!("DROP TABLE {table}"),
            Alter::RenameTable(to) => format!("RENAME TABLE {table} TO {to}"),
            Alter::Truncate => format!("TRUNCATE TABLE {table}"),
            Alter::Add(name, kind, has_value) => {
                let value = value(&self.kinds()[*kind], "5", 11);
                let default =
                    if *has_value { format!(" DEFAULT ({value})") } else { String::new() };
                let place = if number(name) == 0 { " AFTER id" } else { "" };
                format!("ALTER TABLE {table} ADD COLUMN {name} {}{default}{place}", typed(kind))
            }
            Alter::DropColumn(name) => format!("ALTER TABLE {table} DROP COLUMN {name}"),
            Alter::Rename(from, kind, to) => match number(from) {
                0 => format!("ALTER TABLE {table} CHANGE COLUMN {from} {to} {}", typed(kind)),
                _ => format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}"),
            },
            Alter::Retype(name, kind) => {
                format!("ALTER TABLE {table} MODIFY COLUMN {name} {}", typed(kind))
            }
            Alter::Comment(text) => format!("ALTER TABLE {table} COMMENT = '{text}'"),
            Alter::Index(name, column) => {
                let kind = shape.columns.iter().find(|(name, _)| name == column);
                let is_long = kind.is_some_and(|(_, kind)| {
                    ["text", "varchar(60)", "json"].contains(&typed(kind))
                });
                let part = if is_long { "(9)" } else { "" };
                format!("CREATE INDEX {name} ON {table} ({column}{part})")
            }
            Alter::DropIndex(name) => format!("DROP INDEX IF EXISTS {name} ON {table}"),
            Alter::Key(columns) => {
                format!("ALTER TABLE {table} DROP PRIMARY KEY, ADD PRIMARY KEY ({columns})")
            }
        }
    }

    fn alters_in_transactions(&self) -> bool {
        false
    }

    fn prepare(&self, name: &str, writes: Vec<String>) -> Vec<String> {
        let mut all = vec![format!("XA START '{name}'")];
        all.extend(writes);
        all.extend(["END", "PREPARE"].map(|word| format!("XA {word} '{name}'")));
        all
    }

    fn finish(&self, name: &str, commits: bool) -> String {
        format!("XA {} '{name}'", if commits { "COMMIT" } else { "ROLLBACK" })
    }

    async fn prepared(&self) -> Result<Vec<String>, String> {
        let rows = self.connect().await?.rows("XA RECOVER").await?;
        Ok(rows.into_iter().filter_map(|mut row| row.pop().flatten()).collect())
    }

    async fn mirrored(&self, session: &mut dyn Session, stored: &Stored) -> Vec<Mirrored> {
        let rows = session.rows(COLUMNS).await.unwrap();
        let readings = rows.iter().map(|row| {
            let [Some(table), Some(name), Some(kind), Some(is_key)] = row.as_slice() else {
                panic!("{row:?}")
            };
            let kept = stored.type_of(table, name);
            (table.clone(), reading(self.kind(), name, kind, is_key == "1", kept))
        });
        grouped(readings.collect())
    }
}

/// Columns of every table, in order.
const COLUMNS: &str = "
    SELECT c.TABLE_NAME, c.COLUMN_NAME, c.COLUMN_TYPE, c.COLUMN_KEY = 'PRI'
    FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME)
    WHERE c.TABLE_SCHEMA = database() AND t.TABLE_TYPE = 'BASE TABLE'
    ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION";

fn reading(
    server: SourceKind,
    name: &str,
    declared: &str,
    is_key: bool,
    stored: Option<&str>,
) -> Reading {
    let column = format!("`{name}`");
    let mut source = format!("convert({column} using utf8mb4)");
    let mut store = format!("\"{name}\"::VARCHAR");
    let mut how = How::Exact;
    let kind = declared.split(['(', ' ']).next().unwrap_or_default();
    let is_binary = kind.ends_with("blob") || kind.ends_with("binary");
    match kind {
        _ if is_binary || ["geometry", "point", "vector"].contains(&kind) => {
            (source, store) = (format!("lower(hex({column}))"), format!("lower(hex(\"{name}\"))"));
        }
        "bit" | "year" => source = format!("convert({column} + 0 using utf8mb4)"),
        _ if declared.contains("zerofill") => {
            source = format!("convert({column} + 0 using utf8mb4)");
        }
        "float" => {
            source = format!("convert(cast({column} as double) using utf8mb4)");
            if stored == Some("FLOAT") {
                store = format!("\"{name}\"::DOUBLE::VARCHAR");
            }
            how = How::Number;
        }
        "double" => how = How::Number,
        "decimal" => how = How::Decimal,
        // With their zone where they are text, too.
        "timestamp" | "datetime" | "time" => how = How::Time,
        _ => {}
    }
    if server == SourceKind::Mysql && matches!(kind, "float" | "double") {
        // As text MySQL cuts the last digits of a long one, but not in JSON.
        source = format!("cast(cast({column} AS json) AS char)");
    }
    Reading { name: name.to_owned(), is_key, source, store, how }
}

/// What parents do to their children is not in the log.
fn family(rng: &mut StdRng) -> Vec<String> {
    let (id, other) = (rng.random_range(1..=FAMILY), rng.random_range(1..=FAMILY));
    let last = id + 20;
    match rng.random_range(0..12) {
        0..=3 => vec![
            format!("INSERT IGNORE INTO root SELECT seq, 0 FROM seq_{id}_to_{last}"),
            format!("INSERT IGNORE INTO branch SELECT seq, seq, 'é' FROM seq_{id}_to_{last}"),
            format!(
                "INSERT IGNORE INTO leaf SELECT b.seq, n.seq, 'l' FROM seq_{id}_to_{last} b,
                 seq_1_to_2 n"
            ),
            format!("INSERT IGNORE INTO note SELECT seq, seq, 'n' FROM seq_{id}_to_{last}"),
        ],
        4 => vec![format!(
            "UPDATE leaf SET v = concat(v, '.') WHERE branch = {id} AND length(v) < 30"
        )],
        5 => vec![format!("DELETE FROM root WHERE id BETWEEN {id} AND {id} + 5")],
        6 => vec![format!("DELETE FROM branch WHERE id = {id}")],
        7 => vec![format!("UPDATE root SET id = {} WHERE id = {id}", 1_000 + salt(rng))],
        8 => vec![format!("UPDATE branch SET id = {} WHERE id = {id}", 1_000 + salt(rng))],
        9 => vec![format!("UPDATE branch SET root = {other} WHERE id = {id}")],
        // Gone and there again: the children go for good.
        10 => vec![format!("REPLACE INTO root VALUES ({id}, {other})")],
        // No key is looked at, so nothing follows; then a new parent for those left behind.
        _ => vec![
            "SET foreign_key_checks = 0".to_owned(),
            format!("DELETE FROM root WHERE id = {id}"),
            "SET foreign_key_checks = 1".to_owned(),
            format!("INSERT IGNORE INTO root VALUES ({id}, -1)"),
            format!("UPDATE note SET branch = NULL WHERE id = {other}"),
        ],
    }
}

/// References by text, whose collation does not tell case apart.
fn tags(rng: &mut StdRng) -> Vec<String> {
    let (id, number) = (rng.random_range(1..=300), rng.random_range(1..=40));
    match rng.random_range(0..4) {
        0 => vec![
            format!("INSERT IGNORE INTO tag VALUES ('Tag{number}', 0)"),
            format!(
                "INSERT IGNORE INTO tagged SELECT seq, 'tag{number}', 1 FROM seq_{id}_to_{}",
                id + 9
            ),
        ],
        1 => vec![format!("UPDATE tag SET code = 'tAG{}' WHERE code = 'tag{number}'", 41 - number)],
        2 => vec![format!("DELETE FROM tag WHERE code = 'TAG{number}'")],
        _ => vec![format!("UPDATE tagged SET v = v + 1 WHERE id BETWEEN {id} AND {id} + 20")],
    }
}

/// A table that refers to itself.
fn nodes(rng: &mut StdRng) -> Vec<String> {
    let id = rng.random_range(2..=300);
    match rng.random_range(0..3) {
        0 => vec![
            "INSERT IGNORE INTO node VALUES (1, NULL, 0)".to_owned(),
            format!("INSERT IGNORE INTO node VALUES ({id}, 1, 0)"),
            format!("INSERT IGNORE INTO node VALUES ({}, {id}, 0)", id * 2 + 300),
            format!("INSERT IGNORE INTO node VALUES ({}, {}, 0)", id + 5_000, id * 2 + 300),
        ],
        1 => vec![format!("DELETE FROM node WHERE id = {id}")],
        _ => vec![format!("UPDATE node SET v = v + 1 WHERE up = {id} OR id < {id}")],
    }
}

/// A table with a column of every type.
fn every(kind: SourceKind, rng: &mut StdRng) -> Vec<String> {
    let id = rng.random_range(1..=EVERY);
    let value = |rng: &mut StdRng, case: &types::Case| match rng.random_ratio(1, 10) {
        true => "NULL".to_owned(),
        false => case.3(rng),
    };
    let cases = types::cases(kind);
    let change = match rng.random_range(0..4) {
        0 => format!("DELETE FROM every WHERE id = {id}"),
        1 => {
            let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
            let all: Vec<String> = cases.iter().map(|case| value(rng, case)).collect();
            let (names, all) = (names.join("`, `"), all.join(", "));
            format!("REPLACE INTO every (id, `{names}`) VALUES ({id}, {all})")
        }
        _ => {
            let case = &cases[rng.random_range(0..cases.len())];
            format!("UPDATE every SET `{}` = {} WHERE id = {id}", case.0, value(rng, case))
        }
    };
    // Dates with zeros are written only by who does not mind.
    vec!["SET sql_mode = ''".to_owned(), change, "SET sql_mode = DEFAULT".to_owned()]
}

fn wide(rng: &mut StdRng) -> Vec<String> {
    let (id, salt) = (rng.random_range(1..=WIDE), salt(rng));
    match rng.random_range(0..4) {
        0 => vec![format!("UPDATE wide SET v = {salt} WHERE id BETWEEN {id} AND {id} + 5")],
        1 => vec![format!(
            "UPDATE wide SET big = repeat(md5({salt}), {}) WHERE id = {id}",
            salt % 900
        )],
        2 => vec![
            format!("DELETE FROM wide WHERE id = -{id}"),
            format!("UPDATE wide SET id = -{id} WHERE id = {id}"),
        ],
        _ => vec![format!("REPLACE INTO wide VALUES ({id}, 1, NULL, repeat('{salt}', 900))")],
    }
}

struct BinlogSession(Conn, SourceKind);

impl BinlogSession {
    fn spelled(&self, sql: &str) -> String {
        match self.1 {
            SourceKind::Mysql => mysql::spelled(sql),
            _ => sql.to_owned(),
        }
    }
}

#[async_trait]
impl Session for BinlogSession {
    async fn run(&mut self, sql: &str) -> Result<u64, String> {
        self.0.query_drop(self.spelled(sql)).await.map_err(|error| error.to_string())?;
        let words = ["INSERT", "UPDATE", "DELETE", "REPLACE"];
        let is_change = words.iter().any(|word| sql.starts_with(word));
        Ok(if is_change { self.0.affected_rows() } else { 0 })
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, String> {
        let rows: Vec<mysql_async::Row> =
            self.0.query(self.spelled(sql)).await.map_err(|error| error.to_string())?;
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect())
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => panic!("a text query answered {other:?}"),
    }
}
