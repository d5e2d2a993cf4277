//! The demo's configuration: `config/demo.toml` with real addresses and passwords.
//!
//! It changes nothing else there, but for a demo without the HR.

use std::path::PathBuf;

use toml::{Table, Value};

use super::folder::DemoFolder;
use super::stage::Stage;
use crate::error::{Context, Error, ErrorKind, Result};

const WIRING: &str = include_str!("../../../config/demo.toml");

/// Writes the passwords and `trueup.toml` into the folder; hands back the latter's path.
pub(super) fn write(
    stage: &Stage,
    folder: &DemoFolder,
    http_port: u16,
    sql_port: u16,
) -> Result<PathBuf> {
    let file = folder.write("postgres.password", stage.postgres.password())?;
    let postgres = format!("${{file:{}}}", file.display());
    let mut wiring = wiring()?;
    let state = folder.path().join("state").display().to_string();
    set(&mut wiring, &["daemon", "state_dir"], state)?;
    set(&mut wiring, &["daemon", "http_listen"], format!("127.0.0.1:{http_port}"))?;
    set(&mut wiring, &["sql", "listen"], format!("127.0.0.1:{sql_port}"))?;
    set(&mut wiring, &["sql", "user", "analyst", "password"], postgres.clone())?;
    set(&mut wiring, &["source", "erp", "url"], stage.postgres.url("erp"))?;
    set(&mut wiring, &["source", "erp", "password"], postgres.clone())?;
    for target in ["psa", "books"] {
        set(&mut wiring, &["target", target, "url"], stage.postgres.url(target))?;
        set(&mut wiring, &["target", target, "password"], postgres.clone())?;
    }
    // The end of the demo waits for the position of a source on which nothing happens any more.
    let idle = Table::from_iter([("idle_confirm_secs".to_owned(), Value::Integer(1))]);
    wiring.insert("limits".to_owned(), Value::Table(idle));
    match &stage.mariadb {
        Some(server) => {
            let file = folder.write("mariadb.password", server.password())?;
            set(&mut wiring, &["source", "hr", "url"], server.url("hr"))?;
            let password = format!("${{file:{}}}", file.display());
            set(&mut wiring, &["source", "hr", "password"], password)?;
        }
        None => without_hr(&mut wiring)?,
    }
    let text = toml::to_string(&wiring)
        .context(ErrorKind::Bug, || "could not write the demo's configuration".to_owned())?;
    folder.write("trueup.toml", &text)
}

fn wiring() -> Result<Table> {
    WIRING.parse().context(ErrorKind::Bug, || "config/demo.toml is not TOML".to_owned())
}

/// The ERP alone is right about everything.
fn without_hr(wiring: &mut Table) -> Result<()> {
    table(wiring, &["source"])?.remove("hr");
    for (_, entity) in table(wiring, &["entity"])?.iter_mut() {
        let owner = Table::from_iter([("*".to_owned(), Value::String("erp".to_owned()))]);
        *entity = Value::Table(Table::from_iter([("owner".to_owned(), Value::Table(owner))]));
    }
    Ok(())
}

fn set(wiring: &mut Table, path: &[&str], value: String) -> Result<()> {
    let Some((key, tables)) = path.split_last() else { return Ok(()) };
    table(wiring, tables)?.insert((*key).to_owned(), Value::String(value));
    Ok(())
}

fn table<'a>(mut table: &'a mut Table, path: &[&str]) -> Result<&'a mut Table> {
    for name in path {
        let found = table.get_mut(*name).and_then(Value::as_table_mut);
        table = found.ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("config/demo.toml has no table {name}"))
        })?;
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_hr_the_erp_owns_everything_and_the_rest_stays() {
        let mut wiring = wiring().unwrap();
        without_hr(&mut wiring).unwrap();
        let text = toml::to_string(&wiring).unwrap();
        let config = crate::config::judge_text(&text).unwrap();
        assert_eq!(config.source.keys().collect::<Vec<_>>(), ["erp"]);
        assert_eq!(config.entity.len(), 11);
        for entity in config.entity.values() {
            assert_eq!(entity.owner.get("*").map(String::as_str), Some("erp"));
            assert_eq!(entity.owner.len(), 1);
        }
        assert_eq!(config.target["psa"].entity.len(), 11);
        assert_eq!(config.target["books"].entity.len(), 1);
        assert_eq!(config.workflow.len(), 3);
    }
}
