//! Carries plans out in the HR: one transaction a plan, with savepoints and rollbacks as drawn.
//!
//! It does not choose anything, and it treats a refusal of the database as an everyday thing.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Params, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Ending, Inputs, Outcome, Plan, wait_out};
use crate::error::{Context, ErrorKind, Result};

const INPUTS: &str = include_str!("../../../sql/demo/hr/inputs.sql");
/// What a transaction that is undone in part does and takes back.
const UNDONE: &str = include_str!("../../../sql/demo/hr/actions/noise.sql");
/// Longest wait for a lock: a writer that is stuck would hold up the end of the demo.
const SESSION: &str = "SET innodb_lock_wait_timeout = 10";

/// One session of a clerk.
pub(super) struct HrWriter {
    opts: Opts,
    conn: Option<Conn>,
}

impl HrWriter {
    pub(super) fn new(opts: Opts) -> Self {
        Self { opts, conn: None }
    }

    pub(super) async fn carry_out(
        &mut self,
        plan: &Plan,
        cancel: &CancellationToken,
    ) -> Result<Outcome> {
        let Some(conn) = self.conn(cancel).await? else { return Ok(Outcome::RolledBack) };
        match transaction(conn, plan).await {
            Ok(outcome) => Ok(outcome),
            Err(mysql_async::Error::Server(error)) => {
                let (kind, code) = (plan.first().name, error.code);
                tracing::debug!(kind, code, "the HR refused a transaction");
                if conn.query_drop("ROLLBACK").await.is_err() {
                    self.conn = None;
                }
                Ok(Outcome::Refused)
            }
            Err(_) => {
                self.conn = None;
                Ok(Outcome::Lost)
            }
        }
    }

    /// The session, opened again if it was lost; `None` when the work is over.
    async fn conn(&mut self, cancel: &CancellationToken) -> Result<Option<&mut Conn>> {
        let since = Instant::now();
        while self.conn.is_none() {
            match connect(&self.opts).await {
                Ok(conn) => self.conn = Some(conn),
                Err(error) => {
                    if !wait_out(since, error, cancel).await? {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(self.conn.as_mut())
    }
}

async fn connect(opts: &Opts) -> Result<Conn> {
    let what = || "could not reach the demo's HR".to_owned();
    let mut conn = Conn::new(opts.clone()).await.context(ErrorKind::Unreachable, what)?;
    conn.query_drop(SESSION).await.context(ErrorKind::Unreachable, what)?;
    Ok(conn)
}

async fn transaction(conn: &mut Conn, plan: &Plan) -> Result<Outcome, mysql_async::Error> {
    conn.exec_drop(INPUTS, values(&plan.inputs)).await?;
    conn.query_drop("START TRANSACTION").await?;
    if plan.undone.is_some() {
        conn.query_drop("SAVEPOINT teil").await?;
        conn.query_drop(UNDONE).await?;
        conn.query_drop("ROLLBACK TO SAVEPOINT teil").await?;
    }
    let rows = run(conn, plan.first().hr.unwrap_or_default()).await?;
    match plan.ending {
        Ending::Commit => conn.query_drop("COMMIT").await.map(|()| Outcome::committed(rows, 0)),
        Ending::Rollback => conn.query_drop("ROLLBACK").await.map(|()| Outcome::RolledBack),
    }
}

/// Runs a script and counts the rows that its statements changed.
async fn run(conn: &mut Conn, script: &str) -> Result<u64, mysql_async::Error> {
    let mut result = conn.query_iter(script).await?;
    let mut rows = 0;
    loop {
        rows += result.affected_rows();
        if result.is_empty() {
            return Ok(rows);
        }
        result.collect::<mysql_async::Row>().await?;
    }
}

fn values(inputs: &Inputs) -> Params {
    Params::Positional(vec![
        Value::from(&inputs.roll),
        Value::from(inputs.staff),
        Value::from(inputs.person),
        Value::from(inputs.given),
        Value::from(inputs.family),
        Value::from(inputs.unit),
        Value::from(&inputs.note),
        Value::from(inputs.number),
        // Signed: the scripts subtract, and an unsigned difference below zero is an error there.
        Value::from(i64::from(inputs.days)),
        Value::from(inputs.money_text()),
    ])
}
