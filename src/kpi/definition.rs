//! A file of `sql/kpi`: its header and its SELECT. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::store::reader::Rows;

/// Header lines that there are, all of them needed but `labels`.
const WORDS: [&str; 5] = ["metric", "help", "unit", "labels", "every"];
/// Units that a figure can have.
const UNITS: [&str; 8] =
    ["entries", "hours", "days", "ratio", "seconds", "rows", "amount", "projects"];
/// The column with the number.
const VALUE: &str = "value";
/// The shortest schedule.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// A key figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The file's name without `.sql`.
    pub name: String,
    /// Where it is from, for messages.
    pub path: String,
    /// The gauge.
    pub metric: String,
    /// What it says.
    pub help: String,
    /// One of a few words.
    pub unit: String,
    /// Label names, which are columns of the result.
    pub labels: Vec<String>,
    /// How often it is computed.
    pub every: Duration,
    /// The SELECT; `$as_of` stands for the time of the question.
    pub sql: String,
    /// Canonical entities that it reads.
    pub entities: BTreeSet<String>,
}

impl Definition {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with file and line.
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        let wrong = |line: usize, what: String| {
            Error::new(ErrorKind::Config, format!("{path}:{line}: {what}")).hint("see docs/kpi.md")
        };
        let mut fields: BTreeMap<&str, (usize, String)> = BTreeMap::new();
        let is_header = |line: &&str| line.trim().is_empty() || line.trim().starts_with("--");
        for (number, line) in (1..).zip(text.lines().take_while(is_header)) {
            let comment = line.trim().trim_start_matches('-').trim();
            let Some((word, value)) = comment.split_once(':') else { continue };
            let Some(word) = WORDS.iter().find(|known| **known == word) else { continue };
            if fields.insert(word, (number, value.trim().to_owned())).is_some() {
                return Err(wrong(number, format!("`{word}` is given twice")));
            }
        }
        let end = 1 + text.lines().take_while(is_header).count();
        let mut field = |word: &str| {
            let found = fields.remove(word).filter(|(_, value)| !value.is_empty());
            found.ok_or_else(|| wrong(end, format!("the header has no `-- {word}:`")))
        };
        let (line, metric) = field("metric")?;
        if !is_metric(&metric) {
            let what = format!("`{metric}` is no name for a metric: a-z, 0-9 and _, as trueup_x");
            return Err(wrong(line, what));
        }
        let (_, help) = field("help")?;
        let (line, unit) = field("unit")?;
        if !UNITS.contains(&unit.as_str()) {
            let what = format!("`{unit}` is no unit; there are {}", UNITS.join(", "));
            return Err(wrong(line, what));
        }
        let (line, every) = field("every")?;
        let every = every_of(&every).ok_or_else(|| {
            wrong(line, format!("`{every}` is no time from 1 s on, such as 30s, 5m or 24h"))
        })?;
        let (line, labels) = fields.remove("labels").unwrap_or_default();
        let labels = labels.split(',').map(str::trim).filter(|label| !label.is_empty());
        let labels: Vec<String> = labels.map(str::to_owned).collect();
        if let Some(bad) = labels.iter().find(|label| !is_label(label)) {
            return Err(wrong(line, format!("`{bad}` is no name for a label")));
        }
        let sql: Vec<&str> = text.lines().skip(end - 1).collect();
        let sql = sql.join("\n").trim().trim_end_matches(';').to_owned();
        if sql.is_empty() {
            return Err(wrong(end, "there is no SELECT".to_owned()));
        }
        let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".sql").to_owned();
        let entities = entities(&sql);
        let path = path.to_owned();
        Ok(Self { name, path, metric, help, unit, labels, every, sql, entities })
    }

    /// The SELECT as of a moment.
    #[must_use]
    pub fn at(&self, now: jiff::Timestamp) -> String {
        let literal = format!("TIMESTAMP '{}'", now.strftime("%Y-%m-%d %H:%M:%S%.6f"));
        self.sql.replace("$as_of", &literal)
    }

    /// Rows as series: label values in the order of the header, and the number.
    pub(super) fn series(&self, rows: &Rows) -> Result<BTreeMap<Vec<String>, f64>> {
        let wrong = |what: String| {
            Error::new(ErrorKind::Usage, format!("{}: {what}", self.path)).hint("see docs/kpi.md")
        };
        let mut expected: Vec<&str> = self.labels.iter().map(String::as_str).collect();
        expected.push(VALUE);
        if rows.columns != expected {
            let (found, expected) = (rows.columns.join(", "), expected.join(", "));
            return Err(wrong(format!("the columns are {found}, not {expected}")));
        }
        let mut series = BTreeMap::new();
        for row in &rows.rows {
            let Some((value, labels)) = row.split_last() else { continue };
            // No number is no series: a ratio of nothing.
            let Some(value) = value else { continue };
            let value: f64 =
                value.parse().map_err(|_| wrong("a value is not a number".to_owned()))?;
            let labels = labels.iter().map(|label| label.clone().unwrap_or_default()).collect();
            if series.insert(labels, value).is_some() {
                return Err(wrong("two rows have the same labels".to_owned()));
            }
        }
        Ok(series)
    }
}

fn is_metric(name: &str) -> bool {
    name.starts_with("trueup_") && is_label(name)
}

fn is_label(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.bytes().next().is_some_and(|b| b.is_ascii_lowercase()) && name.bytes().all(plain)
}

fn every_of(text: &str) -> Option<Duration> {
    let every: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(every).ok().filter(|every| *every >= EVERY_MIN)
}

/// What stands behind `canon.` or `history.`.
fn entities(sql: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let words = code.flat_map(|line| line.split(|c| !is_part(c)));
    words
        .filter_map(|word| word.strip_prefix("canon.").or_else(|| word.strip_prefix("history.")))
        .map(|word| word.split('.').next().unwrap_or_default().to_owned())
        .collect()
}
