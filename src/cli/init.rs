//! `trueup init`: a commented configuration, written from what is found in live databases.
//!
//! It changes nothing in them. Passwords come from the environment and are never written.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use super::print;
use super::program::{FoundTable, Program};
use crate::config::{self, SourceConfig};
use crate::error::{Context, Error, ErrorKind, Result};

/// Write a commented configuration from live databases
///
/// Connects to each source, lists its tables by schema and writes them down; tables that cannot
/// be mirrored as they are stand commented out, with the reason. The password of source `erp`
/// is read from the variable TRUEUP_ERP_PASSWORD. Nothing is changed in any database.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// A source, as erp=postgres://user@host/database or hr=mysql://user@host/database
    #[arg(long = "source", value_name = "NAME=URL", required = true)]
    sources: Vec<Named>,
    /// A target, as psa=postgres://user@host/database
    #[arg(long = "target", value_name = "NAME=URL")]
    targets: Vec<Named>,
    /// Write to this file
    #[arg(long, value_name = "PATH", default_value = "trueup.toml")]
    output: PathBuf,
    /// Overwrite the file if it exists
    #[arg(long)]
    force: bool,
    /// Print the configuration instead of writing it
    #[arg(long)]
    dry_run: bool,
}

/// `NAME=URL`
#[derive(Debug, Clone)]
struct Named {
    name: String,
    url: String,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.split_once('=') {
            Some((name, url)) if url.contains("://") && !name.is_empty() => {
                Ok(Named { name: name.to_owned(), url: url.to_owned() })
            }
            // The text is not repeated: it may hold a password.
            _ => Err("expected NAME=URL".to_owned()),
        }
    }
}

pub(super) fn init(args: &InitArgs, program: &dyn Program) -> Result<u8> {
    if args.output.exists() && !args.force && !args.dry_run {
        let what = format!("{} exists", args.output.display());
        return Err(Error::new(ErrorKind::Usage, what)
            .hint("name another file with --output, overwrite it with --force, or --dry-run"));
    }
    let mut text = HEAD.to_owned();
    for source in &args.sources {
        let kind = if source.url.starts_with("postgres") { "postgres" } else { "mariadb" };
        let config = parse_source(source, &source_head(source, kind))?;
        let found = super::runtime()?.block_on(program.tables(&source.name, &config))?;
        let head = source_head(source, found.kind);
        let list = table_list(&found.tables);
        text.push_str(&format!("\n{head}{list}{}", source_tail(&found.packs)));
    }
    for target in &args.targets {
        text.push_str(&target_section(target));
    }
    if args.dry_run {
        print::text(&text)?;
        return Ok(0);
    }
    write(&args.output, &text)?;
    print::text(&format!(
        "wrote {path}\nnext: trueup check --config {path}\n",
        path = args.output.display()
    ))?;
    Ok(0)
}

const HEAD: &str = "\
# Written by `trueup init`. Every option with its default: docs/configuration.md

[daemon]
state_dir   = \"/var/lib/trueup\"     # ledger and store; made with mode 0700
http_listen = \"127.0.0.1:9847\"      # metrics, health, status, sql
";

/// Which mapping fits, and the zone; both are for a person to decide.
fn source_tail(packs: &[String]) -> String {
    const WIDTH: usize = 35;
    let mapping = |pack: &str, words: &str| {
        let line = format!("# mapping  = {}", quoted(pack));
        format!("{line:WIDTH$} # {words}\n")
    };
    let mut text = String::new();
    for pack in packs {
        text.push_str(&mapping(pack, "every table that this pack needs is here"));
    }
    if packs.is_empty() {
        text.push_str(&mapping("…", "the pack that turns its rows into canonical ones"));
    }
    let zone = "# timezone = \"Europe/Berlin\"";
    text.push_str(&format!("{zone:WIDTH$} # what its zoneless timestamps mean; UTC if not said\n"));
    text
}

/// The table header and how to connect.
fn source_head(source: &Named, kind: &str) -> String {
    let variable = password_variable(&source.name);
    // Written if it is in use now; otherwise the file is the better place for a daemon.
    let password = if std::env::var_os(&variable).is_some() {
        format!("password = \"${{env:{variable}}}\"")
    } else {
        format!("# password = \"${{file:/etc/trueup/{}.password}}\"", source.name)
    };
    format!(
        "[source.{}]\nkind = \"{kind}\"\nurl = {}\n{password}\n",
        source.name,
        quoted(&source.url)
    )
}

fn password_variable(name: &str) -> String {
    format!("TRUEUP_{}_PASSWORD", name.to_uppercase())
}

