//! Taking away what we made in a PostgreSQL source: the slot and the publication.

use tokio_postgres::error::SqlState;

use super::Postgres;
use super::catalog::{Server, quote};
use super::publication::Publication;
use super::session::Asked;
use super::slot::{self, Slot};
use crate::error::{Error, ErrorKind, Result};

impl Postgres {
    /// See [`crate::source::Source::give_up`].
    pub(in crate::source) async fn give_up(&self) -> Result<()> {
        let client = self.place.connect().await?;
        let server = Server::read(&client).await?;
        match Slot::read_released(&client, &self.object, &server).await? {
            Some(_) => slot::drop_slot(&client, &self.object).await,
            None => Ok(()),
        }
    }

    /// See [`crate::source::Source::uninstall`]. The slot goes first: it is what makes the server
    /// keep its log.
    pub(in crate::source) async fn uninstall(&self, dry_run: bool) -> Result<Vec<String>> {
        let name = &self.object;
        let client = self.place.connect().await?;
        let server = Server::read(&client).await?;
        let mut removed = Vec::new();
        if Slot::read_released(&client, name, &server).await?.is_some() {
            if !dry_run {
                slot::drop_slot(&client, name).await?;
            }
            removed.push(format!("SELECT pg_drop_replication_slot('{name}');"));
        }
        if Publication::read(&client, name).await?.is_some() {
            let sql = format!("DROP PUBLICATION {};", quote(name));
            if !dry_run {
                let done = client.batch_execute(&sql).await;
                if done.as_ref().is_err_and(|e| e.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE))
                {
                    let what = format!("this role may not drop publication \"{name}\"");
                    return Err(
                        Error::new(ErrorKind::Setup, what).hint(format!("run as its owner: {sql}"))
                    );
                }
                done.asking(|| format!("could not drop publication \"{name}\""))?;
            }
            removed.push(sql);
        }
        Ok(removed)
    }
}
