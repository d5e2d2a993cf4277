//! What the values of a configuration must mean together: names, addresses, owners, limits.
//!
//! Pure: it reads no file, no variable and connects to nothing. Types and unknown keys are
//! [`super::read`]'s.

mod workflow;

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Node, Path};
use super::problem::{Problem, nearest};
use super::url::{self, Flaw};
use super::{Config, Limits, SourceConfig, SourceKind, SqlConfig, TargetConfig, TargetKind};
use crate::change::condition::Condition;

/// Schemas of the store, which are named like sources would be.
const RESERVED_NAMES: [&str; 14] = [
    "canon",
    "contrib",
    "changes",
    "ops",
    "history",
    "main",
    "temp",
    "mirror",
    "system",
    "information_schema",
    "pg_catalog",
    "pg",
    "pg_information",
    "track",
];

/// Judges `config`. Places in `replaced` do not hold what the file says and are left out.
/// `entities` are the canonical entities that exist; empty if that is not known.
pub(super) fn judge(
    config: &Config,
    root: &Node,
    replaced: &BTreeSet<Path>,
    entities: &[String],
) -> Vec<Problem> {
    let mut judge = Judge { root, replaced, entities, problems: Vec::new() };
    judge.daemon(config);
    judge.sql(&config.sql);
    judge.limits(&config.limits);
    if config.source.is_empty() {
        judge.add(&["source"], "no source is configured", "add a table [source.<name>]");
    }
    for (name, source) in &config.source {
        judge.source(name, source);
    }
    for (name, entity) in &config.entity {
        judge.entity_name(&["entity", name], name);
        judge.owners(config, name, &entity.owner);
    }
    for (name, target) in &config.target {
        judge.target(name, target);
    }
    for (name, workflow) in &config.workflow {
        judge.workflow(config, name, workflow);
    }
    judge.problems
}

struct Judge<'a> {
    root: &'a Node,
    replaced: &'a BTreeSet<Path>,
    entities: &'a [String],
    problems: Vec<Problem>,
}

