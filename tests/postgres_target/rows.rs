//! Rows that stand in each other's way, and rows that nobody can help.

use trueup::target::{Applied, Refusal, TargetRow};

use super::rig::{Psa, claim, entry, full_worker, gone, range, retry, worker};

/// A worker with badge and e-mail.
fn mailed(key: &str, badge: &str, email: &str, sequences: &[u64]) -> TargetRow {
    full_worker(key, [Some(badge), Some(key), Some(email), None, None, None], sequences)
}

fn managed(key: &str, manager: &str, sequences: &[u64]) -> TargetRow {
    full_worker(key, [Some(key), Some(key), None, None, Some(manager), None], sequences)
}

/// What was refused: key, class and the target's words.
fn refused(applied: &Applied) -> Vec<(&str, Refusal, &str)> {
    let rows = applied.refused.iter();
    rows.map(|refused| (refused.row.key.as_str(), refused.class, refused.words.as_str())).collect()
}

/// Proof 19: the new key of a worker arrives with the e-mail the old key still has.
#[tokio::test]
async fn a_new_key_may_take_the_email_of_the_old_one() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    target.apply(range(1, 1, vec![mailed("OLD", "b1", "ada@x", &[1])])).await.unwrap();
    let rows = vec![
        mailed("NEW", "b1", "ada@x", &[3]),
        gone("worker", "OLD", &[2]),
        worker("W2", "w", &[4]),
    ];
    let applied = target.apply(range(2, 4, rows)).await.unwrap();
    assert_eq!(refused(&applied), []);
    assert_eq!(psa.sql("SELECT employee_code, email FROM resource ORDER BY 1"), "NEW|ada@x\nW2|");
}

#[tokio::test]
async fn workers_may_swap_what_is_unique() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let people = |mails: [(&str, &str, &str); 4], first: u64| -> Vec<TargetRow> {
        let rows = mails.iter().zip(first..);
        rows.map(|((key, badge, mail), sequence)| mailed(key, badge, mail, &[sequence])).collect()
    };
    let before = [("A", "1", "a@"), ("B", "2", "b@"), ("C", "3", "c@"), ("D", "4", "d@")];
    target.apply(range(1, 4, people(before, 1))).await.unwrap();
    // E-mails (may be NULL) go round in a circle of three, badges (may not) are swapped.
    let after = [("A", "2", "b@"), ("B", "1", "c@"), ("C", "3", "a@"), ("D", "4", "d@")];
    let applied = target.apply(range(5, 8, people(after, 5))).await.unwrap();
    assert_eq!(refused(&applied), []);
    assert_eq!(
        psa.sql("SELECT employee_code, badge, email FROM resource ORDER BY 1"),
        "A|2|b@\nB|1|c@\nC|3|a@\nD|4|d@"
    );
}

#[tokio::test]
async fn a_swap_goes_through_beside_a_chain_whose_end_is_taken() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let rows = ["A", "B", "C", "D", "E"].map(|key| mailed(key, key, &format!("{key}@"), &[1]));
    target.apply(range(1, 1, rows.to_vec())).await.unwrap();
    // A and B swap; C wants D's and D wants E's, which E keeps.
    let rows = vec![
        mailed("A", "A", "B@", &[2]),
        mailed("B", "B", "A@", &[3]),
        mailed("C", "C", "D@", &[4]),
        mailed("D", "D", "E@", &[5]),
    ];
    let applied = target.apply(range(2, 5, rows)).await.unwrap();
    let mut keys: Vec<&str> = refused(&applied).iter().map(|(key, ..)| *key).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["C", "D"]);
    for (_, class, words) in refused(&applied) {
        assert_eq!(class, Refusal::Rejected);
        assert!(words.contains("resource_email_key") && !words.contains('@'), "{words}");
    }
    // The refused ones are what they were, not half released.
    assert_eq!(
        psa.sql("SELECT employee_code, email FROM resource ORDER BY 1"),
        "A|B@\nB|A@\nC|C@\nD|D@\nE|E@"
    );
    assert_eq!(psa.account(), "cursor 5\nhole 4 worker C\nhole 5 worker D");
}