/// Judges name and URL as the daemon will.
fn parse_source(source: &Named, head: &str) -> Result<SourceConfig> {
    let mut config =
        config::judge_text(&format!("{head}tables = [\"*.*\"]\n")).map_err(|error| {
            Error::new(ErrorKind::Usage, format!("--source {} cannot be used", source.name))
                .caused_by(error)
                .hint("write NAME=postgres://user@host:port/database, without a password in it")
        })?;
    config
        .source
        .remove(&source.name)
        .ok_or_else(|| Error::new(ErrorKind::Usage, "a source needs a plain name"))
}

/// `tables = [...]`, grouped by schema; what cannot be mirrored is commented out.
fn table_list(tables: &[FoundTable]) -> String {
    let mut sorted: Vec<&FoundTable> = tables.iter().collect();
    sorted.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    let mut text = "tables = [\n".to_owned();
    for group in sorted.chunk_by(|a, b| a.schema == b.schema) {
        let schema = group.first().map(|table| table.schema.as_str()).unwrap_or_default();
        text.push_str(&format!("    # schema {}\n", quoted(schema)));
        for table in group {
            text.push_str(&table_line(table));
        }
    }
    text.push_str("]\n");
    text
}

fn table_line(table: &FoundTable) -> String {
    let pattern = quoted(&format!("{}.{}", table.schema, table.name));
    let is_plain = !table.schema.contains('.') && !table.name.contains('.');
    let dotted = (!is_plain).then(|| "a pattern cannot name it: there is a dot in it".to_owned());
    match (table.unusable.as_ref().or(dotted.as_ref()), table.rows_estimated) {
        (Some(reason), _) => {
            let reason = reason.lines().collect::<Vec<_>>().join("\n    #     ");
            format!("    # {pattern},\n    #     left out: {reason}\n")
        }
        (None, Some(rows)) => format!("    {pattern}, # about {rows} rows\n"),
        (None, None) => format!("    {pattern},\n"),
    }
}

/// A target receives nothing until somebody says what, so it stands commented out.
fn target_section(target: &Named) -> String {
    let section = format!(
        "[target.{name}]\nkind = \"postgres\"\nurl = {url}\n\
         password = \"${{file:/etc/trueup/{name}.password}}\"\n\
         [target.{name}.entity.worker]           # one table per canonical entity\n\
         table   = \"resource\"\n\
         key     = {{ employee_code = \"worker_no\" }}   # columns of a unique index\n\
         columns = {{ display_name = \"full_name\" }}    # SQL over the canonical row\n",
        name = target.name,
        url = quoted(&target.url)
    );
    let lines: String = section.lines().map(|line| format!("# {line}\n")).collect();
    format!("\n# Say which entities go where, then remove the comment signs.\n{lines}")
}

/// A TOML basic string; JSON's escapes are among TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Readable by its owner only: it names hosts, users and secret files.
fn write(path: &Path, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .context(ErrorKind::Usage, || format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(schema: &str, name: &str, rows: Option<u64>, unusable: Option<&str>) -> FoundTable {
        FoundTable {
            schema: schema.to_owned(),
            name: name.to_owned(),
            rows_estimated: rows,
            unusable: unusable.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_written_can_be_read_and_holds_the_usable_tables() {
        let source: Named = "erp=postgres://trueup@h:5432/d".parse().unwrap();
        let found = [
            table("sales", "order \"x\"", None, None),
            table("public", "party", Some(1200), None),
            table("public", "log", None, Some("no primary key\nALTER TABLE public.log …")),
        ];
        let head = source_head(&source, "postgres");
        let target = target_section(&"psa=postgres://t@h/psa".parse().unwrap());
        let tail = source_tail(&["tryton".to_owned()]);
        let text = format!("{HEAD}\n{head}{}{tail}{target}", table_list(&found));
        let config = config::judge_text(&text).unwrap();
        assert_eq!(config.source["erp"].tables, ["public.party", "sales.order \"x\""]);
        assert!(config.target.is_empty());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_target_is_right_once_the_comment_signs_are_gone() {
        let section = target_section(&"psa=postgres://t@h/psa".parse().unwrap());
        let lines: Vec<&str> =
            section.lines().skip(2).map(|line| line.strip_prefix("# ").unwrap()).collect();
        let source = "[source.erp]\nkind = \"postgres\"\nurl = \"postgres://t@h/d\"\n\
                      tables = [\"public.*\"]\n";
        let config = config::judge_text(&format!("{source}{}", lines.join("\n"))).unwrap();
        assert_eq!(config.target["psa"].entity["worker"].table, "resource");
    }

    #[test]
    fn a_password_on_the_command_line_is_refused_and_not_repeated() {
        let source: Named = "erp=postgres://trueup:hunter2@h/d".parse().unwrap();
        let error = parse_source(&source, &source_head(&source, "postgres")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.chain().contains("holds a password"), "{}", error.chain());
        assert!(!error.chain().contains("hunter2"));
    }
}
