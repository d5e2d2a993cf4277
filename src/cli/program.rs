//! What the commands need from the rest of the program; `app` provides it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::Unread;
use crate::config::{Config, SourceConfig};
use crate::error::Result;
use crate::finding::Finding;
use crate::state::StateDir;
use crate::status::Status;

/// The program behind the commands. Every call says what it does to other systems.
pub trait Program: Sync {
    /// The canonical entities that exist, built-in ones and those of `sql_dir`.
    fn entities(&self, config: &Config) -> Vec<String>;

    /// Plans every mapping of the configuration, as `run` would; connects to nothing.
    fn plan_mappings(&self, config: &Config) -> Vec<Finding>;

    /// Everything that the configured mappings are made of: path → text.
    fn mapping_files(&self, config: &Config) -> Result<BTreeMap<String, String>>;

    /// Reaches and examines one configured source; changes nothing there.
    fn examine_source<'a>(
        &'a self,
        name: &'a str,
        config: &'a Config,
    ) -> BoxFuture<'a, Vec<Finding>>;

    /// Reaches and examines one configured target; changes nothing there.
    fn examine_target<'a>(
        &'a self,
        name: &'a str,
        config: &'a Config,
    ) -> BoxFuture<'a, Vec<Finding>>;

    /// Lists the tables of a source that is not configured yet; changes nothing there.
    fn tables<'a>(
        &'a self,
        name: &'a str,
        source: &'a SourceConfig,
    ) -> BoxFuture<'a, Result<Found>>;

    /// Removes what we made in a source (slot, publication); with `dry_run` only says what.
    /// One line per thing removed, as SQL where it is SQL.
    fn uninstall<'a>(
        &'a self,
        name: &'a str,
        config: &'a Config,
        dry_run: bool,
    ) -> BoxFuture<'a, Result<Vec<String>>>;

    /// The status as the state folder of a stopped daemon tells it; takes hold of nothing.
    fn status_from_state(&self, config: &Config) -> Result<Status>;

    /// Holds the archive in the state folder against the digests in the ledger; changes nothing.
    fn audit(&self, config: &Config) -> Result<Vec<Finding>>;

    /// What could not be read of `source`'s log, or of all sources'; changes nothing.
    fn unread(&self, config: &Config, source: Option<&str>) -> Result<Vec<Unread>>;

    /// Forgets it, up to a number.
    fn forget_unread(&self, config: &Config, source: Option<&str>, upto: u64) -> Result<()>;

    /// Runs the daemon until `start.shutdown`, then drains.
    fn run(&self, start: Start) -> BoxFuture<'_, Result<()>>;

    /// Runs the demo; true if all sides agree in the end.
    fn demo(
        &self,
        options: DemoOptions,
        shutdown: CancellationToken,
    ) -> BoxFuture<'_, Result<bool>>;

    /// Tests a mapping pack on its fixtures; an error finding is a failed test.
    fn mapping_test(&self, options: &MappingTestOptions) -> Result<Vec<Finding>>;
}

/// Everything a daemon holds before its loops start.
#[derive(Debug)]
pub struct Start {
    /// Read and judged.
    pub config: Config,
    /// Held by this process until `run` has returned, whatever becomes of this handle.
    pub state: Arc<StateDir>,
    /// Bound to `http_listen`.
    pub listener: TcpListener,
    /// Cancelled by the first signal.
    pub shutdown: CancellationToken,
}

/// What `init` finds in a live database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What it is, as the configuration says it.
    pub kind: &'static str,
    /// Its tables.
    pub tables: Vec<FoundTable>,
    /// Mapping packs whose tables are all there.
    pub packs: Vec<String>,
}

/// A table of a live database, for `init`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTable {
    /// Its schema, or its database in MariaDB.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What the server's statistics guess.
    pub rows_estimated: Option<u64>,
    /// Why it cannot be mirrored as it is, with the remedy.
    pub unusable: Option<String>,
}

/// `trueup demo`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoOptions {
    /// How long it works; `None`: until a signal.
    pub seconds: Option<u64>,
    /// Without the HR system and so without MariaDB.
    pub erp_only: bool,
    /// Whether somebody tampers with the target meanwhile.
    pub has_drift: bool,
}

/// `trueup mapping test`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingTestOptions {
    /// The pack's name.
    pub pack: String,
    /// Where the operator's own packs and entities are.
    pub sql_dir: Option<PathBuf>,
    /// Batches of random changes.
    pub batches: u32,
    /// Seed of the random changes; `None`: a new one, which is then told.
    pub seed: Option<u64>,
}
