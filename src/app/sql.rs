//! Puts the SQL listener together: who may connect, from the configuration; answers, from the store.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::config::Config;
use crate::conform::ConformState;
use crate::error::Result;
use crate::serve;
use crate::serve::pgwire::{Answers, Sql};
use crate::tls;

/// The listener, bound; `None` if none is configured. Statements share `statements` with those of
/// the HTTP listener.
pub(super) fn listener(
    config: &Config,
    conform: &Arc<ConformState>,
    statements: &Arc<Semaphore>,
) -> Result<Option<Sql>> {
    let Some(address) = config.sql.listen else { return Ok(None) };
    let tls = match (&config.sql.tls_cert, &config.sql.tls_key) {
        (Some(certificate), Some(key)) => Some(Arc::new(tls::server_config(certificate, key)?)),
        _ => None,
    };
    let state = Arc::clone(conform);
    let users = config.sql.user.iter();
    let users = users.filter_map(|(name, user)| Some((name.clone(), user.password.clone()?)));
    Ok(Some(Sql {
        listener: serve::bind(address, "listen in [sql]")?,
        users: users.collect(),
        tls,
        connections_max: config.limits.sql_connections_max,
        answers: Answers {
            readers: Arc::new(move || state.reader()),
            statements: Arc::clone(statements),
            rows_max: config.limits.sql_rows_max,
            time_max: Duration::from_secs(config.limits.sql_timeout_secs),
        },
    }))
}
