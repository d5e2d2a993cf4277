//! Every type, random values: what the log says, what a copy says, and what the server itself prints.

use std::collections::BTreeMap;

use trueup::change::{Cell, Op};

use super::{Bench, Reader, chunk_rows, copy, lsn};
use crate::support::random::seeded;
use crate::support::versions::{Version, on_versions};
use crate::types::values::{GENERATED, SETUP, cases, table, writes};

const ROWS: u32 = 60;

async fn every_type_reads_the_same_in_copy_log_and_server_of_a_postgresql(version: Version) {
    let mut random = seeded();
    let bench = Bench::of(version, &format!("{SETUP} {}", table("t", version)));
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    // WHEN rows are both logged and copied
    bench.sql(&format!("SET lc_monetary = 'C'; {}", writes(&mut random, ("t", ROWS), version)));
    let chunks = copy(&source, prepared.fence, "t", 17).await;
    let end = chunks.iter().map(|chunk| lsn(&chunk.admit_after)).max().unwrap();
    reader.read_to(end).await;
    let mut logged: BTreeMap<Vec<u8>, Vec<Cell>> = BTreeMap::new();
    for row in reader.rows() {
        let mut new = row.new.unwrap().to_cells();
        let key = new[0].bytes().unwrap().to_vec();
        if row.op == Op::Update {
            let before = &logged[&key];
            for (cell, before) in new.iter_mut().zip(before).filter(|(cell, _)| cell.is_missing()) {
                *cell = before.clone();
            }
        }
        logged.insert(key, new);
    }
    // THEN both are what the server shows
    let names: Vec<&str> = std::iter::once("id")
        .chain(cases(version).iter().map(|case| case.0))
        .chain([GENERATED[0].0])
        .collect();
    let mut wrong = Vec::new();
    let found: Vec<&str> = chunks[0].table.columns.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(found, names);
    let copied: Vec<Vec<Cell>> = chunks.iter().flat_map(chunk_rows).collect();
    assert_eq!(copied.len(), ROWS as usize);
    for (place, name) in names.iter().enumerate() {
        let shown = shown(&bench, name);
        for (row, shown) in copied.iter().zip(&shown) {
            let (copy, log) = (said(&row[place]), said(&logged[row[0].bytes().unwrap()][place]));
            if copy != *shown || log != *shown {
                wrong.push(format!("{name}: copy {copy:?}, log {log:?}, server {shown:?}"));
            }
        }
        assert_eq!(shown.len(), copied.len());
    }
    assert!(wrong.is_empty(), "{} cells differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn said(cell: &Cell) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Missing => "missing".to_owned(),
        Cell::Text(bytes) => format!("x{}", String::from_utf8_lossy(bytes)),
    }
}

/// A column as the server's own output functions print it, under the settings that are promised.
fn shown(bench: &Bench, name: &str) -> Vec<String> {
    let pinned = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres';
        SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C';
        SET search_path = 'pg_catalog'; SET client_encoding = 'UTF8';";
    let text = format!(
        "CASE num_nulls({name}) WHEN 1 THEN 'NULL'
              ELSE 'x' || encode(convert_to(format('%s', {name}), 'UTF8'), 'hex') END"
    );
    let answer = bench.sql(&format!("{pinned} SELECT {text} FROM public.t ORDER BY id"));
    let unhex = |line: &str| match line.strip_prefix('x') {
        None => line.to_owned(),
        Some(hex) => {
            let bytes: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect();
            format!("x{}", String::from_utf8(bytes).unwrap())
        }
    };
    answer.lines().map(unhex).collect()
}

on_versions! {
    [postgres pg14 pg16 pg17 pg18]
    every_type_reads_the_same_in_copy_log_and_server_of_a_postgresql
}
