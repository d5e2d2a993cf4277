//! Epoch, cursor, holes and baseline: what the target says is what is true.

use std::time::Duration;

use trueup::error::ErrorKind;
use trueup::target::{Account, Apply, BaselineState, Claim, Refusal};

use super::rig::{Psa, claim, entry, gone, hole, range, retry, server, worker};

#[tokio::test]
async fn a_delivery_says_its_range_and_moves_the_cursor_with_its_rows() {
    let psa = Psa::new();
    let mut target = psa.target();
    assert_eq!(target.open(&claim(1)).await.unwrap(), Account::default());
    let applied = target.apply(range(1, 3, vec![worker("W1", "Ada", &[1, 3])])).await.unwrap();
    assert!(applied.refused.is_empty());
    target.apply(range(4, 4, vec![gone("worker", "W1", &[4])])).await.unwrap();
    assert_eq!(psa.sql("SELECT sequence FROM delivered ORDER BY transaction"), "1-3\n4-4");
    assert_eq!(psa.account(), "cursor 4");
    assert_eq!(psa.sql("SELECT count(*) FROM resource"), "0");
    assert_eq!(target.open(&claim(2)).await.unwrap().cursor, 4);
}

#[tokio::test]
async fn a_range_that_does_not_follow_the_cursor_writes_nothing() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    target.apply(range(1, 5, vec![worker("W1", "first", &[5])])).await.unwrap();
    for (epoch, (from, to)) in [(2, (5, 6)), (3, (7, 7)), (4, (1, 5))] {
        target.open(&claim(epoch)).await.unwrap();
        let error =
            target.apply(range(from, to, vec![worker("W1", "no", &[to])])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Bug);
        assert!(error.to_string().contains("at event 5"), "{error}");
        // A session that failed is closed: nothing more is written by it.
        assert!(
            target.apply(range(6, 6, vec![])).await.unwrap_err().to_string().contains("not open")
        );
    }
    assert_eq!(psa.sql("SELECT display_name FROM resource"), "first");
    assert_eq!(psa.account(), "cursor 5");
}

#[tokio::test]
async fn an_older_process_is_fenced_out_and_the_reason_is_told() {
    let psa = Psa::new();
    let (mut old, mut new) = (psa.target(), psa.target());
    old.open(&claim(1)).await.unwrap();
    new.open(&claim(2)).await.unwrap();
    let error = old.apply(range(1, 1, vec![worker("W1", "old", &[1])])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gap);
    new.apply(range(1, 1, vec![worker("W1", "new", &[1])])).await.unwrap();
    assert_eq!(psa.sql("SELECT display_name FROM resource"), "new");

    // WHEN a clone starts while the other runs, THEN it is told so.
    let clone = psa.target().open(&claim(2)).await.unwrap_err();
    assert_eq!(clone.kind(), ErrorKind::Gap);
    assert!(clone.to_string().contains("another process"), "{clone}");
    // WHEN nobody runs, THEN the ledger must be an old one.
    drop(new);
    wait_until_gone(&psa).await;
    for epoch in [1, 2] {
        let restored = psa.target().open(&claim(epoch)).await.unwrap_err();
        assert_eq!(restored.kind(), ErrorKind::Gap);
        assert!(restored.to_string().contains("ours is older"), "{restored}");
        assert!(restored.remedy().unwrap().contains("reconcile"));
    }
    assert_eq!(psa.target().open(&claim(3)).await.unwrap().cursor, 1);
}

#[tokio::test]
async fn a_copy_of_a_ledger_is_refused_however_often_it_was_started() {
    let claim = |epoch, token: &str, former: Option<&str>| Claim {
        epoch,
        token: token.to_owned(),
        former: former.map(str::to_owned),
    };
    let psa = Psa::new();
    psa.target().open(&claim(1, "first", None)).await.unwrap();
    // An answer that was lost: the same token again.
    psa.target().open(&claim(2, "first", None)).await.unwrap();
    psa.target().open(&claim(3, "second", Some("first"))).await.unwrap();
    for epoch in 2..9 {
        for former in [None, Some("first")] {
            let copy = psa.target().open(&claim(epoch, "other", former)).await.unwrap_err();
            assert_eq!(copy.kind(), ErrorKind::Gap);
        }
    }
    psa.target().open(&claim(4, "third", Some("second"))).await.unwrap();
}

