//! The configuration file: one TOML file, read into plain structs and judged as a whole.
//!
//! Parsing reports every problem at once; secrets are read later, when they are needed, and
//! nothing here connects.

mod document;
mod fault;
mod judge;
pub mod load;
pub mod problem;
mod read;
pub mod secret;
mod url;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

pub use load::{judge_text, load, parse};
pub use problem::{Problem, Problems};
pub use read::options;
pub use secret::Secret;

/// Everything the operator says. Unknown keys are errors that name the nearest known one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The process itself.
    #[serde(default)]
    pub daemon: DaemonConfig,
    /// SQL for analysts.
    #[serde(default)]
    pub sql: SqlConfig,
    /// Limits with their defaults and units.
    #[serde(default)]
    pub limits: Limits,
    /// Sources by name.
    #[serde(default)]
    pub source: BTreeMap<String, SourceConfig>,
    /// Canonical entities: who owns which attribute.
    #[serde(default)]
    pub entity: BTreeMap<String, EntityConfig>,
    /// Targets by name.
    #[serde(default)]
    pub target: BTreeMap<String, TargetConfig>,
    /// Workflows by name.
    #[serde(default)]
    pub workflow: BTreeMap<String, WorkflowConfig>,
}

/// `[daemon]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DaemonConfig {
    /// Where ledger and store live; made with mode 0700.
    pub state_dir: PathBuf,
    /// Metrics, health and the operator's API.
    pub http_listen: SocketAddr,
    /// Listen on addresses that other machines can reach. Nothing there asks for a password
    /// yet, so a proxy that does belongs in front.
    pub allow_remote: bool,
    /// A folder whose `canonical/` and `mappings/` are looked into before the built-in ones.
    pub sql_dir: Option<PathBuf>,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("/var/lib/trueup"),
            http_listen: SocketAddr::from(([127, 0, 0, 1], 9847)),
            allow_remote: false,
            sql_dir: None,
        }
    }
}

/// `[sql]`: PostgreSQL's protocol on the store, read-only.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqlConfig {
    /// Where it listens; nowhere if absent.
    pub listen: Option<SocketAddr>,
    /// PEM file of the certificate, and of those that vouch for it. With it every connection is
    /// encrypted.
    pub tls_cert: Option<PathBuf>,
    /// PEM file of its private key.
    pub tls_key: Option<PathBuf>,
    /// Who may connect, by name.
    pub user: BTreeMap<String, SqlUser>,
}

/// `[sql.user.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlUser {
    /// Read at each login; nobody gets in without.
    #[serde(default)]
    pub password: Option<Secret>,
}

