//! What must be equal when nobody writes any more.

use std::net::SocketAddr;

use trueup::demo::run::Api;
use trueup::demo::run::compare::{Line, Sides};

use super::chain::Chain;
use crate::spine::store_rows;
use crate::support::servers;

impl Chain {
    /// Nobody writes any more: the mirror is the ERP's tables, canonical rows are what queries that
    /// know no mapping find in the ERP itself, and the target has them.
    pub(crate) async fn all_sides_agree(&self) {
        let config = |database: &str| {
            let server = servers::postgres();
            let mut config: tokio_postgres::Config = server.url(database).parse().unwrap();
            config.password(server.password());
            config
        };
        let address = SocketAddr::from(([127, 0, 0, 1], self.installation.http_port()));
        let sides = Sides::new(
            config(&self.erp),
            None,
            config(&self.psa),
            None,
            Api::new(address).unwrap(),
        );
        let lines = sides.compare().await.unwrap_or_else(|error| panic!("{}", error.chain()));
        let different: Vec<&Line> = lines.iter().filter(|line| line.differences() > 0).collect();
        assert!(different.is_empty(), "{different:#?}");
        let rows: u64 = lines.iter().map(Line::rows).sum();
        assert!(lines.len() > 10 && rows > 3_000, "{} lines, {rows} rows", lines.len());
    }

    /// Every row of every target table is the canonical row, in all columns that are plain
    /// attributes, and there is none besides.
    pub(crate) fn target_equals_canon(&self) {
        self.target_equals_canon_without_events();
        assert!(self.events() > 0, "nothing but the baseline was delivered");
    }

    /// As [`Chain::target_equals_canon`], also where nothing but a baseline was delivered.
    pub(crate) fn target_equals_canon_without_events(&self) {
        let mut compared = 0;
        for (entity, table) in &self.entities {
            let plain = |(column, sql): (&String, &String)| {
                let is_plain = sql.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                is_plain.then(|| (column.clone(), sql.clone()))
            };
            let columns: Vec<(String, String)> =
                table.key.iter().chain(&table.columns).filter_map(plain).collect();
            assert_eq!(columns.iter().take(table.key.len()).count(), table.key.len());
            let canon: Vec<String> = columns.iter().map(|(_, a)| canon_text(a)).collect();
            let target: Vec<String> = columns.iter().map(|(c, _)| target_text(c)).collect();
            let sql = format!("SELECT {} FROM canon.\"{entity}\"", canon.join(", "));
            let mut canon = Vec::new();
            loop {
                let page = format!("{sql} ORDER BY ALL LIMIT 5000 OFFSET {}", canon.len());
                let rows = store_rows(&self.installation, &page).unwrap();
                let is_last = rows.len() < 5_000;
                canon.extend(rows);
                if is_last {
                    break;
                }
            }
            let mut canon: Vec<String> = canon.into_iter().map(joined).collect();
            let sql = format!(
                "SELECT concat_ws('\u{1}', {}) FROM \"{}\"",
                target.join(", "),
                table.table
            );
            let mut rows: Vec<String> = self.target_sql(&sql).lines().map(str::to_owned).collect();
            canon.sort();
            rows.sort();
            compared += canon.len();
            let missing: Vec<_> =
                canon.iter().filter(|row| rows.binary_search(row).is_err()).take(3).collect();
            let extra: Vec<_> =
                rows.iter().filter(|row| canon.binary_search(row).is_err()).take(3).collect();
            assert!(
                canon == rows,
                "{entity}: {} canonical, {} in the target; missing {missing:?}; extra {extra:?}",
                canon.len(),
                rows.len()
            );
        }
        assert!(compared > 100, "only {compared} rows compared");
    }

    /// The ranges the trigger wrote down neither overlap nor leave a hole.
    pub(crate) fn ranges_are_whole(&self) {
        let text =
            self.target_sql("SELECT DISTINCT range FROM audit WHERE range ~ '^[0-9]' ORDER BY 1");
        let mut ranges: Vec<(u64, u64)> = text
            .lines()
            .map(|line| {
                let (from, to) = line.split_once('-').unwrap();
                (from.parse().unwrap(), to.parse().unwrap())
            })
            .collect();
        ranges.sort_unstable();
        let mut next = 1;
        for (from, to) in &ranges {
            assert_eq!(*from, next, "ranges {ranges:?}");
            next = to + 1;
        }
        assert_eq!(next, self.events() + 1, "the last range ends at the cursor");
        // Each range was committed once: the cursor's row was written once for it.
        let twice = self.target_sql(
            "SELECT range FROM audit WHERE relation = 'cursor' AND range ~ '^[0-9]'
             GROUP BY range HAVING count(*) > 1",
        );
        assert_eq!(twice.trim(), "");
    }
}

fn canon_text(attribute: &str) -> String {
    format!("coalesce(replace(CAST(\"{attribute}\" AS VARCHAR), chr(10), ' '), '-')")
}

/// As the store prints it; lines are joined, because rows are read line by line.
fn target_text(column: &str) -> String {
    format!("coalesce(replace(text_of(\"{column}\"), chr(10), ' '), '-')")
}

fn joined(row: Vec<Option<String>>) -> String {
    let cells: Vec<String> =
        row.into_iter().map(|c| plain_number(&c.unwrap_or_default())).collect();
    cells.join("\u{1}")
}

/// Trailing zeros of a decimal say nothing: a target column may have another scale.
fn plain_number(text: &str) -> String {
    let is_decimal = text.contains('.') && text.parse::<f64>().is_ok();
    if !is_decimal {
        return text.to_owned();
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
