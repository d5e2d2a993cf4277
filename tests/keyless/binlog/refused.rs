//! What `check` says of tables without a key, and what comes of them that get one.

use super::*;

/// A configuration for a fresh database, with these tables.
fn configured(
    version: Version,
    server: &BinlogServer,
    tables: &str,
    keyless: &str,
) -> Installation {
    let installation = installation(version, server, keyless);
    let file = installation.state_folder().with_file_name("trueup.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("tables = [\"shop.*\"]", &format!("tables = [{tables}]"));
    installation.write("trueup.toml", &text);
    installation
}

fn checked(installation: &Installation) -> (bool, String) {
    let output = installation.output(&["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), said + &String::from_utf8_lossy(&output.stderr))
}

async fn a_table_without_a_key_needs_the_operators_word(version: Version) {
    let server = started(version, &[]);
    let mut connection = connect(&server, "shop").await;
    let check =
        |tables: &str, keyless: &str| checked(&configured(version, &server, tables, keyless));
    // WHEN nobody says so THEN each is refused, and the way is shown
    let (is_fine, said) = check("\"shop.*\"", "");
    assert!(!is_fine, "{said}");
    assert!(said.contains("table shop.tally has no primary key"), "{said}");
    assert!(said.contains("keyless = [\"shop.tally\"]"), "{said}");
    assert!(said.contains("keyless = [\"shop.unique_n\"]"), "{said}");
    // WHEN somebody does THEN the price is told
    let (is_fine, said) = check("\"shop.*\"", "\"shop.*\"");
    assert!(is_fine, "{said}");
    assert!(said.contains("table shop.tally has no key: it is copied in one long"), "{said}");
    assert!(!said.contains("shop.keyed has no key"), "{said}");
    // and what cannot be is refused by name
    server.sql("shop", "CREATE TABLE odd (n int, `_ROW` text)").unwrap();
    let (is_fine, said) = check("\"shop.odd\"", "\"shop.*\"");
    assert!(!is_fine, "{said}");
    assert!(said.contains("table shop.odd has no key, and a column named _row"), "{said}");
    server.sql("shop", "DROP TABLE odd").unwrap();
    // and what this server does not tell is left out, which is said
    let (is_fine, said) = check("\"shop.computed\"", "\"shop.*\"");
    assert!(is_fine, "{said}");
    let left_out =
        "table shop.computed is mirrored without what the server computes (twice, thrice)";
    assert_eq!(said.contains(left_out), version == Some("11.8"), "{said}");
    // WHEN it gets a key THEN it is copied as one that has one, and the other way round
    let installation = configured(version, &server, "\"shop.*\"", "\"shop.*\"");
    let _daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    agrees(&installation, &mut connection).await;
    let columns = |table: &str, expected: &str| {
        let sql = format!(
            "SELECT string_agg(column_name, ' ' ORDER BY column_index) FROM duckdb_columns()
             WHERE schema_name = 'hr' AND table_name = '{table}'"
        );
        wait_until("the columns to change", PATIENCE, || {
            let rows = store_rows(&installation, &sql)?;
            if rows[0][0].as_deref() == Some(expected) { Ok(()) } else { Err(format!("{rows:?}")) }
        });
    };
    columns("entries", "n txt _row _nth");
    server
        .sql(
            "shop",
            "TRUNCATE entries; INSERT INTO entries VALUES (1, 'a'), (2, 'b');
             ALTER TABLE entries ADD PRIMARY KEY (n); UPDATE entries SET txt = 'c' WHERE n = 2;
             ALTER TABLE keyed DROP PRIMARY KEY; INSERT INTO keyed VALUES (1, 1), (1, 1)",
        )
        .unwrap();
    agrees(&installation, &mut connection).await;
    columns("entries", "n txt");
    columns("keyed", "id n _row _nth");
    is_copied(&installation);
}

const CHAIN: &str = "
    CREATE TABLE middle (n int, code int, KEY (code),
        FOREIGN KEY (n) REFERENCES keeper (id) ON DELETE CASCADE);
    CREATE TABLE bottom (code int, FOREIGN KEY (code) REFERENCES middle (code) ON DELETE CASCADE)";

async fn hidden_foreign_keys_that_cannot_be_followed_are_refused(version: Version) {
    let settings: &[_] = match is_mysql(version) {
        true => &[("innodb_native_foreign_keys", "ON"), ("restrict_fk_on_non_standard_key", "OFF")],
        false => &[],
    };
    let server = started(version, settings);
    let check = |tables: &str| checked(&configured(version, &server, tables, "\"shop.*\""));
    let (is_fine, said) = check("\"shop.gone\"");
    assert!(!is_fine, "{said}");
    assert!(said.contains("table shop.gone follows shop.keeper by a foreign key on n"), "{said}");
    assert!(said.contains("add \"shop.keeper\" to `tables`"), "{said}");
    server.sql("shop", CHAIN).unwrap();
    let (is_fine, said) = check("\"shop.*\"");
    assert!(!is_fine, "{said}");
    let why = "table shop.middle has no key; it follows shop.keeper by a foreign key, and shop.bottom follows";
    assert!(said.contains(why), "{said}");
    assert!(said.contains("add \"!shop.middle\" and \"!shop.bottom\" to `tables`"), "{said}");
    let (is_fine, said) = check("\"shop.*\", \"!shop.bottom\"");
    assert!(is_fine, "{said}");
}

on_versions! { [mariadb mariadb118 mysql]
    a_table_without_a_key_needs_the_operators_word
    hidden_foreign_keys_that_cannot_be_followed_are_refused
}
