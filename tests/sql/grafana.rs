//! Grafana's questions, through the protocol that it uses.

use super::cells;
use super::stage::Stage;

const QUESTIONS: &str = include_str!("grafana.sql");

#[tokio::test(flavor = "multi_thread")]
async fn grafana_gets_what_it_asks_for() {
    let stage = Stage::new("", "").await;
    let client = stage.analyst().await;
    let blocks = QUESTIONS.split("\n\n").skip(1);
    for block in blocks {
        let after = |word: &str| {
            let lines =
                block.lines().filter_map(|line| line.strip_prefix("-- ")?.strip_prefix(word));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let (gives, has) = (after("gives: "), after("has: "));
        // Comments are sent, too.
        let found = cells(&client, block).await;
        if has.is_empty() {
            assert_eq!(found, gives, "{block}");
        } else {
            assert!(has.iter().all(|row| found.contains(row)), "{block}: {found:?}");
        }
        assert!(!found.iter().any(|row| row.contains("track")), "{found:?}");
    }
}