/// `[limits]`: every bound of the process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest journal entry. A larger transaction spans entries.
    pub chunk_bytes: usize,
    /// Journal bytes that one conform batch takes at most; a larger transaction is taken in slices.
    pub batch_bytes: usize,
    /// How long conform waits for more after the first transaction, so that bursts share a
    /// batch.
    pub batch_wait_ms: u64,
    /// Rows of one copy chunk.
    pub copy_chunk_rows: u32,
    /// Tables of a source that are copied side by side.
    pub copy_tables: usize,
    /// Parts of one table that are copied side by side; 1: it is read from one end to the other. A source
    /// has as many sessions of copies as the larger one of this and `copy_tables`.
    pub copy_ranges: usize,
    /// Memory for chunks of a source that are read or on their way into the journal.
    pub copy_bytes_max: usize,
    /// Rows that all copies of a source read a second; 0: as many as it gives.
    pub copy_rows_per_sec: u32,
    /// Size at which a journal segment is closed and the next one begun.
    pub segment_bytes: u64,
    /// How long conformed journal segments are kept.
    pub journal_retention_hours: u64,
    /// How long events and batches are kept after every target and the store have them.
    pub outbox_retention_hours: u32,
    /// How long runs of workflows are kept after they ended.
    pub workflow_retention_days: u32,
    /// How long raw changes are kept in the store; a month goes as a whole.
    pub changes_retention_days: u32,
    /// How often events, history and canonical rows are sealed in the archive. 0: never.
    pub archive_every_secs: u64,
    /// Seconds between two full evaluations of an entity that the stored rows are held against; 0:
    /// none.
    pub verify_every_secs: u64,
    /// Seconds between two comparisons of each pair of sides; 0: only when asked.
    pub compare_every_secs: u64,
    /// Differing rows that are kept of each entity; all are counted.
    pub drift_rows_max: usize,
    /// Rows that one repair may write.
    pub repair_rows_max: usize,
    /// Bytes of rows that could not be read that are kept; the oldest go.
    pub unread_bytes_max: u64,
    /// A batch that changes or deletes fewer rows of an entity is never held.
    pub hold_rows_min: u64,
    /// A batch that changes or deletes more of an entity's rows than this share is held for a
    /// person. 100: none is.
    pub hold_percent: u32,
    /// Journal size at which capture stops confirming and waits.
    pub journal_bytes_max: u64,
    /// Events of one outbox block.
    pub block_events: usize,
    /// Events of one target transaction.
    pub apply_events: usize,
    /// Parked events a target may have before it pauses.
    pub parked_events_max: usize,
    /// Attempts before a parked event becomes a dead letter.
    pub attempts_max: u32,
    /// First pause between attempts; doubled each time, with jitter.
    pub retry_delay_ms: u64,
    /// Longest pause between attempts.
    pub retry_delay_ms_max: u64,
    /// Longest pause between attempts to apply a dead letter.
    pub dead_retry_secs: u64,
    /// Memory DuckDB may use for its buffers.
    pub store_memory_bytes: u64,
    /// Threads DuckDB may use.
    pub store_threads: u32,
    /// Longest run time of an operator's SQL statement.
    pub sql_timeout_secs: u64,
    /// Most rows an operator's SQL statement returns.
    pub sql_rows_max: usize,
    /// Connections to the SQL listener at once.
    pub sql_connections_max: usize,
    /// Longest run time of a key figure.
    pub kpi_timeout_secs: u64,
    /// Most series of a key figure.
    pub kpi_series_max: usize,
    /// How long an idle source waits between two advances of its confirmed position.
    pub idle_confirm_secs: u64,
    /// Seconds between two looks at which tables a source has; 0: only when its log is opened.
    pub tables_every_secs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            chunk_bytes: 1 << 20,
            batch_bytes: 3 << 20,
            batch_wait_ms: 10,
            copy_chunk_rows: 10_000,
            copy_tables: 2,
            copy_ranges: 2,
            copy_bytes_max: 48 << 20,
            copy_rows_per_sec: 0,
            segment_bytes: 256 << 20,
            journal_retention_hours: 24,
            outbox_retention_hours: 168,
            workflow_retention_days: 30,
            changes_retention_days: 30,
            archive_every_secs: 86_400,
            verify_every_secs: 3_600,
            compare_every_secs: 3_600,
            drift_rows_max: 1_000,
            repair_rows_max: 1_000,
            unread_bytes_max: 64 << 20,
            hold_rows_min: 1_000,
            hold_percent: 25,
            journal_bytes_max: 20 << 30,
            block_events: 1_000,
            apply_events: 5_000,
            parked_events_max: 100_000,
            attempts_max: 8,
            retry_delay_ms: 500,
            retry_delay_ms_max: 60_000,
            dead_retry_secs: 3_600,
            store_memory_bytes: 256 << 20,
            store_threads: 2,
            sql_timeout_secs: 30,
            sql_rows_max: 10_000,
            sql_connections_max: 100,
            kpi_timeout_secs: 30,
            kpi_series_max: 1_000,
            idle_confirm_secs: 10,
            tables_every_secs: 30,
        }
    }
}

/// Which kind of database a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// PostgreSQL 14 or later.
    Postgres,
    /// MariaDB 10.6 or later.
    Mariadb,
    /// MySQL 8.0 or later.
    Mysql,
}

