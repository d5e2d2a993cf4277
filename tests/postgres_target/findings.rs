//! What `check` says about a target, and that its remedies work.

use trueup::error::ErrorKind;
use trueup::finding::Finding;
use trueup::finding::Severity;

use super::rig::{Psa, claim, server, target};

/// Errors found with these entities.
async fn errors(psa: &Psa, entities: &str) -> Vec<Finding> {
    let config = psa.config_with("right", &server().url(&psa.database), entities);
    let findings = target(&config).unwrap().examine().await;
    findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect()
}

#[tokio::test]
async fn a_target_that_fits_has_no_error_and_is_described() {
    let psa = Psa::new();
    let findings = psa.target().examine().await;
    assert!(findings.iter().all(|finding| finding.severity == Severity::Ok), "{findings:?}");
    let all: String = findings.iter().map(|finding| format!("{}\n", finding.what)).collect();
    assert!(
        all.contains("worker goes to public.resource by key (employee_code), 6 columns"),
        "{all}"
    );
    assert!(all.contains("time_entry goes to time.Sheet by key (entry_no), 3 columns"), "{all}");
    assert_eq!(psa.sql("SELECT to_regclass('_trueup.cursor') IS NULL"), "t", "check changed it");
}

#[tokio::test]
async fn names_that_do_not_exist_are_named_with_the_nearest() {
    let psa = Psa::new();
    for (table, key, columns, what, remedy) in [
        (
            "resourse",
            "employee_code",
            "badge",
            "no table resourse",
            "did you mean public.resource?",
        ),
        ("time.sheet", "entry_no", "hours", "no table time.sheet", "did you mean time.Sheet?"),
        ("nowhere.x", "k", "c", "no table nowhere.x", "create it"),
        (
            "resource",
            "employe_code",
            "badge",
            "no column employe_code",
            "did you mean employee_code?",
        ),
        ("resource", "employee_code", "zzz", "no column zzz", "ADD COLUMN \"zzz\""),
    ] {
        let entity = format!(
            "[target.psa.entity.worker]\ntable = \"{table}\"\nkey = {{ {key} = \"k\" }}\n\
             columns = {{ {columns} = \"c\", display_name = \"n\", badge = \"b\" }}"
        )
        .replace("badge = \"c\", ", "");
        let entity = match table {
            "time.sheet" => entity.replace(", display_name = \"n\", badge = \"b\"", ""),
            _ => entity,
        };
        let errors = errors(&psa, &entity).await;
        let [error] = &errors[..] else { panic!("{table}.{columns}: {errors:?}") };
        assert!(error.what.contains(what), "{error:?}");
        assert!(error.remedy.as_ref().unwrap().contains(remedy), "{error:?}");
    }
}

#[tokio::test]
async fn a_missing_unique_index_is_an_error_whose_sql_mends_it() {
    let psa = Psa::empty();
    // None of these finds a row by (b, "A key") alone.
    psa.sql(
        r#"CREATE TABLE t ("A key" int NOT NULL, b int NOT NULL, v int);
           CREATE UNIQUE INDEX ON t ("A key"); CREATE UNIQUE INDEX ON t ("A key", b, v);
           CREATE UNIQUE INDEX ON t ("A key", b) WHERE v > 0;
           CREATE UNIQUE INDEX ON t ("A key", (b + 1));
           ALTER TABLE t ADD UNIQUE ("A key", b) DEFERRABLE;"#,
    );
    let entity = "[target.psa.entity.worker]\ntable = \"t\"\n\
                  key = { \"A key\" = \"a\", b = \"b\" }\ncolumns = { v = \"v\" }";
    let found = errors(&psa, entity).await;
    let [error] = &found[..] else { panic!("{found:?}") };
    assert!(error.what.contains("no unique index on exactly (A key, b) of public.t"), "{error:?}");
    let config = psa.config_with("right", &server().url(&psa.database), entity);
    let unopened = target(&config).unwrap().open(&claim(1)).await.unwrap_err();
    assert_eq!(unopened.kind(), ErrorKind::Setup);
    assert_eq!(unopened.remedy(), error.remedy.as_deref());
    assert_eq!(psa.sql("SELECT to_regclass('_trueup.cursor') IS NULL"), "t");
    psa.sql(error.remedy.as_ref().unwrap());
    assert_eq!(errors(&psa, entity).await, []);
    target(&config).unwrap().open(&claim(1)).await.unwrap();
}