impl Judge<'_> {
    fn add(&mut self, path: &[&str], what: impl Into<String>, remedy: impl Into<String>) {
        let path: Path = path.iter().map(|part| (*part).to_owned()).collect();
        let replaced = self.replaced.iter().any(|place| path.starts_with(place));
        if !replaced {
            let line = self.root.line_of(&path);
            self.problems.push(Problem { line, what: what.into(), remedy: Some(remedy.into()) });
        }
    }

    fn daemon(&mut self, config: &Config) {
        let address = config.daemon.http_listen;
        if !address.ip().is_loopback() && !config.daemon.allow_remote {
            self.add(
                &["daemon", "http_listen"],
                format!("`http_listen` in [daemon] is {address}, which other machines can reach"),
                "listen on 127.0.0.1, or set allow_remote = true in [daemon]",
            );
        }
    }

    fn sql(&mut self, sql: &SqlConfig) {
        let Some(address) = sql.listen else { return };
        if sql.user.is_empty() {
            self.add(
                &["sql", "user"],
                "nobody may connect to the listener in [sql]",
                "add [sql.user.<name>] with password = \"${file:PATH}\"",
            );
        }
        for (name, _) in sql.user.iter().filter(|(_, user)| user.password.is_none()) {
            self.add(
                &["sql", "user", name],
                format!("`{name}` in [sql.user] has no password"),
                "set password = \"${file:PATH}\" or \"${env:NAME}\"",
            );
        }
        if sql.tls_cert.is_some() != sql.tls_key.is_some() {
            self.add(
                &["sql", "tls_cert"],
                "`tls_cert` and `tls_key` in [sql] are of no use without each other",
                "set both, or none",
            );
        } else if !address.ip().is_loopback() && sql.tls_cert.is_none() {
            self.add(
                &["sql", "listen"],
                format!("`listen` in [sql] is {address}, which other machines can reach"),
                "listen on 127.0.0.1, or set tls_cert and tls_key in [sql]",
            );
        }
    }

    fn limits(&mut self, limits: &Limits) {
        let needed = limits.segment_bytes.saturating_mul(4);
        if limits.journal_bytes_max < needed {
            self.add(
                &["limits", "journal_bytes_max"],
                format!(
                    "`journal_bytes_max` in [limits] is {}, less than four segments of {} bytes",
                    limits.journal_bytes_max, limits.segment_bytes
                ),
                format!("give it {needed} or more, or make segment_bytes smaller"),
            );
        }
        for (key, value) in at_least_one(limits) {
            if value == 0 {
                self.add(
                    &["limits", key],
                    format!("`{key}` in [limits] is 0"),
                    "set it to at least 1",
                );
            }
        }
        let chunk = limits.chunk_bytes;
        let at_least_a_chunk = [
            ("batch_bytes", limits.batch_bytes >= chunk),
            ("segment_bytes", usize::try_from(limits.segment_bytes).is_ok_and(|s| s >= chunk)),
        ];
        for (key, _) in at_least_a_chunk.iter().filter(|(_, enough)| !enough) {
            self.add(
                &["limits", key],
                format!("`{key}` in [limits] is smaller than `chunk_bytes` ({chunk})"),
                "set it to at least that",
            );
        }
        if limits.retry_delay_ms_max < limits.retry_delay_ms {
            self.add(
                &["limits", "retry_delay_ms_max"],
                "`retry_delay_ms_max` in [limits] is smaller than `retry_delay_ms`",
                "set it to at least that",
            );
        }
    }

    fn source(&mut self, name: &str, source: &SourceConfig) {
        self.name("source", name);
        let schemes: &[&str] = match source.kind {
            SourceKind::Postgres => &["postgres", "postgresql"],
            SourceKind::Mariadb | SourceKind::Mysql => &["mysql"],
        };
        self.url(&["source", name], &source.url, schemes);
        if source.tables.is_empty() && source.mapping.is_none() {
            self.add(
                &["source", name, "tables"],
                format!("[source.{name}] mirrors nothing"),
                "give `tables`, or a `mapping` whose tables are then mirrored",
            );
        }
        self.patterns(name, &source.tables);
        self.columns(name, &source.columns);
        self.rows(name, &source.rows);
        self.keyless(name, &source.keyless);
        self.timezone(name, &source.timezone);
    }

    fn patterns(&mut self, name: &str, patterns: &[String]) {
        let place = ["source", name, "tables"];
        for pattern in patterns {
            let bare = pattern.strip_prefix('!').unwrap_or(pattern);
            let parts: Vec<&str> = bare.split('.').collect();
            if parts.len() != 2 || parts.iter().any(|part| part.trim().is_empty()) {
                self.add(
                    &place,
                    format!("`{pattern}` in `tables` of [source.{name}] is not a table pattern"),
                    "write `schema.table`, with `*` as wildcard and `!` in front to exclude",
                );
            }
        }
        if !patterns.is_empty() && patterns.iter().all(|pattern| pattern.starts_with('!')) {
            self.add(
                &place,
                format!("`tables` of [source.{name}] only excludes"),
                "name first what to include, as \"public.*\"",
            );
        }
    }

    fn columns(&mut self, name: &str, patterns: &[String]) {
        let place = ["source", name, "columns"];
        for pattern in patterns {
            let bare = pattern.strip_prefix('!').unwrap_or(pattern);
            let parts: Vec<&str> = bare.split('.').collect();
            if parts.len() > 3 || parts.iter().any(|part| part.trim().is_empty()) {
                self.add(
                    &place,
                    format!("`{pattern}` in `columns` of [source.{name}] is not a column pattern"),
                    "write `column`, `table.column` or `schema.table.column`, with `*` as wildcard and \
                     `!` in front to exclude",
                );
            }
        }
        if !patterns.is_empty() && patterns.iter().all(|pattern| pattern.starts_with('!')) {
            self.add(
                &place,
                format!("`columns` of [source.{name}] only excludes"),
                "name first what to include, as \"*\"",
            );
        }
    }

    fn rows(&mut self, name: &str, rows: &BTreeMap<String, String>) {
        for (table, condition) in rows {
            let place = ["source", name, "rows", table];
            let parts: Vec<&str> = table.split('.').collect();
            if parts.len() > 2 || parts.iter().any(|part| part.trim().is_empty()) {
                self.add(
                    &place,
                    format!("`{table}` in `rows` of [source.{name}] is not a table"),
                    "write `table` or `schema.table`, without wildcards",
                );
            }
            if let Err(why) = Condition::parse(condition) {
                self.add(
                    &place,
                    format!("the rows of `{table}` of [source.{name}] cannot be chosen so: {why}"),
                    "write a condition such as \"company_id IN (1, 3) AND created_at >= '2020-01-01'\"",
                );
            }
        }
    }

    fn keyless(&mut self, name: &str, patterns: &[String]) {
        let place = ["source", name, "keyless"];
        for pattern in patterns {
            let parts: Vec<&str> = pattern.split('.').collect();
            let is_excluding = pattern.starts_with('!');
            if parts.len() != 2 || is_excluding || parts.iter().any(|part| part.trim().is_empty()) {
                self.add(
                    &place,
                    format!("`{pattern}` in `keyless` of [source.{name}] is not a table pattern"),
                    "write `schema.table`, with `*` as wildcard",
                );
            }
        }
    }

    fn timezone(&mut self, name: &str, timezone: &str) {
        let zones = jiff::tz::db();
        let names: Vec<String> = zones.available().map(|zone| zone.to_string()).collect();
        // A machine without time zone data cannot judge the name.
        if timezone == "UTC" || names.is_empty() || zones.get(timezone).is_ok() {
            return;
        }
        let remedy = match nearest_zone(timezone, &names) {
            Some(zone) => format!("did you mean `{zone}`?"),
            None => "write an IANA name such as `Europe/Berlin`".to_owned(),
        };
        self.add(
            &["source", name, "timezone"],
            format!("unknown time zone `{timezone}` in [source.{name}]"),
            remedy,
        );
    }

    fn owners<'a>(
        &mut self,
        config: &Config,
        entity: &str,
        owners: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) {
        let mut has_default = false;
        let mut is_empty = true;
        for (attribute, owner) in owners {
            is_empty = false;
            has_default |= attribute == "*";
            let place = ["entity", entity, "owner", attribute];
            let what = format!("the owner of `{attribute}` in [entity.{entity}.owner]");
            match config.source.get(owner) {
                None => {
                    let names = config.source.keys().map(String::as_str);
                    let remedy = known_or_nearest(owner, names, "source");
                    self.add(&place, format!("{what} is not a source: `{owner}`"), remedy);
                }
                Some(source) if source.mapping.is_none() => self.add(
                    &place,
                    format!("{what} is `{owner}`, which has no mapping"),
                    format!("set `mapping` in [source.{owner}], or name another owner"),
                ),
                Some(_) => {}
            }
        }
        if !is_empty && !has_default {
            self.add(
                &["entity", entity, "owner"],
                format!("[entity.{entity}.owner] names no default owner"),
                "add \"*\" = \"<source>\": it decides which rows exist",
            );
        }
    }

    fn target(&mut self, name: &str, target: &TargetConfig) {
        self.name("target", name);
        let schemes: &[&str] = match target.kind {
            TargetKind::Postgres => &["postgres", "postgresql"],
        };
        self.url(&["target", name], &target.url, schemes);
        if target.entity.is_empty() {
            self.add(
                &["target", name],
                format!("[target.{name}] receives nothing"),
                format!("add a table [target.{name}.entity.<entity>]"),
            );
        }
        for (entity, table) in &target.entity {
            let place = ["target", name, "entity", entity];
            self.entity_name(&place, entity);
            let section = place.join(".");
            let at = |key| [place.as_slice(), &[key]].concat();
            if table.table.trim().is_empty() || table.table.split('.').count() > 2 {
                self.add(
                    &at("table"),
                    format!("`table` in [{section}] is not a table name"),
                    "write `table` or `schema.table`",
                );
            }
            if table.key.is_empty() {
                self.add(
                    &at("key"),
                    format!("`key` in [{section}] is empty"),
                    "name the columns of a unique index of the table",
                );
            }
            for column in table.key.keys().filter(|column| table.columns.contains_key(*column)) {
                self.add(
                    &[at("columns").as_slice(), &[column]].concat(),
                    format!("`{column}` stands in both `key` and `columns` of [{section}]"),
                    "remove it from `columns`",
                );
            }
        }
    }

    fn entity_name(&mut self, place: &[&str], entity: &str) {
        if self.entities.is_empty() || self.entities.iter().any(|known| known == entity) {
            return;
        }
        let remedy = known_or_nearest(entity, self.entities.iter().map(String::as_str), "entity");
        let section = place.join(".");
        self.add(place, format!("unknown entity `{entity}` in [{section}]"), remedy);
    }

    fn name(&mut self, kind: &str, name: &str) {
        let mut letters = name.chars();
        let plain = letters.next().is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !plain {
            self.add(
                &[kind, name],
                format!("`{name}` cannot name a {kind}"),
                "use lower-case letters, digits and `_`, beginning with a letter",
            );
        } else if RESERVED_NAMES.contains(&name) {
            self.add(
                &[kind, name],
                format!("`{name}` cannot name a {kind}: the store has a schema of that name"),
                "choose another name",
            );
        }
    }

    fn url(&mut self, table: &[&str], url: &str, schemes: &[&str]) {
        let place = [table, &["url"]].concat();
        let section = table.join(".");
        let what = |words: &str| format!("`url` in [{section}] {words}");
        // Never the URL itself: it may hold the password that is complained about.
        let example = format!("{}://user@host:port/database", schemes.first().unwrap_or(&""));
        match url::judge(url, schemes) {
            None => {}
            Some(Flaw::Scheme) => {
                let kind = [table, &["kind"]].concat().join(".");
                let remedy = format!("write {example}");
                self.add(&place, what(&format!("does not fit `{kind}`")), remedy);
            }
            Some(Flaw::Password) => self.add(
                &place,
                what("holds a password"),
                "remove it and set password = \"${file:PATH}\" or \"${env:NAME}\"",
            ),
            Some(Flaw::Missing(part)) => {
                self.add(&place, what(&format!("names no {part}")), format!("write {example}"));
            }
        }
    }
}