#[tokio::test]
async fn a_fenced_process_says_by_whom_on_every_kind_of_delivery() {
    for apply in [range(1, 1, vec![]), retry(vec![])] {
        let psa = Psa::new();
        let (mut old, mut new) = (psa.target(), psa.target());
        old.open(&claim(1)).await.unwrap();
        new.open(&claim(7)).await.unwrap();
        let error = old.apply(apply).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gap);
        assert!(error.to_string().contains("epoch 7"), "{error}");
    }
}

#[tokio::test]
async fn opening_waits_for_a_commit_in_flight_and_reads_what_it_did() {
    // GIVEN a session whose transaction has moved the cursor and is not yet committed
    let psa = Psa::new();
    psa.target().open(&claim(1)).await.unwrap();
    let config = format!("{} password={}", keywords(&psa), server().password());
    let (client, connection) =
        tokio_postgres::connect(&config, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("BEGIN; UPDATE _trueup.cursor SET seq = 7").await.unwrap();
    // WHEN the next one opens
    let mut target = psa.target();
    let opening = tokio::spawn(async move { target.open(&claim(2)).await });
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!opening.is_finished(), "it read the cursor before the outcome was known");
    client.batch_execute("COMMIT").await.unwrap();
    // THEN it reads the outcome.
    assert_eq!(opening.await.unwrap().unwrap().cursor, 7);
}

/// Proof 3: events 6..10 are applied, 5 is parked and applied later, the process dies before the
/// ledger knows. One number cannot tell; cursor and holes can.
#[tokio::test]
async fn a_parked_event_is_applied_exactly_once_whatever_the_ledger_knows() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    target.apply(range(1, 4, vec![worker("W9", "one", &[4])])).await.unwrap();
    // The row of event 5 has a name that is NULL; 7 follows on its key.
    let mut poison = worker("W1", "", &[5]);
    poison.cells.as_mut().unwrap()[1] = None;
    let mut apply = range(5, 10, vec![poison, worker("W2", "ten", &[6, 10])]);
    apply.held = vec![hole(7, "worker", "W1")];
    let applied = target.apply(apply).await.unwrap();
    assert_eq!(applied.refused.len(), 1);
    assert_eq!(applied.refused[0].class, Refusal::Rejected);

    // WHEN the process dies before it settles, THEN the account says what is missing.
    drop(target);
    let mut target = psa.target();
    let account = target.open(&claim(2)).await.unwrap();
    assert_eq!(account.cursor, 10);
    assert_eq!(account.holes, [hole(5, "worker", "W1"), hole(7, "worker", "W1")]);

    // WHEN it is applied and the process dies again, THEN the account says that it is done,
    target.apply(retry(vec![worker("W1", "seven", &[5, 7])])).await.unwrap();
    drop(target);
    let mut target = psa.target();
    assert_eq!(target.open(&claim(3)).await.unwrap().holes, []);
    // and a second attempt by a ledger that believes otherwise is refused.
    let error = target.apply(retry(vec![worker("W1", "again", &[5, 7])])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Bug);
    assert_eq!(psa.sql("SELECT value FROM written WHERE name = 'W1'"), "seven");
    assert_eq!(psa.sql("SELECT sequence FROM delivered ORDER BY transaction"), "1-4\n5-10\nretry");
}

#[tokio::test]
async fn a_retry_that_is_refused_again_keeps_its_holes_and_a_dropped_event_loses_them() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let mut poison = worker("W1", "", &[2]);
    poison.cells.as_mut().unwrap()[1] = None;
    target.apply(range(1, 2, vec![poison.clone()])).await.unwrap();
    assert_eq!(target.apply(retry(vec![poison])).await.unwrap().refused.len(), 1);
    assert_eq!(psa.account(), "cursor 2\nhole 2 worker W1");
    let dropped = Apply { dropped: vec![hole(2, "worker", "W1")], ..Apply::default() };
    target.apply(dropped).await.unwrap();
    assert_eq!(psa.account(), "cursor 2");
}

