//! Partial updates: random ones, each compared with the document that the server made of it.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::documents::{document, expression, key};
use super::{log, session};
use crate::support::random::seeded;
use crate::support::require::require;

const DOCUMENTS: u64 = 30;
const UPDATES: u64 = 30;

/// The JSON column as an expression, and what stands for its question marks.
struct Update {
    sql: String,
    parameters: Vec<Value>,
}

impl Update {
    /// One to three functions around the column, with one to three paths each.
    fn new(random: &mut StdRng, json: &serde_json::Value) -> Self {
        let mut update = Self { sql: "j".to_owned(), parameters: Vec::new() };
        for _ in 0..random.random_range(1..=3) {
            let function = *["JSON_SET", "JSON_REPLACE", "JSON_REMOVE"].choose(random).unwrap();
            let mut sql = format!("{function}({}", update.sql);
            for _ in 0..random.random_range(1..=3) {
                sql.push_str(", ?");
                update.parameters.push(path(random, json).into());
                if function == "JSON_REMOVE" {
                    continue;
                }
                if random.random_range(0..4) == 0 {
                    sql.push_str(&format!(", {}", expression(random)));
                } else {
                    sql.push_str(", CAST(? AS JSON)");
                    let depth = random.random_range(0..3);
                    update.parameters.push(document(random, depth).into());
                }
            }
            update.sql = sql + ")";
        }
        update
    }
}

/// A path of at least one step, most of it to what is there.
fn path(random: &mut StdRng, json: &serde_json::Value) -> String {
    let mut path = "$".to_owned();
    let mut here = Some(json);
    loop {
        // The server writes them without.
        path.push_str(if random.random_range(0..8) == 0 { " " } else { "" });
        here = match here {
            Some(serde_json::Value::Object(members)) if random.random_range(0..8) > 0 => {
                let keys: Vec<&String> = members.keys().collect();
                let known = keys.choose(random).filter(|_| random.random_range(0..4) > 0);
                let key = known.map_or_else(|| key(random), |key| (*key).clone());
                path.push_str(&format!(".{}", serde_json::to_string(&key).unwrap()));
                members.get(&key)
            }
            Some(serde_json::Value::Array(members)) if random.random_range(0..8) > 0 => {
                let place = random.random_range(0..members.len() + 2);
                path.push_str(&match random.random_range(0..3) {
                    0 => format!("[last-{place}]"),
                    1 if place == 0 => "[last]".to_owned(),
                    _ => format!("[{place}]"),
                });
                members.get(place)
            }
            _ => {
                // A scalar is the only cell of an array around it.
                path.push_str(["[0]", "[1]", ".new"].choose(random).unwrap());
                None
            }
        };
        if here.is_none() || random.random_range(0..4) == 0 {
            return path;
        }
    }
}

async fn printed(session: &mut Conn, id: u64) -> String {
    let sql = "SELECT CAST(j AS CHAR) FROM t WHERE id = ?";
    session.exec_first(sql, (id,)).await.unwrap().unwrap()
}

/// Updates each document again and again; hands back what it was after each update.
async fn change(session: &mut Conn, random: &mut StdRng) -> BTreeMap<(u64, u64), String> {
    let mut expected = BTreeMap::new();
    for id in 1..=DOCUMENTS {
        // Long enough that diffs are shorter, and sometimes too long for a small container.
        let padding = "p".repeat(if id % 10 == 0 { 70_000 } else { 2_000 });
        let sql = "INSERT INTO t (id, j) VALUES (?, JSON_OBJECT('padding', ?,
                   'objects', CAST(? AS JSON), 'list', CAST(? AS JSON)))";
        let members: Vec<String> = (0..4).map(|_| document(random, 3)).collect();
        let object = format!("{{\"a\":{},\"b\":{}}}", members[0], members[1]);
        let list = format!("[{},{},1,2.5,\"x\"]", members[2], members[3]);
        session.exec_drop(sql, (id, padding, object, list)).await.unwrap();
        let mut now = printed(session, id).await;
        expected.insert((id, 0), now.clone());
        for n in 1..=UPDATES {
            let json = serde_json::from_str(&now).unwrap();
            let update = Update::new(random, &json);
            let sql = format!("UPDATE t SET n = {n}, j = {} WHERE id = {id}", update.sql);
            session.exec_drop(&sql, update.parameters.clone()).await.unwrap_or_else(|error| {
                panic!("{error}: {sql} {:?}", update.parameters);
            });
            now = printed(session, id).await;
            expected.insert((id, n), now.clone());
        }
    }
    expected
}

/// Compares every image in the log; hands back the diffs of those that were partial.
async fn compare(database: &str, expected: &BTreeMap<(u64, u64), String>) -> Vec<Vec<u8>> {
    let rows = log::rows(database).await;
    assert_eq!(rows.len(), expected.len());
    let mut partial = Vec::new();
    for row in rows {
        let at = (row.id, row.n);
        assert_eq!(row.json.text().as_ref(), expected.get(&at), "row and update {at:?}");
        if let log::Json::Partial { diffs, .. } = row.json {
            partial.push(diffs);
        }
    }
    partial
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_updates_make_the_document_that_the_server_made() {
    if !require("mysql") {
        return;
    }
    let mut random = seeded();
    let mut session = session("json_partial").await;
    session.query_drop("SET binlog_row_value_options = 'PARTIAL_JSON'").await.unwrap();
    let expected = change(&mut session, &mut random).await;
    let partial = compare("json_partial", &expected).await;
    let begin_with =
        |operation: u8| partial.iter().filter(|diffs| diffs.first() == Some(&operation)).count();
    let hold = |part: &[u8]| {
        partial.iter().filter(|diffs| diffs.windows(part.len()).any(|it| it == part)).count()
    };
    let counts = [begin_with(0), begin_with(1), begin_with(2), hold(b"[last"), hold(b".\"")];
    eprintln!("{} of {} images were partial: {counts:?}", partial.len(), expected.len());
    assert!(partial.len() > 400, "only {} images were partial", partial.len());
    assert!(counts.iter().all(|count| *count > 10), "of each kind: {counts:?}");
}

/// The server updates documents in place, which leaves holes in their bytes.
#[tokio::test(flavor = "multi_thread")]
async fn documents_updated_in_place_are_printed_as_the_server_prints_them() {
    if !require("mysql") {
        return;
    }
    let mut random = seeded();
    let mut session = session("json_in_place").await;
    let expected = change(&mut session, &mut random).await;
    assert!(compare("json_in_place", &expected).await.is_empty());
}
