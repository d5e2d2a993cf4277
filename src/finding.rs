//! What `check` found out, with its remedy.

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Works, with a cost or a risk that the text names.
    Warning,
    /// Does not work.
    Error,
}

/// One result of an examination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What was found, naming the thing and the value seen.
    pub what: String,
    /// What to do; SQL or a `my.cnf` block where it is that.
    pub remedy: Option<String>,
}

impl Finding {
    /// Something is as it should be.
    pub fn ok(what: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, what: what.into(), remedy: None }
    }

    /// Works, but costs or risks something.
    pub fn warning(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, what: what.into(), remedy: Some(remedy.into()) }
    }

    /// Does not work until the remedy is applied.
    pub fn error(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Error, what: what.into(), remedy: Some(remedy.into()) }
    }
}

/// The errors among findings with their remedies, as text; `None` if there are none.
#[must_use]
pub fn objections(findings: &[Finding]) -> Option<String> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let lines: Vec<String> = errors
        .map(|finding| {
            let remedy = finding.remedy.as_deref().unwrap_or_default();
            format!("{}\n{remedy}", finding.what)
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
