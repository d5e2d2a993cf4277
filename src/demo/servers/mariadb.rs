//! A private MariaDB.

use std::ops::Deref;

use super::Options;
use super::binlog::{BinlogServer, folders, settings};
use super::client::{Input, run};
use super::guard::Home;
use super::installed::Installed;
use crate::error::Result;

/// A private MariaDB.
#[derive(Debug)]
pub struct MariadbServer(BinlogServer);

impl Deref for MariadbServer {
    type Target = BinlogServer;

    fn deref(&self) -> &BinlogServer {
        &self.0
    }
}

impl MariadbServer {
    /// Whether this machine has the programs to run one (of a version, see [`Options`]).
    ///
    /// # Errors
    /// `Setup`: it has not; the hint says how to get them.
    pub fn installed(version: Option<&str>) -> Result<()> {
        Installed::mariadb(version).map(drop)
    }

    /// Makes and starts one; waits until it answers.
    ///
    /// # Errors
    /// `Setup` when there are no server programs, or they fail; with the end of the server's log.
    pub fn start(options: &Options) -> Result<Self> {
        let installed = Installed::mariadb(options.version.as_deref())?;
        let home = Home::new("mariadb", "mysql")?;
        let mut ours = settings(&home, &installed, options);
        ours.extend([
            ("binlog_format", "ROW".to_owned()),
            ("binlog_row_image", "FULL".to_owned()),
            ("innodb_log_file_size", "64M".to_owned()),
        ]);
        let text = format!("[mariadbd]\n{}", options.lines(&ours));
        let file = home.write("server.cnf", &text)?;
        let make = |home: &Home, installed: &Installed| initialise(home, installed, options);
        let programs = ("mariadbd", "mariadb");
        BinlogServer::start((&home, installed), programs, (&file, options), make).map(Self)
    }
}

fn initialise(home: &Home, installed: &Installed, options: &Options) -> Result<()> {
    let sql = include_str!("mariadb_accounts.sql").replace(":password", &options.password);
    let accounts = home.write("accounts.sql", &sql)?;
    let mut command = home.command(&installed.program("mariadb-install-db"), installed);
    command
        .args(["--no-defaults", "--auth-root-authentication-method=normal"])
        .args(["--skip-test-db", "--skip-name-resolve", "--skip-log-bin"])
        .arg(format!("--datadir={}", home.folder.join("data").display()))
        .arg(format!("--extra-file={}", accounts.display()))
        .args(folders(installed).iter().map(|(name, path)| format!("--{name}={path}")));
    run(command, &Input::Nothing, "make a private MariaDB's data folder")?;
    std::fs::remove_file(accounts).ok();
    Ok(())
}
