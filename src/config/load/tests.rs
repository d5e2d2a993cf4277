//! Tests of reading and judging a configuration: expectations are written by hand, by line.

use proptest::prelude::*;

use super::*;

const GOOD: &str = r#"
[daemon]
state_dir = "/tmp/state"

[source.erp]
kind = "postgres"
url = "postgres://trueup@erp-db:5432/tryton"
password = "${file:/etc/trueup/erp.password}"
tables = ["public.*", "!public.ir_*"]
mapping = "tryton"
timezone = "Europe/Berlin"

[entity.worker.owner]
"*" = "erp"

[target.psa]
kind = "postgres"
url = "postgres://trueup@psa-db/psa"
tls = "verify-full"
[target.psa.entity.worker]
table = "resource"
key = { code = "worker_no" }
columns = { name = "full_name" }
"#;

fn problems(text: &str) -> Vec<String> {
    let known = |_: &Config| vec!["worker".to_owned(), "project".to_owned()];
    match judged(text, known) {
        Ok(_) => Vec::new(),
        Err(Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// GOOD with one line replaced by others.
fn with(line: &str, instead: &str) -> String {
    assert!(GOOD.contains(line), "{line} is not in the example");
    GOOD.replacen(line, instead, 1)
}

#[test]
fn a_good_file_is_read_as_written() {
    let config = parse(GOOD).unwrap();
    let erp = &config.source["erp"];
    assert_eq!(erp.tables, ["public.*", "!public.ir_*"]);
    assert_eq!(erp.mapping.as_deref(), Some("tryton"));
    assert_eq!(format!("{:?}", erp.password), "Some(secret from file /etc/trueup/erp.password)");
    assert_eq!(config.target["psa"].tls, crate::config::Tls::VerifyFull);
    assert_eq!(config.target["psa"].entity["worker"].key["code"], "worker_no");
    assert_eq!(config.daemon.http_listen.to_string(), "127.0.0.1:9847");
    assert_eq!(problems(GOOD), Vec::<String>::new());
}

#[test]
fn a_part_can_be_read_alone_but_its_keys_are_judged() {
    let part = "[target.psa]\nkind = \"postgres\"\nurl = \"postgres://u@h/d\"\n";
    assert_eq!(parse(part).unwrap().target["psa"].url, "postgres://u@h/d");
    assert_eq!(problems(part).len(), 2, "no source, and nothing received");
    let error = parse(&format!("{part}hots = 1\n")).unwrap_err();
    assert!(error.chain().contains("unknown key `hots` in [target.psa] (line 4)"));
}

#[test]
fn every_problem_is_reported_at_once_with_its_line() {
    let text = r#"
[daemon]
state_dirr = "/x"
http_listen = "localhost"
sql_timeout_secs = 5
[limits]
chunk_bytes = "big"
copy_chunk_rows = 5000000000
attempts_max = -1
[source.erp]
kind = "postgre"
url = 5
passwrd = "x"
tables = "public.*"
[source.hr]
mapping = "orangehrm"
[target.psa]
kind = "postgres"
url = "postgres://u@h/d"
tls = "on"
[target.psa.entity.worker]
columns = { a = 1 }
"#;
    let expected = [
        "unknown key `state_dirr` in [daemon] (line 3); did you mean `state_dir`?",
        "wrong value of `http_listen` in [daemon]: expected an address such as 127.0.0.1:9847 \
         (line 4)",
        "unknown key `sql_timeout_secs` in [daemon] (line 5); it belongs in [limits]",
        "wrong value of `chunk_bytes` in [limits]: expected a whole number, 0 or more, found text \
         (line 7)",
        "wrong value of `copy_chunk_rows` in [limits]: expected a whole number from 0 to \
         4294967295 (line 8)",
        "wrong value of `attempts_max` in [limits]: expected a whole number from 0 to 4294967295 \
         (line 9)",
        "wrong value of `kind` in [source.erp]: expected one of `postgres`, `mariadb`, `mysql` (line 11); \
         did you mean `postgres`?",
        "wrong value of `url` in [source.erp]: expected text, found a whole number (line 12)",
        "unknown key `passwrd` in [source.erp] (line 13); did you mean `password`?",
        "wrong value of `tables` in [source.erp]: expected a list, found text (line 14)",
        "missing key `kind` in [source.hr] (line 15)",
        "missing key `url` in [source.hr] (line 15)",
        "wrong value of `tls` in [target.psa]: expected one of `auto`, `disable`, `require`, \
         `verify-full` (line 20)",
        "missing key `key` in [target.psa.entity.worker] (line 21)",
        "missing key `table` in [target.psa.entity.worker] (line 21)",
        "wrong value of `a` in [target.psa.entity.worker.columns]: expected text, found a whole \
         number (line 22)",
    ];
    let mut found = problems(text);
    found.sort();
    let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn syntax_errors_name_the_line_and_never_quote_it() {
    let found = problems("[source.erp]\nkind = \"postgres\"\npassword = \"hunter2\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("(line 3)") && !found[0].contains("hunter2"), "{found:?}");
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    for (line, instead) in [
        ("password = \"${file:/etc/trueup/erp.password}\"", "password = \"hunter2\""),
        ("postgres://trueup@erp-db:5432/tryton", "postgres://trueup:hunter2@erp-db/tryton"),
        ("tls = \"verify-full\"", "tls = \"hunter2\""),
    ] {
        let found = problems(&with(line, instead));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }
}

/// A line of the example, what stands there instead, and what is then said.
const JUDGED: [(&str, &str, &str); 13] = [
    (
        "[source.erp]",
        "[source.canon]",
        "`canon` cannot name a source: the store has a schema of that name (line 5); choose \
         another name",
    ),
    (
        "[target.psa]",
        "[target.PSA]\n[target.psa]",
        "`PSA` cannot name a target (line 16); use lower-case letters, digits and `_`, \
         beginning with a letter",
    ),
    (
        "\"*\" = \"erp\"",
        "\"*\" = \"erb\"",
        "the owner of `*` in [entity.worker.owner] is not a source: `erb` (line 14); did you \
         mean `erp`?",
    ),
    (
        "\"*\" = \"erp\"",
        "full_name = \"erp\"",
        "[entity.worker.owner] names no default owner (line 13); add \"*\" = \"<source>\": it \
         decides which rows exist",
    ),
    (
        "mapping = \"tryton\"",
        "",
        "the owner of `*` in [entity.worker.owner] is `erp`, which has no mapping (line 14); \
         set `mapping` in [source.erp], or name another owner",
    ),
    (
        "[entity.worker.owner]",
        "[entity.wroker.owner]",
        "unknown entity `wroker` in [entity.wroker] (line 13); did you mean `worker`?",
    ),
    (
        "[target.psa.entity.worker]",
        "[target.psa.entity.invoice]",
        "unknown entity `invoice` in [target.psa.entity.invoice] (line 20); known entity \
         names: worker, project",
    ),
    (
        "postgres://trueup@erp-db:5432/tryton",
        "mysql://trueup@erp-db:5432/tryton",
        "`url` in [source.erp] does not fit `source.erp.kind` (line 7); write \
         postgres://user@host:port/database",
    ),
    (
        "state_dir = \"/tmp/state\"",
        "http_listen = \"0.0.0.0:9847\"",
        "`http_listen` in [daemon] is 0.0.0.0:9847, which other machines can reach (line 3); \
         listen on 127.0.0.1, or set allow_remote = true in [daemon]",
    ),
    (
        "Europe/Berlin",
        "europe/berln",
        "unknown time zone `europe/berln` in [source.erp] (line 11); did you mean \
         `Europe/Berlin`?",
    ),
    (
        "\"!public.ir_*\"",
        "\"orders\"",
        "`orders` in `tables` of [source.erp] is not a table pattern (line 9); write \
         `schema.table`, with `*` as wildcard and `!` in front to exclude",
    ),
    (
        "columns = { name = \"full_name\" }",
        "columns = { code = \"full_name\" }",
        "`code` stands in both `key` and `columns` of [target.psa.entity.worker] (line 23); \
         remove it from `columns`",
    ),
    (
        "[daemon]",
        "[limits]\nstore_threads = 0\n[daemon]",
        "`store_threads` in [limits] is 0 (line 3); set it to at least 1",
    ),
];

#[test]
fn what_values_mean_together_is_judged() {
    for (line, instead, expected) in JUDGED {
        let found = problems(&with(line, instead));
        assert!(found.contains(&expected.to_owned()), "{expected}\nnot in {found:#?}");
    }
}

#[test]
fn remote_addresses_pass_when_they_are_asked_for() {
    let text = with("[daemon]", "[daemon]\nhttp_listen = \"0.0.0.0:1\"\nallow_remote = true");
    assert_eq!(problems(&text), Vec::<String>::new());
}

#[test]
fn an_empty_file_says_what_is_needed() {
    let expected = ["no source is configured (line 1); add a table [source.<name>]"];
    assert_eq!(problems(""), expected);
}

#[test]
fn one_missing_key_does_not_hide_the_judgement_of_the_rest() {
    // GIVEN a source without its kind and a target with a bad name
    let text = with("kind = \"postgres\"\nurl = \"postgres://trueup@erp", "url = \"postgres://t@e");
    let found = problems(&text.replace("target.psa", "target.main"));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("missing key `kind` in [source.erp] (line 5)"), "{found:#?}");
    assert!(found[1].starts_with("`main` cannot name a target"), "{found:#?}");
}

#[test]
fn a_sql_listener_needs_users_and_a_certificate_where_others_can_reach_it() {
    let of = |sql: &str| problems(&format!("{GOOD}\n[sql]\n{sql}"));
    let user = "[sql.user.a]\npassword = \"${env:A}\"";
    assert_eq!(of(&format!("listen = \"127.0.0.1:5439\"\n{user}")), [""; 0]);
    assert_eq!(of(user), [""; 0], "no listener, nothing to judge");
    let found = of("listen = \"127.0.0.1:5439\"\n[sql.user.a]");
    assert!(found[0].starts_with("`a` in [sql.user] has no password"), "{found:#?}");
    let found = of("listen = \"127.0.0.1:5439\"");
    assert!(found[0].starts_with("nobody may connect to the listener in [sql]"), "{found:#?}");
    let found = of(&format!("listen = \"0.0.0.0:5439\"\n{user}"));
    assert!(found[0].contains("which other machines can reach"), "{found:#?}");
    let found = of(&format!("listen = \"0.0.0.0:5439\"\ntls_cert = \"/a\"\n{user}"));
    assert!(found[0].contains("of no use without each other"), "{found:#?}");
    let both = "tls_cert = \"/a\"\ntls_key = \"/b\"";
    assert_eq!(of(&format!("listen = \"0.0.0.0:5439\"\n{both}\n{user}")), [""; 0]);
}

#[test]
fn options_are_listed_from_the_structs() {
    let options = crate::config::options();
    for known in [
        "daemon.state_dir",
        "daemon.allow_remote",
        "limits.idle_confirm_secs",
        "limits.tables_every_secs",
        "source.<name>.tls_ca",
        "entity.<name>.owner",
        "target.<name>.entity.<name>.key",
    ] {
        assert!(options.iter().any(|option| option == known), "{known} not in {options:#?}");
    }
    assert!(!options.iter().any(|option| option == "source"), "{options:#?}");
}

proptest! {
    /// Whatever a hand does to a good file: it is judged, quickly, and every problem has a line
    /// of that file.
    #[test]
    fn a_spoiled_file_is_judged_and_never_breaks_the_judge(
        edits in prop::collection::vec((0..40usize, 0..9usize), 1..6)
    ) {
        let mut lines: Vec<String> = GOOD.lines().map(str::to_owned).collect();
        for (at, edit) in edits {
            let at = at % lines.len();
            let key = lines[at].split('=').next().unwrap_or_default().trim().to_owned();
            match edit {
                0 => drop(lines.remove(at)),
                1 => lines[at] = format!("{key} = 5"),
                2 => lines[at] = format!("{key} = -1.5"),
                3 => lines[at] = format!("{key} = {{}}"),
                4 => lines[at] = format!("{key} = [[1], \"x\"]"),
                5 => lines[at] = format!("{key} = 2026-11-22"),
                6 => lines[at] = format!("x{}", lines[at]),
                7 => lines[at] = format!("{key} = \"\""),
                _ => lines[at] = lines[at].replace(['"', ']'], ""),
            }
            prop_assume!(!lines.is_empty());
        }
        if let Err(Problems(found)) = judged(&lines.join("\n"), |_| Vec::new()) {
            prop_assert!(!found.is_empty());
            for problem in found {
                prop_assert!((1..=lines.len() + 1).contains(&problem.line), "{problem}");
            }
        }
    }
}
