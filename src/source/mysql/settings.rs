//! What a server must be set to for its log to be readable, and who it is: one list of rules for
//! `check` and for `prepare`.
//!
//! The rules are pure; reading the settings is [`read`].

use std::collections::HashMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::dialect::Dialect;
use super::following::Following;
use super::session::{Address, named_values};
use crate::change::Position;
use crate::error::Result;
use crate::finding::Finding;

/// A log that is kept for less than this many seconds may be gone before an outage ends.
const EXPIRE_SECS_MIN: u64 = 2 * 86_400;
/// What we propose: a week.
const EXPIRE_SECS: u64 = 7 * 86_400;

/// MySQL from 9.6 on: whether the engine does what foreign keys ask for, unseen by the log. Fixed at a start.
const NATIVE_FOREIGN_KEYS: &str = "innodb_native_foreign_keys";

/// MariaDB: whether one thread commits for a whole group. Fixed at a start.
pub(super) const THREAD_SCHEDULING: &str = "binlog_optimize_thread_scheduling";

/// Settings, load and rights of a server.
#[derive(Debug, Clone)]
pub(super) struct Server {
    dialect: Dialect,
    settings: HashMap<String, String>,
    /// Redo bytes per day since its start, if it says so: about what a row binlog takes.
    written_bytes_per_day: Option<u64>,
    /// `user@host` as the server sees us.
    account: String,
    grants: Vec<String>,
}

/// Reads all that the rules need.
pub(super) async fn read(address: &Address, connection: &mut Conn) -> Result<Server> {
    let dialect = address.dialect();
    let settings = named_values(address, connection, dialect.settings()).await?;
    let load_sql = include_str!("../../../sql/source/mysql/load.sql");
    let load = named_values(address, connection, load_sql).await?;
    let number = |name: &str| load.get(name).and_then(|value| value.parse::<u64>().ok());
    let written_bytes_per_day = match (number("innodb_os_log_written"), number("uptime")) {
        (Some(bytes), Some(secs)) if secs >= 3_600 => Some(bytes / secs * 86_400),
        _ => None,
    };
    let explain = |error| address.explain(error, "could not read our own grants");
    let account: Option<String> =
        connection.query_first("SELECT CURRENT_USER()").await.map_err(explain)?;
    let grants: Vec<String> = connection.query("SHOW GRANTS").await.map_err(explain)?;
    let account = account.unwrap_or_default();
    Ok(Server { dialect, settings, written_bytes_per_day, account, grants })
}