/// `[source.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Which kind of database.
    pub kind: SourceKind,
    /// `postgres://user@host:port/database` or `mysql://…`; never with a password in it.
    pub url: String,
    /// The password, as `${file:PATH}` or `${env:NAME}`.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Patterns of tables to mirror: `schema.table`, `*` as wildcard, `!` excludes.
    #[serde(default)]
    pub tables: Vec<String>,
    /// Patterns of columns to mirror: `column`, `table.column` or `schema.table.column`, `*` as wildcard,
    /// `!` excludes; later ones win. All columns if absent.
    #[serde(default)]
    pub columns: Vec<String>,
    /// By table, `table` or `schema.table`: which of its rows are mirrored, as a condition over its columns.
    /// All rows of other tables.
    #[serde(default)]
    pub rows: BTreeMap<String, String>,
    /// Patterns of tables that are mirrored without a key: `schema.table`, `*` as wildcard. Their rows are
    /// known by what they hold, and one long transaction copies each.
    #[serde(default)]
    pub keyless: Vec<String>,
    /// The mapping pack, if this source feeds canonical entities.
    #[serde(default)]
    pub mapping: Option<String>,
    /// What its zoneless timestamps mean.
    #[serde(default = "utc")]
    pub timezone: String,
    /// Bytes of log that a PostgreSQL server may keep for us before it is given up.
    #[serde(default = "retained_bytes_max")]
    pub max_retained_bytes: u64,
    /// Transport security.
    #[serde(default)]
    pub tls: Tls,
    /// A PEM file of certificate authorities to trust instead of the system's.
    #[serde(default)]
    pub tls_ca: Option<PathBuf>,
}

/// What a legacy server's disk can hold beside its data, mostly; its own bound is the better one.
fn retained_bytes_max() -> u64 {
    10 << 30
}

fn utc() -> String {
    "UTC".to_owned()
}

/// How a connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// `verify-full`, but off on loopback addresses.
    #[default]
    Auto,
    /// Never.
    Disable,
    /// Encrypted; the certificate is not judged.
    Require,
    /// Encrypted, certificate and host name verified.
    VerifyFull,
}

/// `[entity.<name>]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityConfig {
    /// Attribute → source; `"*"` is the default owner.
    #[serde(default)]
    pub owner: BTreeMap<String, String>,
}

/// Which kind of system a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// Tables in a PostgreSQL database.
    Postgres,
}

/// `[target.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// Which kind of system.
    pub kind: TargetKind,
    /// As for sources.
    pub url: String,
    /// As for sources.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Transport security.
    #[serde(default)]
    pub tls: Tls,
    /// As for sources.
    #[serde(default)]
    pub tls_ca: Option<PathBuf>,
    /// What is delivered, and into which table.
    #[serde(default)]
    pub entity: BTreeMap<String, TargetEntity>,
}

/// `[target.<name>.entity.<entity>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetEntity {
    /// The operator's table, `table` or `schema.table`.
    pub table: String,
    /// Key columns: target column → SQL over the canonical row. A unique index on exactly these
    /// columns must exist.
    pub key: BTreeMap<String, String>,
    /// The other columns: target column → SQL over the canonical row.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// Others write rows of their own into the table: a row that is not ours is no drift.
    #[serde(default)]
    pub shared: bool,
}

/// `[workflow.<name>]`: something that has to be somewhere in time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowConfig {
    /// The canonical entity it is about.
    pub entity: String,
    /// Which events begin a run: SQL over `old.<attribute>` and `new.<attribute>`.
    pub when: String,
    /// Where it ends: a run towards each.
    pub targets: Vec<String>,
    /// Attributes that must not be NULL before it counts as arrived.
    #[serde(default)]
    pub requires: Vec<String>,
    /// From the source's commit to a target's acknowledgement, as `"15m"`; none if absent.
    #[serde(default)]
    pub sla: Option<String>,
}

impl WorkflowConfig {
    /// The service level; `None` if there is none, or it cannot be read.
    #[must_use]
    pub fn level(&self) -> Option<std::time::Duration> {
        let level: jiff::SignedDuration = self.sla.as_ref()?.parse().ok()?;
        std::time::Duration::try_from(level).ok().filter(|level| !level.is_zero())
    }
}