#[tokio::test]
async fn a_baseline_has_its_progress_and_its_refused_rows_in_the_account() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    let mut poison = worker("W2", "", &[]);
    poison.cells.as_mut().unwrap()[1] = None;
    let through = |key: &str| Some(("worker".to_owned(), BaselineState::Through(key.to_owned())));
    let chunk = Apply {
        rows: vec![worker("W1", "one", &[]), poison],
        baseline: through("W2"),
        ..Apply::default()
    };
    assert_eq!(target.apply(chunk).await.unwrap().refused.len(), 1);
    let account = target.open(&claim(2)).await.unwrap();
    assert_eq!(account.holes, [hole(0, "worker", "W2")]);
    assert_eq!(account.baselines["worker"], BaselineState::Through("W2".to_owned()));
    target.apply(retry(vec![worker("W2", "two", &[0])])).await.unwrap();
    let done = Some(("worker".to_owned(), BaselineState::Done));
    target.apply(Apply { baseline: done, ..Apply::default() }).await.unwrap();
    let account = target.open(&claim(3)).await.unwrap();
    assert_eq!((account.cursor, account.holes), (0, vec![]));
    assert_eq!(account.baselines["worker"], BaselineState::Done);
    assert_eq!(psa.sql("SELECT string_agg(value, ',' ORDER BY name) FROM written"), "one,two");
    assert_eq!(psa.sql("SELECT sequence FROM delivered ORDER BY transaction"), "baseline\nretry");
}

/// A canonical row replaces what is parked of its key. If it is refused, a later retry of the
/// parked delete alone would remove the row for good.
#[tokio::test]
async fn a_refused_baseline_row_takes_the_place_of_what_was_parked_of_its_key() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    target
        .apply(range(1, 2, vec![worker("W1", "w", &[1]), entry("1", "W1", "8", &[2])]))
        .await
        .unwrap();
    // A delete waits, because a time entry refers to the worker.
    target.apply(range(3, 3, vec![gone("worker", "W1", &[3])])).await.unwrap();
    assert_eq!(psa.account(), "cursor 3\nhole 3 worker W1");
    let chunk = |name: Option<&str>| {
        let mut row = worker("W1", "", &[3]);
        row.cells.as_mut().unwrap()[1] = name.map(str::to_owned);
        let baseline = Some(("worker".to_owned(), BaselineState::Done));
        Apply { rows: vec![row], baseline, ..Apply::default() }
    };
    assert_eq!(target.apply(chunk(None)).await.unwrap().refused.len(), 1);
    assert_eq!(psa.account(), "cursor 3\nhole 0 worker W1");
    target.apply(retry(vec![worker("W1", "new", &[0])])).await.unwrap();
    assert_eq!(psa.account(), "cursor 3");
    assert_eq!(psa.sql("SELECT display_name FROM resource"), "new");
}

/// A ledger that is wrong about a refused event must not make a hole of an applied one.
#[tokio::test]
async fn a_refused_row_cannot_reopen_what_is_applied() {
    let psa = Psa::new();
    let mut target = psa.target();
    target.open(&claim(1)).await.unwrap();
    target.apply(range(1, 2, vec![worker("W1", "w", &[2])])).await.unwrap();
    let mut poison = worker("W1", "", &[2]);
    poison.cells.as_mut().unwrap()[1] = None;
    let error = target.apply(retry(vec![poison])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Bug);
    assert_eq!(psa.account(), "cursor 2");
}

#[tokio::test]
async fn installations_share_a_database_without_sharing_a_cursor() {
    let psa = Psa::new();
    let mut first = psa.target();
    let mut second =
        trueup::target::postgres::PostgresTarget::new("psa", "install-2", &psa.config()).unwrap();
    // Both make the schema at the same moment.
    let (of_first, of_second) = (claim(5), claim(1));
    let (one, two) = tokio::join!(first.open(&of_first), second.open(&of_second));
    assert_eq!((one.unwrap(), two.unwrap()), (Account::default(), Account::default()));
    first.apply(range(1, 9, vec![])).await.unwrap();
    assert_eq!(second.open(&claim(2)).await.unwrap().cursor, 0);
}

fn keywords(psa: &Psa) -> String {
    format!("host=127.0.0.1 port={} user=postgres dbname={}", server().port(), psa.database)
}

async fn wait_until_gone(psa: &Psa) {
    let sessions = "SELECT count(*) FROM pg_stat_activity \
                    WHERE application_name = 'trueup' AND datname = current_database()";
    while psa.sql(sessions) != "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
