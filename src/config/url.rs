//! What we ask of a connection URL before any driver sees it.
//!
//! It does not take the URL apart for connecting; the drivers do.

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Not a URL, or one of another kind of system.
    Scheme,
    /// A password stands in it.
    Password,
    /// This part is missing.
    Missing(&'static str),
}

/// The first flaw of `url`, which must have one of `schemes`, a user, a host and a database.
pub(super) fn judge(url: &str, schemes: &[&str]) -> Option<Flaw> {
    let Some((scheme, rest)) = url.split_once("://") else { return Some(Flaw::Scheme) };
    if !schemes.contains(&scheme) {
        return Some(Flaw::Scheme);
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // The last `@` ends the user, so that a password with an `@` in it is still seen as one.
    let (user, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let in_query = |key: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.any(|(name, value)| name.eq_ignore_ascii_case(key) && !value.is_empty())
    };
    if user.contains(':') || in_query("password") {
        return Some(Flaw::Password);
    }
    // An empty host before a port is no host; `[::1]:5432` is one.
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    // PostgreSQL's drivers also take these parts as parameters, as for a socket's folder.
    [("user", user, "user"), ("host", host, "host"), ("database", database, "dbname")]
        .into_iter()
        .find(|(_, part, key)| part.is_empty() && !in_query(key))
        .map(|(name, _, _)| Flaw::Missing(name))
}

#[cfg(test)]
mod tests {
    use super::{Flaw, judge};

    const POSTGRES: &[&str] = &["postgres", "postgresql"];

    #[test]
    fn complete_urls_pass() {
        for url in [
            "postgres://trueup@erp-db:5432/tryton",
            "postgresql://trueup@erp-db/tryton",
            "postgres://trueup@[::1]:5432/tryton?application_name=x",
            "postgres://trueup@/tryton?host=/run/postgresql",
        ] {
            assert_eq!(judge(url, POSTGRES), None, "{url}");
        }
    }

    #[test]
    fn each_flaw_is_named() {
        for (url, flaw) in [
            ("mysql://trueup@h/d", Flaw::Scheme),
            ("host=erp-db user=trueup", Flaw::Scheme),
            ("postgres://trueup:pass@h/d", Flaw::Password),
            ("postgres://trueup:p@ss/word@h/d", Flaw::Password),
            ("postgres://trueup@h/d?sslmode=require&Password=x", Flaw::Password),
            ("postgres://h/d", Flaw::Missing("user")),
            ("postgres://trueup@/d", Flaw::Missing("host")),
            ("postgres://trueup@:5432/d", Flaw::Missing("host")),
            ("postgres://trueup@h:5432", Flaw::Missing("database")),
        ] {
            assert_eq!(judge(url, POSTGRES), Some(flaw), "{url}");
        }
    }
}
