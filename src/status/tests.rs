//! Tests of the status: who is called, and what is read.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn source(name: &str, state: SourceState) -> SourceStatus {
    SourceStatus {
        name: name.to_owned(),
        kind: "postgres".to_owned(),
        state,
        position: Some("lsn:16/B374D848".to_owned()),
        confirmed: Some("lsn:16/B374D000".to_owned()),
        lag_seconds: Some(0.42),
        lag_bytes: Some(12_800),
        message: None,
        hint: None,
        copy: None,
        resyncs: Vec::new(),
    }
}

fn target(name: &str) -> TargetStatus {
    TargetStatus {
        name: name.to_owned(),
        state: TargetState::Delivering,
        epoch: 3,
        cursor: 12_345,
        queue_events: 7,
        oldest_seconds: Some(1.04),
        parked: 0,
        dead: 0,
        baseline: BTreeMap::from([
            ("worker".to_owned(), "done".to_owned()),
            ("project".to_owned(), "P-0042".to_owned()),
        ]),
        message: None,
        hint: None,
    }
}

fn fine() -> Status {
    Status {
        install: "5d1c".to_owned(),
        version: "0.1.0".to_owned(),
        daemon: DaemonState::Running,
        since: Some(at("2026-11-22T09:00:00Z")),
        sources: vec![source("erp", SourceState::Streaming)],
        conform: ConformStatus {
            journal_seq: 901,
            journal_behind_entries: 2,
            ledger_full_seconds: None,
            batch: 88,
            last_batch_at: Some(at("2026-11-22T10:00:00Z")),
            open_transaction: None,
            held: None,
            error: None,
        },
        archive: ArchiveStatus {
            sealed_at: Some(at("2026-11-22T00:00:10Z")),
            event: 12_001,
            error: None,
            hint: None,
        },
        entities: vec![
            EntityStatus {
                name: "worker".to_owned(),
                rows: 1_204,
                ready: true,
                verified_at: Some(at("2026-11-22T09:30:00Z")),
                mismatches: 0,
            },
            EntityStatus {
                name: "time_entry".to_owned(),
                rows: 99,
                ready: false,
                verified_at: None,
                mismatches: 0,
            },
        ],
        targets: vec![target("psa")],
        dead_letters: Vec::new(),
        findings: Vec::new(),
    }
}

#[test]
fn a_status_that_is_fine_reads_as_tables() {
    assert!(!fine().needs_person());
    insta::assert_snapshot!(text::render(&fine()));
}

#[test]
fn what_needs_a_person_comes_first_with_its_remedy() {
    let mut status = fine();
    status.sources.push(SourceStatus {
        kind: "mariadb".to_owned(),
        position: Some("gtid:0-1-42".to_owned()),
        confirmed: None,
        lag_seconds: None,
        lag_bytes: None,
        message: Some("binlog mysql-bin.000007 is purged".to_owned()),
        hint: Some("copy the source again:\n  trueup uninstall --source hr".to_owned()),
        copy: Some(CopyStatus {
            tables_done: 3,
            tables_total: 30,
            rows_copied: 1_203_000,
            rows_estimated: Some(4_000_000),
            table: Some("ohrm.hs_hr_employee".to_owned()),
            waiting_for: Some("transaction 731, open for 12 min".to_owned()),
        }),
        ..source("hr", SourceState::Gap)
    });
    status.targets = vec![TargetStatus { dead: 1, ..target("psa") }];
    status.dead_letters = vec![DeadLetter {
        target: "psa".to_owned(),
        entity: "worker".to_owned(),
        key: "E-17\u{1b}[31m".to_owned(),
        sequence: 12_001,
        class: "rejected".to_owned(),
        words: "null value in column \"email\"".to_owned(),
        since: at("2026-11-22T09:30:00Z"),
        attempts: 8,
    }];
    status.findings = vec![Finding::warning("the disk is 91 % full", "free some of it")];
    assert!(status.needs_person());
    insta::assert_snapshot!(text::render(&status));
}

#[test]
fn each_thing_that_does_not_mend_itself_calls_a_person() {
    let calls: [fn(&mut Status); 8] = [
        |status| status.daemon = DaemonState::Stopped,
        |status| status.sources[0].state = SourceState::Gap,
        |status| status.sources[0].state = SourceState::Paused,
        |status| status.conform.error = Some("mapping worker fails".to_owned()),
        |status| status.targets[0].state = TargetState::Gap,
        |status| status.targets[0].state = TargetState::Paused,
        |status| status.targets[0].dead = 1,
        |status| status.findings = vec![Finding::error("x", "y")],
    ];
    for (index, call) in calls.iter().enumerate() {
        let mut status = fine();
        call(&mut status);
        assert!(status.needs_person(), "call {index}");
    }
}

#[test]
fn what_mends_itself_calls_nobody() {
    let mut status = fine();
    status.sources[0].state = SourceState::Retrying;
    status.sources[0].message = Some("connection refused".to_owned());
    status.targets[0].state = TargetState::Retrying;
    status.targets[0].parked = 5;
    status.findings = vec![Finding::warning("x", "y"), Finding::ok("z")];
    status.conform.open_transaction = Some(OpenTransactionStatus {
        source: "hr".to_owned(),
        entries_total: 350,
        entries_done: 41,
        since: Some(at("2026-11-22T09:59:00Z")),
    });
    status.conform.ledger_full_seconds = Some(7_200);
    assert!(!status.needs_person());
    let text = text::render(&status);
    assert!(text.contains("; full in about 2.0 h at this pace\n"), "{text}");
    assert!(text.contains("⚠ source erp: connection refused"), "{text}");
    let open = "⚠ a large transaction of source hr is conformed in slices since \
                2026-11-22T09:59:00Z: 41 of 350 entries";
    assert!(text.contains(open), "{text}");
}

#[test]
fn a_status_survives_its_json() {
    let json = serde_json::to_string(&fine()).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), fine());
}

#[test]
fn states_have_one_word_each_in_text_and_json() {
    for state in SourceState::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.word());
    }
    for state in TargetState::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.word());
    }
}
