//! Carries plans out in the ERP: one transaction a plan, with savepoints and rollbacks as drawn.
//!
//! It does not choose anything, and it treats a refusal of the database as an everyday thing.

use tokio::time::Instant;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;

use super::{Ending, Inputs, Outcome, Plan, wait_out};
use crate::error::{Context, ErrorKind, Result};

const INPUTS: &str = include_str!("../../../sql/demo/erp/inputs.sql");
/// Longest wait for a lock: a writer that is stuck would hold up the end of the demo.
const SESSION: &str = "SET lock_timeout = '10s'; SET application_name = 'legacy ERP client'";

/// The highest staff number in use, so that new ones go on from there.
pub(super) async fn highest_staff_number(config: &Config) -> Result<u32> {
    let client = connect(config).await?;
    let sql = "SELECT coalesce(max(substr(persnr, 2)::bigint), 1000) FROM pers";
    let row = client.query_one(sql, &[]).await;
    let number: i64 = row
        .and_then(|row| row.try_get(0))
        .context(ErrorKind::Setup, || "could not read the demo ERP's staff".to_owned())?;
    u32::try_from(number).context(ErrorKind::Setup, || "a staff number is too large".to_owned())
}

/// One session of a clerk.
pub(super) struct ErpWriter {
    config: Config,
    client: Option<Client>,
}

impl ErpWriter {
    pub(super) fn new(config: Config) -> Self {
        Self { config, client: None }
    }

    pub(super) async fn carry_out(
        &mut self,
        plan: &Plan,
        cancel: &CancellationToken,
    ) -> Result<Outcome> {
        let Some(client) = self.client(cancel).await? else { return Ok(Outcome::RolledBack) };
        match transaction(client, plan).await {
            Ok(outcome) => Ok(outcome),
            Err(error) if client.is_closed() || error.code().is_none() => {
                self.client = None;
                Ok(Outcome::Lost)
            }
            Err(error) => {
                let code = error.code().map_or("", tokio_postgres::error::SqlState::code);
                tracing::debug!(kind = plan.first().name, code, "the ERP refused a transaction");
                if client.batch_execute("ROLLBACK").await.is_err() {
                    self.client = None;
                }
                Ok(Outcome::Refused)
            }
        }
    }

    /// The session, opened again if it was lost; `None` when the work is over.
    async fn client(&mut self, cancel: &CancellationToken) -> Result<Option<&Client>> {
        let since = Instant::now();
        while self.client.as_ref().is_none_or(Client::is_closed) {
            match connect(&self.config).await {
                Ok(client) => self.client = Some(client),
                Err(error) => {
                    if !wait_out(since, error, cancel).await? {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(self.client.as_ref())
    }
}

async fn connect(config: &Config) -> Result<Client> {
    let what = || "could not reach the demo's ERP".to_owned();
    let (client, connection) = config.connect(NoTls).await.context(ErrorKind::Unreachable, what)?;
    // It ends with the client; what it could say, the client's own calls say too.
    tokio::spawn(connection);
    client.batch_execute(SESSION).await.context(ErrorKind::Unreachable, what)?;
    Ok(client)
}

async fn transaction(client: &Client, plan: &Plan) -> Result<Outcome, tokio_postgres::Error> {
    client.batch_execute("BEGIN").await?;
    set_inputs(client, &plan.inputs).await?;
    if let Some(undone) = plan.undone {
        client.batch_execute("SAVEPOINT teil").await?;
        client.batch_execute(undone.erp.unwrap_or_default()).await?;
        client.batch_execute("ROLLBACK TO SAVEPOINT teil").await?;
    }
    let first = run(client, plan.first().erp.unwrap_or_default()).await?;
    let mut more = 0;
    for activity in &plan.more {
        more += run(client, activity.erp.unwrap_or_default()).await?;
    }
    match plan.ending {
        Ending::Commit => {
            client.batch_execute("COMMIT").await.map(|()| Outcome::committed(first, more))
        }
        Ending::Rollback => client.batch_execute("ROLLBACK").await.map(|()| Outcome::RolledBack),
    }
}

/// Runs a script and counts the rows that its statements changed.
async fn run(client: &Client, script: &str) -> Result<u64, tokio_postgres::Error> {
    let mut rows = 0;
    for message in client.simple_query(script).await? {
        if let SimpleQueryMessage::CommandComplete(count) = message {
            rows += count;
        }
    }
    Ok(rows)
}

async fn set_inputs(client: &Client, inputs: &Inputs) -> Result<(), tokio_postgres::Error> {
    let (number, days) = (inputs.number.to_string(), inputs.days.to_string());
    let (staff, person) = (inputs.staff_no(), inputs.person_no());
    let (amount, rate) = (inputs.amount_text(), inputs.rate_text());
    let money = inputs.money_text();
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 13] = [
        &inputs.roll,
        &inputs.serial,
        &staff,
        &person,
        &inputs.given,
        &inputs.family,
        &inputs.unit,
        &inputs.note,
        &number,
        &days,
        &amount,
        &rate,
        &money,
    ];
    client.execute(INPUTS, &values).await.map(drop)
}
