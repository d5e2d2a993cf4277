//! What the soak needs of a kind of source. Another one is one more file beside `postgres.rs` and
//! `mariadb.rs`, and one more line in `Stage::begin`.
//!
//! It holds no statements: those that read the same everywhere are in `statements.rs`.

use async_trait::async_trait;
use rand::rngs::StdRng;
use trueup::change::Position;

use super::oracle::{Mirrored, Stored};
use super::world::{Kind, Shape};
use crate::agreement::Row;

/// A private server, and how its SQL is spelled.
#[async_trait]
pub(crate) trait Engine: Send + Sync + 'static {
    /// The source's name in the configuration, and so its schema in the store.
    fn source(&self) -> &'static str;
    /// Where its tables lie.
    fn schema(&self) -> &'static str;
    /// Its table of the configuration but for the password, reached through `port`.
    fn configuration(&self, port: u16) -> String;
    fn password(&self) -> &str;
    fn port(&self) -> u16;

    /// A session that writes or looks; past the wire that can be broken.
    async fn connect(&self) -> Result<Box<dyn Session>, String>;
    /// The end of the log as it is now.
    async fn end_of_log(&self) -> Position;

    /// Stops it in order and starts it. Blocks.
    fn restart(&self);
    /// Ends it as a crash does. Blocks.
    fn kill(&self);
    /// Starts it after that. Blocks.
    fn start_again(&self);

    /// Tables that are there from the beginning, with rows.
    fn tables(&self) -> Vec<String>;
    /// Types of columns that come and go.
    fn kinds(&self) -> &'static [Kind];
    /// A transaction that only this kind of source knows.
    fn own(&self, rng: &mut StdRng) -> Vec<String>;
    /// Numbers from `first` to `last` as `FROM` takes them, in a column `g`.
    fn series(&self, first: i64, last: i64) -> String;
    /// Inserts those rows of `select` whose keys are free.
    fn insert_free(&self, table: &str, columns: &str, select: &str) -> String;
    /// Puts the rows of `select` in the place of those that are there.
    fn put(&self, shape: &Shape, columns: &str, select: &str) -> String;
    /// Changes a table.
    fn alter(&self, shape: &Shape, change: &Alter) -> String;
    /// Whether such statements are part of transactions, and can be rolled back.
    fn alters_in_transactions(&self) -> bool;

    /// Statements that prepare `writes` under a name; the session is free afterwards.
    fn prepare(&self, name: &str, writes: Vec<String>) -> Vec<String>;
    /// Ends what was prepared.
    fn finish(&self, name: &str, commits: bool) -> String;
    /// The names of everything that is prepared.
    async fn prepared(&self) -> Result<Vec<String>, String>;

    /// Every table with a key, and how its columns are read on both sides.
    async fn mirrored(&self, session: &mut dyn Session, stored: &Stored) -> Vec<Mirrored>;
}

/// A connection to a server.
#[async_trait]
pub(crate) trait Session: Send {
    /// Runs one statement; how many rows it changed.
    async fn run(&mut self, sql: &str) -> Result<u64, String>;
    /// The rows of a query.
    async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, String>;
}

/// A change of a table. Columns are named by the number of their kind.
#[derive(Debug, Clone)]
pub(crate) enum Alter {
    Create,
    Drop,
    RenameTable(String),
    Truncate,
    /// Name, kind, and whether it comes with a value in the rows that are there.
    Add(String, usize, bool),
    DropColumn(String),
    Rename(String, usize, String),
    Retype(String, usize),
    Comment(String),
    Index(String, String),
    DropIndex(String),
    /// Another key: the columns of it.
    Key(String),
}

/// A kind of column: its type and an expression for a value of it, with `{g}` for the row's key and `{s}`
/// for a number that makes it another one.
pub(crate) fn value(kind: &Kind, key: &str, salt: i64) -> String {
    kind.value.replace("{g}", key).replace("{s}", &salt.to_string())
}
