//! By what a log is followed. GTIDs name a transaction on every server; without them it is known by its
//! place in the binlog files of one server, which mean nothing on another.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use uuid::Uuid;

use super::dialect::Dialect;
use super::session::Address;
use crate::change::{BinlogPlace, Position};
use crate::error::{Error, ErrorKind, Result};
use crate::source::Standing;

/// Which positions a log has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Following {
    /// Numbers of transactions: MariaDB's, and MySQL's with `gtid_mode = ON`.
    Gtids,
    /// Places in the files of one MySQL.
    Files,
}

impl Following {
    /// Of a log that is followed.
    pub(super) fn of(position: &Position) -> Self {
        match position {
            Position::File(_) => Following::Files,
            Position::Lsn(_) | Position::Gtid(_) | Position::Gtids(_) => Following::Gtids,
        }
    }

    /// Of a log that is `read` already, or else as a new source's would be followed. Transactions may lack
    /// a number in all other modes than ON.
    pub(super) async fn asked(
        address: &Address,
        connection: &mut Conn,
        read: Option<&Position>,
    ) -> Result<Self> {
        match (read, address.dialect()) {
            (Some(read), _) => Ok(Self::of(read)),
            (None, Dialect::Mariadb) => Ok(Following::Gtids),
            (None, Dialect::Mysql) => {
                let explain = |error| address.explain(error, "could not read gtid_mode");
                let sql = "SELECT @@GLOBAL.gtid_mode";
                let mode: Option<String> = connection.query_first(sql).await.map_err(explain)?;
                Ok(Self::by_mode(&mode.unwrap_or_default()))
            }
        }
    }

    /// How a new source of a MySQL is followed.
    pub(super) fn by_mode(gtid_mode: &str) -> Self {
        if gtid_mode == "ON" { Following::Gtids } else { Following::Files }
    }
}

/// Which server answers on a connection.
pub(super) async fn server_uuid(address: &Address, connection: &mut Conn) -> Result<Uuid> {
    let explain = |error| address.explain(error, "could not read server_uuid");
    let sql = "SELECT @@GLOBAL.server_uuid";
    let text: Option<String> = connection.query_first(sql).await.map_err(explain)?;
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::new(ErrorKind::Decode, "the server has no server_uuid"))
}

/// The statement that tells a MySQL's last binlog file and how long it is: by the name it has from 8.2 on, or
/// the one before.
pub(super) async fn status_sql(address: &Address, connection: &mut Conn) -> Result<&'static str> {
    let explain = |error| address.explain(error, "could not read the server's version");
    let version: Option<String> =
        connection.query_first("SELECT VERSION()").await.map_err(explain)?;
    let mut parts = version
        .as_deref()
        .unwrap_or_default()
        .split('.')
        .map_while(|part| part.parse::<u32>().ok());
    Ok(match (parts.next(), parts.next()) >= (Some(8), Some(2)) {
        true => "SHOW BINARY LOG STATUS",
        false => "SHOW MASTER STATUS",
    })
}

/// A MySQL's last binlog file and how long it is: the end of a transaction.
pub(super) async fn log_status(address: &Address, connection: &mut Conn) -> Result<(String, u64)> {
    let sql = status_sql(address, connection).await?;
    let explain = |error| address.explain(error, "could not read where the log ends");
    let row: Option<mysql_async::Row> = connection.query_first(sql).await.map_err(explain)?;
    row.as_ref().and_then(status).ok_or_else(no_log)
}

/// What that statement answers.
pub(super) fn status(row: &mysql_async::Row) -> Option<(String, u64)> {
    Some((row.get_opt(0)?.ok()?, row.get_opt(1)?.ok()?))
}

pub(super) fn no_log() -> Error {
    Error::new(ErrorKind::Setup, "the server keeps no binlog")
        .hint("set log_bin in my.cnf and restart the server")
}

/// Where a MySQL's log ends, as a place.
pub(super) async fn end_of_files(address: &Address, connection: &mut Conn) -> Result<BinlogPlace> {
    let server = server_uuid(address, connection).await?;
    place(server, log_status(address, connection).await?)
}

/// Where that is on a server.
pub(super) fn place(server: Uuid, (file, offset): (String, u64)) -> Result<BinlogPlace> {
    BinlogPlace::new(server, &file, offset)
        .ok_or_else(|| Error::new(ErrorKind::Decode, format!("{file} is no name of a binlog file")))
}

/// How a log that was read up to a place stands to what the server has.
pub(super) async fn standing(
    address: &Address,
    connection: &mut Conn,
    ledger: &BinlogPlace,
) -> Result<Standing> {
    let end = end_of_files(address, connection).await?;
    let explain = |error| address.explain(error, "could not read the list of binlogs");
    let files: Vec<mysql_async::Row> =
        connection.query("SHOW BINARY LOGS").await.map_err(explain)?;
    let files: Vec<String> = files.iter().filter_map(|row| row.get(0)).collect();
    Ok(why_lost(ledger, &end, &files).map_or(Standing::Continues, Standing::Gap))
}

fn why_lost(ledger: &BinlogPlace, end: &BinlogPlace, files: &[String]) -> Option<String> {
    if !end.is_of_the_log_of(ledger) {
        return Some(format!(
            "the server's log ends at {end}, the ledger ends at {ledger}, and neither lies before the \
             other: without GTIDs a place in the files of one name is none in those of another"
        ));
    }
    if !end.covers(ledger) {
        return Some(format!(
            "the server's log ends at {end}, before {ledger} where the ledger ends: it was restored or its \
             log was reset"
        ));
    }
    let first = files.first().map(String::as_str).unwrap_or_default();
    (!files.contains(&ledger.file())).then(|| {
        format!(
            "the server's log begins with {first}, after {ledger} where the ledger ends: older files were \
             purged"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_goes_on_where_it_was_read_to_or_says_why_not() {
        let place = |text: &str| -> BinlogPlace {
            format!("3e11fa47-71ca-11e1-9e33-c80aa9429562/{text}").parse().unwrap()
        };
        let files = ["log.000008", "log.000009", "log.000010"].map(str::to_owned);
        let why = |ledger: &str| why_lost(&place(ledger), &place("log.000010:500"), &files);
        for goes_on in ["log.000008:4", "log.000009:900", "log.000010:500"] {
            assert_eq!(why(goes_on), None, "{goes_on}");
        }
        for (ledger, word) in [
            ("log.000007:900", "purged"),
            ("log.000010:501", "restored or its log was reset"),
            ("log.000011:4", "restored or its log was reset"),
            ("other.000009:4", "another"),
        ] {
            assert!(
                why(ledger).is_some_and(|why| why.contains(word)),
                "{ledger} {:?}",
                why(ledger)
            );
        }
    }

    #[test]
    fn only_a_server_that_numbers_everything_is_followed_by_numbers() {
        assert_eq!(Following::by_mode("ON"), Following::Gtids);
        for mode in ["OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", ""] {
            assert_eq!(Following::by_mode(mode), Following::Files, "{mode}");
        }
    }
}
