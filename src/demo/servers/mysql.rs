//! A private MySQL.

use std::ops::Deref;

use super::Options;
use super::binlog::{BinlogServer, settings};
use super::client::{Input, run};
use super::guard::Home;
use super::installed::Installed;
use crate::error::Result;

/// A private MySQL with GTIDs. Its accounts use `caching_sha2_password`, the only way in that it
/// has from the start; it offers TLS with a certificate of its own making.
#[derive(Debug)]
pub struct MysqlServer(BinlogServer);

impl Deref for MysqlServer {
    type Target = BinlogServer;

    fn deref(&self) -> &BinlogServer {
        &self.0
    }
}

impl MysqlServer {
    /// Whether this machine has the programs to run one (of a version, see [`Options`]).
    ///
    /// # Errors
    /// `Setup`: it has not; the hint says how to get them.
    pub fn installed(version: Option<&str>) -> Result<()> {
        Installed::mysql(version).map(drop)
    }

    /// Makes and starts one; waits until it answers.
    ///
    /// # Errors
    /// `Setup` when there are no server programs, or they fail; with the end of the server's log.
    pub fn start(options: &Options) -> Result<Self> {
        let installed = Installed::mysql(options.version.as_deref())?;
        let home = Home::new("mysql", "mysql")?;
        let mut ours = settings(&home, &installed, options);
        ours.extend([
            ("gtid_mode", "ON".to_owned()),
            ("enforce_gtid_consistency", "ON".to_owned()),
            ("innodb_redo_log_capacity", "64M".to_owned()),
            // It would listen on a second port.
            ("mysqlx", "OFF".to_owned()),
            // The package's own folder is not there.
            ("secure_file_priv", home.folder.display().to_string()),
        ]);
        let text = format!("[mysqld]\n{}", options.lines(&ours));
        let file = home.write("server.cnf", &text)?;
        let make = |home: &Home, installed: &Installed| initialise(home, installed, options);
        let programs = ("mysqld", "mysql");
        BinlogServer::start((&home, installed), programs, (&file, options), make).map(Self)
    }
}

fn initialise(home: &Home, installed: &Installed, options: &Options) -> Result<()> {
    let sql = include_str!("mysql_accounts.sql").replace(":password", &options.password);
    let accounts = home.write("accounts.sql", &sql)?;
    let mut command = home.command(&installed.program("mysqld"), installed);
    command
        .arg(format!("--defaults-file={}", home.folder.join("server.cnf").display()))
        .args(["--initialize-insecure", "--skip-log-bin"])
        .arg(format!("--init-file={}", accounts.display()));
    run(command, &Input::Nothing, "make a private MySQL's data folder")?;
    std::fs::remove_file(accounts).ok();
    Ok(())
}