#[tokio::test]
async fn a_reference_to_nothing_waits_and_goes_through_when_it_is_there() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let orphan = entry("7", "W1", "8", &[2]);
    let applied =
        target.apply(range(1, 2, vec![orphan.clone(), worker("W2", "w", &[1])])).await.unwrap();
    let [(key, class, words)] = refused(&applied)[..] else { panic!("{applied:?}") };
    assert_eq!((key, class), ("7", Refusal::Dependency));
    assert!(words.contains("foreign key") && !words.contains("W1"), "{words}");
    target.apply(range(3, 3, vec![worker("W1", "w", &[3])])).await.unwrap();
    assert_eq!(refused(&target.apply(retry(vec![orphan])).await.unwrap()), []);
    assert_eq!(psa.account(), "cursor 3");
    assert_eq!(psa.sql(r#"SELECT entry_no, hours FROM time."Sheet""#), "7|8.00");
}

#[tokio::test]
async fn the_order_of_entities_and_a_poison_row_between_them_break_no_reference() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    // A time entry before its worker; a report before its manager, with a poison row that
    // splits them into different statements.
    let mut poison = worker("P", "", &[3]);
    poison.cells.as_mut().unwrap()[1] = None;
    let rows = vec![
        entry("1", "M", "8", &[1]),
        managed("R", "M", &[2]),
        poison,
        worker("M", "boss", &[4]),
    ];
    let applied = target.apply(range(1, 4, rows)).await.unwrap();
    assert_eq!(refused(&applied).iter().map(|(key, ..)| *key).collect::<Vec<_>>(), ["P"]);
    assert_eq!(psa.sql(r#"SELECT entry_no, employee_code FROM time."Sheet""#), "1|M");
    assert_eq!(psa.sql("SELECT manager FROM resource WHERE employee_code = 'R'"), "M");
}

#[tokio::test]
async fn deletes_go_from_the_referring_to_the_referred() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let rows =
        vec![worker("W1", "w", &[1]), entry("1", "W1", "8", &[2]), entry("2", "W1", "8", &[3])];
    target.apply(range(1, 3, rows)).await.unwrap();
    // A delete that a row still refers to waits; with that row it goes.
    let applied = target.apply(range(4, 4, vec![gone("worker", "W1", &[4])])).await.unwrap();
    assert_eq!(refused(&applied)[0].1, Refusal::Dependency);
    let rows = vec![gone("time_entry", "1", &[5]), gone("time_entry", "2", &[6])];
    target.apply(range(5, 6, rows)).await.unwrap();
    target.apply(retry(vec![gone("worker", "W1", &[4])])).await.unwrap();
    target
        .apply(range(7, 8, vec![worker("W2", "w", &[7]), entry("3", "W2", "8", &[8])]))
        .await
        .unwrap();
    let rows = vec![gone("worker", "W2", &[9]), gone("time_entry", "3", &[10])];
    assert_eq!(refused(&target.apply(range(9, 10, rows)).await.unwrap()), []);
    assert_eq!(psa.sql(r#"SELECT count(*) FROM resource, time."Sheet""#), "0");
    assert_eq!(psa.account(), "cursor 10");
}

#[tokio::test]
async fn rows_that_refer_to_each_other_are_deleted_together() {
    let psa = Psa::new();
    psa.sql(r#"ALTER TABLE resource ADD last_entry integer REFERENCES time."Sheet" (entry_no)"#);
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let mut rows = Vec::new();
    for number in 1..=4_u64 {
        rows.push(worker(&format!("W{number}"), "w", &[2 * number - 1]));
        rows.push(entry(&number.to_string(), &format!("W{number}"), "8", &[2 * number]));
    }
    target.apply(range(1, 8, rows)).await.unwrap();
    psa.sql(
        r#"UPDATE resource SET last_entry = substr(employee_code, 2)::integer;
           CREATE TABLE other (code text REFERENCES resource); INSERT INTO other VALUES ('W4')"#,
    );
    // One alone waits, and the other waits for it.
    let applied = target.apply(range(9, 9, vec![gone("worker", "W1", &[9])])).await.unwrap();
    assert_eq!(refused(&applied)[0].1, Refusal::Dependency);
    let applied = target.apply(range(10, 10, vec![gone("time_entry", "1", &[10])])).await.unwrap();
    assert_eq!(refused(&applied)[0].1, Refusal::Dependency);
    // Tried again together they go, and so do others of the same batch.
    let rows = vec![gone("worker", "W1", &[9]), gone("time_entry", "1", &[10])];
    assert_eq!(refused(&target.apply(retry(rows)).await.unwrap()), []);
    let rows = [
        (11, "worker", "W2"),
        (12, "time_entry", "2"),
        (13, "worker", "W3"),
        (14, "time_entry", "3"),
    ];
    let rows = rows.map(|(sequence, entity, key)| gone(entity, key, &[sequence])).to_vec();
    assert_eq!(refused(&target.apply(range(11, 14, rows)).await.unwrap()), []);
    assert_eq!(psa.sql("SELECT string_agg(employee_code, ' ') FROM resource"), "W4");
    assert_eq!(psa.account(), "cursor 14");
    // One that somebody else refers to stays, and keeps only its own partner.
    target
        .apply(range(15, 16, vec![worker("W5", "w", &[15]), entry("5", "W5", "8", &[16])]))
        .await
        .unwrap();
    psa.sql("UPDATE resource SET last_entry = 5 WHERE employee_code = 'W5'");
    let rows = [
        (17, "worker", "W4"),
        (18, "time_entry", "4"),
        (19, "worker", "W5"),
        (20, "time_entry", "5"),
    ];
    let rows = rows.map(|(sequence, entity, key)| gone(entity, key, &[sequence])).to_vec();
    let applied = target.apply(range(17, 20, rows)).await.unwrap();
    let mut stay: Vec<_> = refused(&applied).iter().map(|(key, ..)| (*key).to_owned()).collect();
    stay.sort();
    assert_eq!(stay, ["4", "W4"]);
    assert_eq!(psa.sql("SELECT string_agg(employee_code, ' ') FROM resource"), "W4");
}

#[tokio::test]
async fn one_poison_row_among_thousands_is_found_and_the_others_arrive() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let mut rows = vec![worker("W1", "w", &[1])];
    for sequence in 2..=5_000_u64 {
        let hours = if sequence == 3_210 { "24.01" } else { "7.5" };
        rows.push(entry(&sequence.to_string(), "W1", hours, &[sequence]));
    }
    let applied = target.apply(range(1, 5_000, rows)).await.unwrap();
    let [(key, class, words)] = refused(&applied)[..] else { panic!("{applied:?}") };
    assert_eq!((key, class), ("3210", Refusal::Rejected));
    assert!(words.contains("Sheet_hours_check") && words.contains("23514"), "{words}");
    assert!(!words.contains("24.01"), "{words}");
    assert_eq!(psa.sql(r#"SELECT count(*), sum(hours) FROM time."Sheet""#), "4998|37485.00");
    assert_eq!(psa.account(), "cursor 5000\nhole 3210 time_entry 3210");
}

#[tokio::test]
async fn values_that_do_not_fit_are_refused_never_cut_and_never_quoted() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let rows = vec![
        mailed("W1", "TOOLONG", "a@", &[1]),
        full_worker("W2", [Some("w2"), Some("w"), None, Some("LONG"), None, None], &[2]),
        full_worker("W3", [Some("w3"), Some("w"), None, None, None, Some("{\"secret\": ")], &[3]),
        full_worker("W4", [Some("w4"), Some("nul\0secret"), None, None, None, None], &[4]),
        worker("W5", "fine", &[5]),
        entry("secret", "W5", "8", &[6]),
        entry("6", "W5", "secret", &[7]),
        entry("7", "W5", "99999.5", &[8]),
        entry("8", "W5", "8", &[9]),
    ];
    let mut keyless = worker("W9", "w", &[10]);
    keyless.key_cells = vec![None];
    let rows = rows.into_iter().chain([keyless]).collect();
    let applied = target.apply(range(1, 10, rows)).await.unwrap();
    let mut keys: Vec<&str> = Vec::new();
    for (key, class, words) in refused(&applied) {
        assert_eq!(class, Refusal::Rejected, "{key}: {words}");
        for value in ["secret", "TOOLONG", "LONG", "99999"] {
            assert!(!words.contains(value), "{key}: {words}");
        }
        keys.push(key);
    }
    keys.sort_unstable();
    assert_eq!(keys, ["6", "7", "W1", "W2", "W3", "W4", "W9", "secret"]);
    assert_eq!(psa.sql("SELECT employee_code FROM resource"), "W5");
    assert_eq!(psa.sql(r#"SELECT entry_no FROM time."Sheet""#), "8");
}

#[tokio::test]
async fn a_trigger_that_objects_is_heard_in_its_own_words() {
    let psa = Psa::new();
    psa.sql(
        "CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.hours = 13 THEN RAISE EXCEPTION 'period is closed' USING DETAIL = NEW.hours; END IF;
             IF NEW.hours = 14 THEN RAISE EXCEPTION 'no' USING ERRCODE = 'ERP01'; END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER closed BEFORE INSERT ON time.\"Sheet\" FOR EACH ROW EXECUTE FUNCTION \
             closed();",
    );
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let rows = vec![
        worker("W1", "w", &[1]),
        entry("1", "W1", "13", &[2]),
        entry("2", "W1", "14", &[3]),
        entry("3", "W1", "8", &[4]),
    ];
    let applied = target.apply(range(1, 4, rows)).await.unwrap();
    assert_eq!(
        refused(&applied),
        [
            ("1", Refusal::Rejected, "period is closed (SQLSTATE P0001)"),
            ("2", Refusal::Rejected, "no (SQLSTATE ERP01)"),
        ]
    );
}

#[tokio::test]
async fn a_constraint_checked_at_commit_refuses_its_row_only() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let approved = |key: &str, approver: &str, sequence: u64| {
        let mut row = entry(key, "W1", "8", &[sequence]);
        row.cells.as_mut().unwrap()[0] = Some(approver.to_owned());
        row
    };
    // The approver of 1 is in the same transaction, that of 2 is nowhere.
    let rows = vec![
        approved("1", "W2", 1),
        approved("2", "NOBODY", 2),
        worker("W1", "w", &[3]),
        worker("W2", "w", &[4]),
    ];
    let applied = target.apply(range(1, 4, rows)).await.unwrap();
    let [(key, class, _)] = refused(&applied)[..] else { panic!("{applied:?}") };
    assert_eq!((key, class), ("2", Refusal::Dependency));
    assert_eq!(psa.sql(r#"SELECT entry_no, approver FROM time."Sheet""#), "1|W2");
    assert_eq!(psa.account(), "cursor 4\nhole 2 time_entry 2");
}

#[tokio::test]
async fn rows_that_are_there_already_are_left_alone_and_the_operators_columns_always() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let person = |profile: &str, sequence: u64| {
        let cells = [Some("b"), Some("Ada"), None, None, None, Some(profile)];
        full_worker("W1", cells, &[sequence])
    };
    target.apply(range(1, 1, vec![person("{}", 1)])).await.unwrap();
    psa.sql("UPDATE resource SET note = 'mine'");
    let version = || psa.sql("SELECT ctid, note, profile FROM resource");
    let before = version();
    target.apply(range(2, 2, vec![person("{}", 2)])).await.unwrap();
    assert_eq!(version(), before, "an equal row was written again");
    // Equal to the eye of a JSON parser, not to the byte: the target gets what was sent.
    target.apply(range(3, 3, vec![person("{ }", 3)])).await.unwrap();
    assert_eq!(psa.sql("SELECT note, profile FROM resource"), "mine|{ }");
}

/// A manager who is a worker, and a time entry of a worker who is its approver, too: rows that miss
/// each other. What is soft is left out and patched; what is not waits.
#[tokio::test]
async fn a_row_whose_soft_reference_is_missing_is_written_without_it_and_patched() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let soft = |mut row: TargetRow, places: &[usize]| {
        row.soft = places.iter().map(|place| vec![(*place, None)]).collect();
        row
    };
    let names = "SELECT concat_ws(' ', employee_code, manager) FROM resource ORDER BY 1";
    // GIVEN rows that come in a circle, WHEN all are there, THEN nothing is left out.
    let circle = vec![soft(managed("W1", "W2", &[1]), &[4]), soft(managed("W2", "W1", &[2]), &[4])];
    assert_eq!(target.apply(range(1, 2, circle)).await.unwrap().refused, []);
    assert_eq!(psa.sql(names), "W1 W2\nW2 W1");
    // WHEN one is missing, THEN the row is there without it, and its hole is, too.
    let row = soft(managed("W3", "W9", &[3]), &[4]);
    let applied = target.apply(range(3, 3, vec![row.clone()])).await.unwrap();
    assert_eq!(applied.refused[0].class, Refusal::Incomplete);
    assert!(applied.refused[0].words.starts_with("written without"), "{:?}", applied.refused);
    assert_eq!(psa.sql(names), "W1 W2\nW2 W1\nW3");
    assert_eq!(psa.account(), "cursor 3\nhole 3 worker W3");
    // Again, and it is the same; with what was missing, it is whole.
    assert_eq!(target.apply(retry(vec![row.clone()])).await.unwrap().refused.len(), 1);
    assert_eq!(psa.account(), "cursor 3\nhole 3 worker W3");
    target.apply(range(4, 4, vec![worker("W9", "nine", &[4])])).await.unwrap();
    assert_eq!(target.apply(retry(vec![row])).await.unwrap().refused, []);
    assert_eq!(psa.sql(names), "W1 W2\nW2 W1\nW3 W9\nW9");
    assert_eq!(psa.account(), "cursor 4");

    // Of two references only the missing one is left out, also if it is checked at the commit.
    let mut row = soft(entry("1", "W1", "8", &[5]), &[0, 1]);
    row.cells.as_mut().unwrap()[0] = Some("W8".to_owned());
    let applied = target.apply(range(5, 5, vec![row])).await.unwrap();
    assert_eq!(applied.refused[0].class, Refusal::Incomplete);
    let entries = "SELECT concat_ws(' ', entry_no, employee_code, approver) FROM time.\"Sheet\"";
    assert_eq!(psa.sql(entries), "1 W1");
    // A column that must have a value cannot be left out.
    let row = soft(entry("2", "W8", "8", &[6]), &[1]);
    let applied = target.apply(range(6, 6, vec![row])).await.unwrap();
    assert_eq!(applied.refused[0].class, Refusal::Dependency);
    assert_eq!(psa.sql(entries), "1 W1");
    assert_eq!(psa.account(), "cursor 6\nhole 5 time_entry 1\nhole 6 time_entry 2");
}