impl Server {
    fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map(String::as_str).unwrap_or_default()
    }

    /// By what a new source is followed.
    pub(super) fn following(&self) -> Following {
        match self.dialect {
            Dialect::Mariadb => Following::Gtids,
            Dialect::Mysql => Following::by_mode(self.gtid_mode()),
        }
    }

    /// MySQL's.
    pub(super) fn gtid_mode(&self) -> &str {
        self.setting("gtid_mode")
    }

    /// Where the log ends, by GTIDs.
    pub(super) fn position(&self) -> Result<Position> {
        self.dialect.position(self.setting(match self.dialect {
            Dialect::Mariadb => "gtid_binlog_pos",
            Dialect::Mysql => "gtid_executed",
        }))
    }

    /// What the server calls itself; another text later means another server.
    pub(super) fn identity(&self) -> String {
        if self.dialect == Dialect::Mysql {
            return format!("mysql:{}", self.setting("server_uuid"));
        }
        match self.setting("server_uid") {
            "" => format!(
                "mariadb:{}:{}:{}",
                self.setting("server_id"),
                self.setting("hostname"),
                self.setting("datadir")
            ),
            uid => format!("mariadb:{}:{uid}", self.setting("server_id")),
        }
    }

    /// Whether the log tells what foreign keys do, where that differs between MySQL's versions and by a
    /// setting: see [`super::catalog::logs_cascades`].
    pub(super) fn logs_cascades(&self) -> Option<bool> {
        let logs = || self.setting(NATIVE_FOREIGN_KEYS) == "OFF";
        (self.dialect == Dialect::Mysql).then(logs)
    }

    /// Whether it says truly what a snapshot has seen. A MariaDB in which each thread commits by itself shows
    /// a part of a group before the rest.
    pub(super) fn places_snapshots(&self) -> bool {
        self.setting(THREAD_SCHEDULING) != "OFF"
    }

    /// Whether a copy of a table without a key could have to wait for a moment without commits: in MySQL, if
    /// we may not lock tables.
    pub(super) fn may_wait_for_stillness(&self) -> bool {
        let locks = |grant: &String| grant.contains("LOCK TABLES") || grant.contains("ALL PRIV");
        self.dialect == Dialect::Mysql && !self.grants.iter().any(locks)
    }

    /// Whether it is the server's choice at each of its starts.
    pub(super) fn chooses_cascades(&self) -> bool {
        !self.setting(NATIVE_FOREIGN_KEYS).is_empty()
    }

    /// The account in SQL.
    fn account_sql(&self) -> String {
        let (user, host) = self.account.rsplit_once('@').unwrap_or((&self.account, "%"));
        format!("'{user}'@'{host}'")
    }

    /// `GRANT … ON <what> TO us`.
    pub(super) fn grant(&self, right: &str, what: &str) -> String {
        format!("GRANT {right} ON {what} TO {};", self.account_sql())
    }

    fn may(&self, right: &str) -> bool {
        self.grants.iter().any(|grant| {
            let Some((rights, rest)) = grant.trim_start_matches("GRANT ").split_once(" ON *.*")
            else {
                return false;
            };
            let mut rights = rights.split(',').map(str::trim);
            let listed = rights.any(|one| one == right || one == "ALL PRIVILEGES");
            listed && rest.starts_with(" TO ")
        })
    }

    /// Every rule's finding about a source that is, or would be, followed so.
    pub(super) fn findings(&self, following: Following) -> Vec<Finding> {
        let mut findings = vec![self.version()];
        findings.extend(self.log_findings(following));
        findings.extend(self.right_findings());
        findings.extend(self.risk_findings());
        findings
    }

    fn number(&self) -> (Option<u32>, Option<u32>) {
        let version = self.setting("version");
        let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
        (parts.next(), parts.next())
    }

    fn version(&self) -> Finding {
        let version = self.setting("version");
        let number = self.number();
        let (is_right, wanted, other) = match self.dialect {
            Dialect::Mariadb => {
                (number >= (Some(10), Some(6)), "MariaDB 10.6 or later", Dialect::Mysql)
            }
            Dialect::Mysql => {
                (number >= (Some(8), Some(0)), "MySQL 8.0 or later", Dialect::Mariadb)
            }
        };
        let is_mariadb = version.contains("MariaDB");
        if is_mariadb != (self.dialect == Dialect::Mariadb) {
            let kind = other.name().to_lowercase();
            return Finding::error(
                format!("the server is {version}, not {wanted}"),
                format!("set kind = \"{kind}\" in the configuration of the source"),
            );
        }
        match is_right {
            true => Finding::ok(format!("the server is {version}")),
            false => Finding::error(
                format!("the server is {version}, not {wanted}"),
                format!("upgrade the server, or read from a replica that runs {wanted}"),
            ),
        }
    }

    fn log_findings(&self, following: Following) -> Vec<Finding> {
        if self.setting("log_bin") != "ON" {
            let what = "the binlog is off (log_bin = OFF): there is no log to read";
            let (section, gtids) = match self.dialect {
                Dialect::Mariadb => ("mariadb", "gtid_strict_mode = ON"),
                Dialect::Mysql => ("mysqld", "gtid_mode = ON\nenforce_gtid_consistency = ON"),
            };
            let remedy = format!(
                "add to my.cnf and restart the server:\n[{section}]\nlog_bin = binlog\n\
                 binlog_format = ROW\nbinlog_row_metadata = FULL\nbinlog_row_image = FULL\n\
                 {gtids}\nbinlog_expire_logs_seconds = {EXPIRE_SECS}\n{}",
                self.disk()
            );
            return vec![Finding::error(what, remedy)];
        }
        let wanted = [
            ("binlog_format", "ROW", "statements instead of rows reach the log"),
            ("binlog_row_metadata", "FULL", "the log does not say what its columns are"),
            ("binlog_row_image", "FULL", "the log leaves out columns"),
        ];
        let mut findings: Vec<Finding> =
            wanted.map(|(name, want, why)| self.wanted(name, want, why)).into();
        if self.dialect == Dialect::Mysql {
            findings.push(self.numbers(following));
        }
        findings
    }

    /// MySQL: whether its transactions have numbers, and what it means that they have none.
    fn numbers(&self, following: Following) -> Finding {
        const TURN_ON: &str = "one after the other: SET GLOBAL enforce_gtid_consistency = ON; SET GLOBAL \
            gtid_mode = OFF_PERMISSIVE; SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON; and \
            add both to my.cnf";
        match (self.gtid_mode(), following) {
            ("ON", Following::Gtids) => Finding::ok("gtid_mode = ON"),
            (mode, Following::Gtids) => Finding::error(
                format!(
                    "gtid_mode = {mode}: the log is followed by GTIDs, and the server gives none out"
                ),
                format!("SET GLOBAL gtid_mode = ON; (over what lies between: {TURN_ON})"),
            ),
            ("ON", Following::Files) => Finding::warning(
                "gtid_mode = ON, but the log is followed by file and position, as it was begun",
                "`trueup resync SOURCE --gap`: it is followed by GTIDs then, and every table is copied again",
            ),
            (mode, Following::Files) => Finding::warning(
                format!(
                    "gtid_mode = {mode}: the log is followed by file and position, which no other server \
                     shares: once another one takes this one's place, everything is copied again"
                ),
                format!(
                    "{TURN_ON}; if it is followed already, `trueup resync SOURCE --gap` after that"
                ),
            ),
        }
    }

    fn wanted(&self, name: &str, want: &str, why: &str) -> Finding {
        match self.setting(name) {
            is if is == want => Finding::ok(format!("{name} = {is}")),
            is => Finding::error(
                format!("{name} = {is}: {why}"),
                format!(
                    "SET GLOBAL {name} = '{want}'; then reconnect all applications (sessions keep \
                     the old value), and add to my.cnf for the next restart:\n[{}]\n{name} = \
                     {want}\n{}",
                    match self.dialect {
                        Dialect::Mariadb => "mariadb",
                        Dialect::Mysql => "mysqld",
                    },
                    self.disk()
                ),
            ),
        }
    }

    /// What the log costs on disk.
    fn disk(&self) -> String {
        let days = EXPIRE_SECS / 86_400;
        match self.written_bytes_per_day {
            Some(bytes) => format!(
                "it costs about {} MiB of disk per day here (this server's redo log says so), kept \
                 for {days} days",
                bytes / (1 << 20) + 1
            ),
            None => format!(
                "it costs about as much disk as the rows that are written, kept for {days} days"
            ),
        }
    }

    fn right_findings(&self) -> Vec<Finding> {
        let rights: &[&str] = match self.dialect {
            Dialect::Mariadb => &["REPLICATION SLAVE", "BINLOG MONITOR"],
            Dialect::Mysql => &["REPLICATION SLAVE", "REPLICATION CLIENT", "XA_RECOVER_ADMIN"],
        };
        let finding = |right: &&str| {
            if self.may(right) || self.may("SUPER") && self.dialect == Dialect::Mariadb {
                Finding::ok(format!("{} may use {right}", self.account))
            } else {
                Finding::error(format!("{} lacks {right}", self.account), self.grant(right, "*.*"))
            }
        };
        rights.iter().map(finding).collect()
    }

    fn risk_findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let is_mariadb = self.dialect == Dialect::Mariadb;
        if is_mariadb && self.setting("gtid_strict_mode") != "ON" {
            findings.push(Finding::warning(
                "gtid_strict_mode = OFF: a write to a replica can make the log's order ambiguous, \
                 which stops us",
                "SET GLOBAL gtid_strict_mode = ON; and add gtid_strict_mode = ON to my.cnf",
            ));
        }
        match self.setting("binlog_expire_logs_seconds").parse::<u64>() {
            Ok(0) => findings.push(Finding::warning(
                "binlog_expire_logs_seconds = 0: the server never removes old logs by itself and \
                 its disk fills",
                format!("SET GLOBAL binlog_expire_logs_seconds = {EXPIRE_SECS}; and in my.cnf"),
            )),
            Ok(secs) if secs < EXPIRE_SECS_MIN => findings.push(Finding::warning(
                format!(
                    "binlog_expire_logs_seconds = {secs}: after an outage longer than {} hours \
                     everything must be copied again",
                    secs / 3_600
                ),
                format!("SET GLOBAL binlog_expire_logs_seconds = {EXPIRE_SECS}; and in my.cnf"),
            )),
            _ => {}
        }
        let is_logged = self.setting("log_slave_updates") == "ON"
            || self.setting("log_replica_updates") == "ON";
        if (!is_mariadb || !self.setting("gtid_slave_pos").is_empty()) && !is_logged {
            findings.push(Finding::warning(
                "log_slave_updates = OFF: if this server is a replica, its log lacks what it \
                 receives",
                "read from the primary, or add log_slave_updates = ON to my.cnf and restart",
            ));
        }
        let flush = self.setting("innodb_flush_log_at_trx_commit");
        let sync = self.setting("sync_binlog");
        if sync != "1" || flush != "1" {
            findings.push(Finding::warning(
                format!(
                    "sync_binlog = {sync}, innodb_flush_log_at_trx_commit = {flush}: a power \
                     failure can take back transactions that we have already seen"
                ),
                "set both to 1 in my.cnf if the server's disks can bear it",
            ));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    fn server(settings: &[(&str, &str)], grants: &[&str]) -> Server {
        Server {
            dialect: Dialect::Mariadb,
            settings: settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            written_bytes_per_day: Some(50 << 20),
            account: "trueup@%".to_owned(),
            grants: grants.iter().map(|grant| (*grant).to_owned()).collect(),
        }
    }

    #[test]
    fn rights_are_read_from_grants() {
        let right = "GRANT SELECT, REPLICATION SLAVE, BINLOG MONITOR ON *.* TO `trueup`@`%`";
        assert!(server(&[], &[right]).may("REPLICATION SLAVE"));
        assert!(server(&[], &["GRANT ALL PRIVILEGES ON *.* TO `r`@`%`"]).may("BINLOG MONITOR"));
        assert!(!server(&[], &["GRANT SELECT ON `hr`.* TO `r`@`%`"]).may("BINLOG MONITOR"));
        assert!(
            !server(&[], &["GRANT REPLICATION SLAVE ADMIN ON *.* TO `r`@`%`"])
                .may("REPLICATION SLAVE")
        );
    }

    #[test]
    fn each_wrong_setting_names_its_remedy() {
        let right = [
            ("version", "10.11.19-MariaDB-log"),
            ("log_bin", "ON"),
            ("binlog_format", "ROW"),
            ("binlog_row_metadata", "FULL"),
            ("binlog_row_image", "FULL"),
            ("gtid_strict_mode", "ON"),
            ("binlog_expire_logs_seconds", "604800"),
            ("sync_binlog", "1"),
            ("innodb_flush_log_at_trx_commit", "1"),
        ];
        let all = ["GRANT ALL PRIVILEGES ON *.* TO `trueup`@`%`"];
        let bad = |settings: &[(&str, &str)]| {
            let mut findings = server(settings, &all).findings(Following::Gtids);
            findings.retain(|finding| finding.severity != Severity::Ok);
            findings
        };
        assert_eq!(bad(&right), []);
        let wrong = ["8.0.36", "OFF", "MIXED", "NO_LOG", "MINIMAL", "OFF", "3600", "0", "2"];
        for (place, wrong) in wrong.into_iter().enumerate() {
            let mut settings = right;
            settings[place].1 = wrong;
            let findings = bad(&settings);
            assert_eq!(findings.len(), 1, "{}", settings[place].0);
            let name = settings[place].0.replace("version", "10.6");
            assert!(findings[0].what.contains(&name), "{:?}", findings[0]);
            assert!(findings[0].remedy.as_deref().is_some_and(|remedy| remedy.len() > 20));
        }
        let findings = server(&right, &[]).findings(Following::Gtids);
        assert!(findings.iter().any(|finding| finding.remedy.as_deref()
            == Some("GRANT REPLICATION SLAVE ON *.* TO 'trueup'@'%';")));
    }
}