/// Limits that make no sense as zero.
fn at_least_one(limits: &Limits) -> [(&'static str, u64); 24] {
    let wide = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    [
        ("chunk_bytes", wide(limits.chunk_bytes)),
        ("batch_bytes", wide(limits.batch_bytes)),
        ("copy_chunk_rows", limits.copy_chunk_rows.into()),
        ("copy_tables", wide(limits.copy_tables)),
        ("copy_ranges", wide(limits.copy_ranges)),
        ("copy_bytes_max", wide(limits.copy_bytes_max)),
        ("segment_bytes", limits.segment_bytes),
        ("journal_bytes_max", limits.journal_bytes_max),
        ("block_events", wide(limits.block_events)),
        ("apply_events", wide(limits.apply_events)),
        ("parked_events_max", wide(limits.parked_events_max)),
        ("attempts_max", limits.attempts_max.into()),
        ("retry_delay_ms", limits.retry_delay_ms),
        ("dead_retry_secs", limits.dead_retry_secs),
        ("store_memory_bytes", limits.store_memory_bytes),
        ("store_threads", limits.store_threads.into()),
        ("sql_timeout_secs", limits.sql_timeout_secs),
        ("sql_rows_max", wide(limits.sql_rows_max)),
        ("sql_connections_max", wide(limits.sql_connections_max)),
        ("drift_rows_max", wide(limits.drift_rows_max)),
        ("repair_rows_max", wide(limits.repair_rows_max)),
        ("unread_bytes_max", limits.unread_bytes_max),
        ("kpi_timeout_secs", limits.kpi_timeout_secs),
        ("kpi_series_max", wide(limits.kpi_series_max)),
    ]
}

fn known_or_nearest<'a>(
    wrong: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    kind: &str,
) -> String {
    match nearest(wrong, known.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            let list: Vec<&str> = known.collect();
            format!("known {kind} names: {}", list.join(", "))
        }
    }
}

/// Zone names are compared without regard to case: `europe/berlin` finds its name.
fn nearest_zone<'a>(wrong: &str, names: &'a [String]) -> Option<&'a str> {
    let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let found = nearest(wrong, lower.iter().map(String::as_str))?;
    names.iter().find(|name| name.to_lowercase() == found).map(String::as_str)
}