#[tokio::test]
async fn columns_that_cannot_be_filled_or_left_out_are_errors() {
    let psa = Psa::empty();
    psa.sql(
        "CREATE DOMAIN needed AS text NOT NULL;
         CREATE TABLE t (k int PRIMARY KEY, needed text NOT NULL, also needed, filled int NOT NULL DEFAULT 1,
             number int GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (k * 2) STORED);
         CREATE VIEW v AS SELECT * FROM t;",
    );
    let entity = |table: &str, columns: &str| {
        format!(
            "[target.psa.entity.worker]\ntable = \"{table}\"\nkey = {{ k = \"k\" }}\n\
             columns = {{ {columns} }}"
        )
    };
    let all = errors(&psa, &entity("t", r#"number = "n", twice = "t""#)).await;
    let what: Vec<&str> = all.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(what.len(), 4, "{what:?}");
    assert!(what[0].contains("column needed") && what[1].contains("column also"), "{what:?}");
    assert!(what[2].contains("column number") && what[3].contains("column twice"), "{what:?}");
    let view = errors(&psa, &entity("v", r#"needed = "n""#)).await;
    assert!(view[0].what.contains("public.v is not a table"), "{view:?}");
}

#[tokio::test]
async fn missing_privileges_are_named_and_the_grants_suffice() {
    let psa = Psa::new();
    let role = format!("role_{}", psa.database);
    psa.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD '{}'; GRANT SELECT ON resource TO {role};
         REVOKE CREATE ON DATABASE {} FROM PUBLIC;",
        server().password(),
        psa.database
    ));
    let url = server().url(&psa.database).replace("//postgres@", &format!("//{role}@"));
    let entity = "[target.psa.entity.worker]\ntable = \"resource\"\n\
                  key = { employee_code = \"k\" }\ncolumns = { badge = \"b\", display_name = \"n\" }\n\
                  [target.psa.entity.time_entry]\ntable = \"time.Sheet\"\n\
                  key = { entry_no = \"k\" }\ncolumns = { employee_code = \"w\" }";
    let config = psa.config_with("right", &url, entity);
    let found = |findings: Vec<Finding>| -> Vec<Finding> {
        findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect()
    };
    let errors = found(target(&config).unwrap().examine().await);
    let what: String = errors.iter().map(|finding| format!("{}\n", finding.what)).collect();
    assert!(what.contains("lacks INSERT, UPDATE, DELETE on public.resource"), "{what}");
    assert!(what.contains("may not use schema time"), "{what}");
    assert!(what.contains("schema _trueup is missing"), "{what}");
    assert_eq!(
        target(&config).unwrap().open(&claim(1)).await.unwrap_err().kind(),
        ErrorKind::Setup
    );
    // WHEN an administrator runs the remedies as often as new ones appear, THEN none is left.
    for _ in 0..3 {
        for finding in found(target(&config).unwrap().examine().await) {
            psa.sql(finding.remedy.as_ref().unwrap());
        }
    }
    assert_eq!(found(target(&config).unwrap().examine().await), []);
    // The triggers of this test write with the role's own rights.
    psa.sql(&format!("GRANT ALL ON written, delivered TO {role}"));
    let mut target = target(&config).unwrap();
    target.open(&claim(1)).await.unwrap();
    let mut row = super::rig::worker("W1", "w", &[1]);
    row.cells.as_mut().unwrap().truncate(2);
    assert_eq!(target.apply(super::rig::range(1, 1, vec![row])).await.unwrap().refused, []);
}

#[tokio::test]
async fn an_unreachable_server_and_a_wrong_password_are_told_apart() {
    let psa = Psa::empty();
    let url = server().url(&psa.database);
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = format!("postgres://postgres@{unused}/{}", psa.database);
    for (password, url, kind, says) in [
        ("wrong", url.as_str(), ErrorKind::Setup, "password authentication failed"),
        ("right", away.as_str(), ErrorKind::Unreachable, "onnection refused"),
        ("right", &url.replace(&psa.database, "nowhere"), ErrorKind::Setup, "does not exist"),
        ("missing", url.as_str(), ErrorKind::Config, "could not read the secret file"),
    ] {
        let config = psa.config_with(password, url, "");
        let error = target(&config).unwrap().open(&claim(1)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", error.chain());
        assert!(error.chain().contains(says), "{}", error.chain());
        assert!(!error.chain().contains(server().password()));
        let findings = target(&config).unwrap().examine().await;
        assert_eq!(findings.len(), 1);
        assert!(findings[0].what.contains(says) && findings[0].remedy.is_some(), "{findings:?}");
    }
    let mut config = psa.config_with("right", &url, "");
    config.password = None;
    let error = target(&config).unwrap().open(&claim(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    assert!(error.remedy().unwrap().contains("password ="));
}
