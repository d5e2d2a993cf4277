//! Every construct that cannot be evaluated incrementally is refused by name, with its remedy.

use std::collections::BTreeMap;

use trueup::error::ErrorKind;
use trueup::store::evaluate::Evaluator;

use super::bench::{open, set};
use super::packs::{BADGE, COST_RATE, LOCKER, MEMBER, TABLES, TOTAL, WORKER, entities, write};

/// `Ok` or the error with its remedy.
fn judge(mapping: &str) -> Result<(), String> {
    let folder = entities();
    write(folder.path(), "mappings/own/mapping.sql", mapping);
    let set = set(folder.path(), &[("erp", "own", "")], &[]);
    Evaluator::new(&set, &BTreeMap::new()).map(|_| ()).map_err(|error| {
        assert_eq!(error.kind(), ErrorKind::Config, "{}", error.chain());
        assert!(error.chain().contains("mapping.sql"), "names no file: {}", error.chain());
        format!("{} / {}", error.chain(), error.remedy().expect("a remedy"))
    })
}

/// `mapping` is fine as it is, and refused with all `words` after `from` has become `to`.
fn refused(mapping: &str, from: &str, to: &str, words: &[&str]) {
    judge(mapping).unwrap();
    let changed = mapping.replacen(from, to, 1);
    assert_ne!(changed, mapping, "`{from}` is not in the mapping");
    let error = judge(&changed).expect_err(to);
    for word in words {
        assert!(error.contains(word), "`{to}`: no `{word}` in: {error}");
    }
}

#[test]
fn what_has_no_route() {
    refused(WORKER, ", mp = party.id", "", &["`mp` has no route", "affects mp"]);
    refused(WORKER, "e.id AS _from_e, ", "", &["provenance `_from_e`", "`e.id AS _from_e`"]);
    refused(WORKER, "m.id AS _from_m", "m.party AS _from_m", &["not the key", "m.id"]);
    refused(WORKER, "mp = party.id", "mp = employee.id", &["table party", "watched as employee"]);
    refused(WORKER, "m = employee.id, mp", "mm = employee.id, mp", &["`m` has no route"]);
    refused(
        MEMBER,
        "row(m.project_id, m.employee)",
        "row(m.employee, m.project_id)",
        &["not the key"],
    );
    let both = MEMBER.replace(
        "row(m.project_id, m.employee) AS _from_m",
        "m.project_id AS _from_m_1, m.employee AS _from_m_2",
    );
    judge(&both).unwrap();
}

#[test]
fn what_looks_at_other_rows_needs_affects() {
    let without = |mapping: &str, line: &str| {
        let start = mapping.find(line).unwrap();
        let end = start + mapping[start..].find('\n').unwrap() + 1;
        format!("{}{}", &mapping[..start], &mapping[end..])
    };
    for (mapping, line, construct) in [
        (COST_RATE, "-- affects c", "a window function"),
        (COST_RATE, "-- affects p", "a window function"),
        (BADGE, "-- affects b", "EXISTS"),
        (TOTAL, "-- affects i", "GROUP BY"),
    ] {
        let error = judge(&without(mapping, line)).unwrap_err();
        assert!(error.contains(construct) && error.contains("affects"), "{error}");
    }
    refused(WORKER, "SELECT p.code", "SELECT DISTINCT p.code", &["DISTINCT", "affects"]);
    refused(
        WORKER,
        "mp.code AS manager_no",
        "(SELECT x.code FROM party x WHERE x.id = m.party) AS manager_no",
        &["`x`", "a scalar subquery", "affects x"],
    );
    refused(
        LOCKER,
        "WHERE b.id IS NULL",
        "WHERE e.id IN (SELECT x.employee FROM item x)",
        &["`x`", "IN (SELECT"],
    );
    refused(
        LOCKER,
        "LEFT JOIN blocked b ON b.employee = e.id",
        "LEFT JOIN (SELECT x.id, x.employee FROM blocked x) b ON b.employee = e.id",
        &["`x`", "a derived table"],
    );
    refused(
        LOCKER,
        "SELECT 'L'",
        "WITH v AS (SELECT x.id FROM item x) SELECT 'L'",
        &["`x`", "a common table expression"],
    );
    refused(
        LOCKER,
        "LEFT JOIN blocked b ON b.employee = e.id\nWHERE b.id IS NULL",
        "ANTI JOIN blocked b ON b.employee = e.id",
        &["`b`", "an ANTI JOIN"],
    );
    refused(
        LOCKER,
        "SELECT 'L'",
        "WITH RECURSIVE v AS (SELECT 1 AS id UNION ALL
        SELECT x.id FROM item x JOIN v ON v.id = x.id) SELECT 'L'",
        &["`x`", "a recursion"],
    );
    refused(
        LOCKER,
        "SELECT 'L'",
        "WITH v AS (SELECT x.id FROM item x UNION SELECT y.id FROM cost y)
        SELECT 'L'",
        &["`x`", "a set operation"],
    );
    let twice = LOCKER.replace("FROM employee e", "FROM employee e UNION ALL FROM employee z");
    assert!(judge(&twice).unwrap_err().contains("not one plain SELECT"));
}

#[test]
fn what_is_not_decided_by_the_rows() {
    let in_column = |sql: &str, words: &[&str]| {
        refused(LOCKER, "'employee ' || e.id AS holder", &format!("{sql} AS holder"), words);
    };
    in_column("CAST(random() AS VARCHAR)", &["random()"]);
    in_column("CAST(uuid() AS VARCHAR)", &["uuid()"]);
    in_column("CAST(nextval('s') AS VARCHAR)", &["nextval()"]);
    in_column("CAST(now() AS VARCHAR)", &["now()", "$as_of"]);
    in_column("CAST(today() AS VARCHAR)", &["today()", "$as_of"]);
    in_column("CAST(current_date AS VARCHAR)", &["current_date", "$as_of"]);
    in_column("CAST(CURRENT_TIMESTAMP AS VARCHAR)", &["clock", "$as_of"]);
    in_column("CAST(age(DATE '2020-01-01') AS VARCHAR)", &["age()", "clock"]);
    in_column("current_user", &["current_user"]);
    in_column("CAST($other AS VARCHAR)", &["$other", "$as_of"]);
    in_column("row_number() OVER (PARTITION BY e.id)", &["ORDER BY"]);
    refused(LOCKER, "WHERE b.id IS NULL", "WHERE b.id IS NULL LIMIT 5", &["LIMIT"]);
    refused(LOCKER, "WHERE b.id IS NULL", "WHERE b.id IS NULL ORDER BY 1 OFFSET 5", &["OFFSET"]);
    refused(LOCKER, "WHERE b.id IS NULL", "WHERE b.id IS NULL USING SAMPLE 10%", &["SAMPLE"]);
    refused(LOCKER, "SELECT 'L'", "SELECT DISTINCT ON (e.id) 'L'", &["DISTINCT ON"]);
    refused(LOCKER, "LEFT JOIN blocked b", "ASOF LEFT JOIN blocked b", &["ASOF"]);
    refused(LOCKER, "FROM employee e", "FROM read_csv('x.csv') y, employee e", &["read_csv"]);
    refused(LOCKER, "FROM employee e", "FROM hr.employee e", &["hr.employee", "one source"]);
    refused(LOCKER, "'employee ' || e.id AS holder", "* EXCLUDE (id)", &["`*`"]);
    for aggregate in [
        "first(i.sheet)",
        "any_value(i.sheet)",
        "list(i.sheet)",
        "arg_max(i.id, i.hours)",
        "string_agg(i.id, ',')",
        "array_agg(i.id)",
        "mode(i.sheet)",
    ] {
        let name = aggregate.split('(').next().unwrap();
        refused(TOTAL, "count(*)", &format!("CAST({aggregate} AS BIGINT)"), &[name, "order"]);
    }
    let ordered = TOTAL.replace("count(*)", "first(i.sheet ORDER BY i.id)");
    judge(&ordered).unwrap();
    let deep = BADGE.replace(
        "SELECT 1 FROM blocked b WHERE",
        "SELECT 1 FROM blocked b WHERE b.id < random() AND",
    );
    assert!(judge(&deep).unwrap_err().contains("random()"));
}

#[test]
fn time_without_a_way_back() {
    refused(WORKER, "    CAST(e.end_date AS TIMESTAMP) AS _next_at,\n", "", &["_next_at"]);
    refused(
        WORKER,
        "FROM employee e\n",
        "FROM employee e JOIN party q ON e.end_date > $as_of\n",
        &["`q` has no route"],
    );
    let hidden = format!("{WORKER}WHERE e.end_date > $as_of OR e.end_date IS NULL\n");
    let error = judge(&hidden).unwrap_err();
    assert!(error.contains("$as_of in where clause") && error.contains("column"), "{error}");
}

#[test]
fn drivers_and_units_that_do_not_hold() {
    refused(WORKER, "-- driver: e", "-- driver: x", &["driver `x`"]);
    refused(WORKER, "-- driver: e", "-- driver: m", &["driver `m`", "always there"]);
    refused(WORKER, "e.id AS employee_id", "p.id AS employee_id", &["`employee_id`", "driver `e`"]);
    refused(WORKER, "e.id AS employee_id", "e.id + 1 AS employee_id", &["plain column"]);
    refused(WORKER, "e.id AS employee_id, ", "", &["`employee_id` is missing"]);
    refused(COST_RATE, "PARTITION BY c.employee", "PARTITION BY c.day", &["other units"]);
    refused(COST_RATE, "PARTITION BY c.employee ORDER", "ORDER", &["other units"]);
    refused(COST_RATE, "PARTITION BY c.employee", "PARTITION BY employee", &["other units"]);
    refused(TOTAL, "GROUP BY i.employee", "GROUP BY i.sheet", &["several units", "employee"]);
    refused(TOTAL, "GROUP BY i.employee", "GROUP BY ROLLUP (i.employee)", &["ROLLUP"]);
    for by in ["GROUP BY 4", "GROUP BY employee", "GROUP BY ALL"] {
        judge(&TOTAL.replace("GROUP BY i.employee", by)).unwrap();
    }
    refused(
        WORKER,
        "LEFT JOIN party mp ON mp.id = m.party",
        "JOIN party mp ON mp.id = coalesce(m.party, e.party)",
        &["`m`", "a later join tests it"],
    );
}

#[test]
fn columns_and_routes_with_mistakes() {
    refused(WORKER, "AS full_name", "AS ful_name", &["`ful_name`", "`full_name`"]);
    refused(WORKER, "p.code AS worker_no, ", "", &["key attribute `worker_no`"]);
    refused(WORKER, "AS full_name", "AS status", &["`status` is returned twice"]);
    refused(WORKER, "SELECT p.code AS", "SELECT upper(p.code), p.code AS", &["no name"]);
    refused(WORKER, "FROM employee e", "FORM employee e", &["syntax error"]);
    refused(WORKER, "SELECT p.code", "DELETE FROM party; SELECT p.code", &["SELECT"]);
    refused(WORKER, "LEFT JOIN party mp", "LEFT JOIN party p", &["`p` stands for two"]);
    refused(BADGE, "SELECT employee FROM delta", "SELECT employee, id FROM delta", &["2 columns"]);
    refused(BADGE, "SELECT employee FROM delta", "SELECT employee FROM blocked", &["`delta`"]);
    refused(BADGE, "SELECT employee FROM delta", "SELECT employee FROM delta LIMIT 1", &["LIMIT"]);
    refused(BADGE, "-- affects b", "-- affects bb", &["`b`"]);
    // The line is that of the construct.
    let error = judge(&LOCKER.replace("WHERE b.id IS NULL", "WHERE b.id IS NULL AND now() > e.id"));
    assert!(error.unwrap_err().contains("mapping.sql:9: "), "line");
}

/// Types are known only where the tables are: judged over the mirror, as `mapping test` and a
/// start do.
#[test]
fn sums_of_floating_point_values() {
    let tables = TABLES.replace("hours DECIMAL(6,2)", "hours DOUBLE");
    assert_ne!(tables, TABLES);
    let parked = |mapping: &str| {
        let folder = entities();
        write(folder.path(), "mappings/own/total.sql", mapping);
        open(folder.path(), &[("erp", "own", &tables)], &[]).evaluator.parked()
    };
    assert!(TOTAL.contains("sum(i.hours)"));
    for (to, name) in [
        ("sum(i.hours)", "sum"),
        ("CAST(avg(i.hours) AS DECIMAL(9,2))", "avg"),
        ("stddev_samp(i.id)", "stddev_samp"),
    ] {
        let found = parked(&TOTAL.replacen("sum(i.hours)", to, 1));
        let cause = found.first().map(|parked| parked.cause.as_str()).unwrap_or_default();
        for words in ["erp__total", &format!("with {name}(…)"), "CAST(… AS DECIMAL"] {
            assert!(cause.contains(words), "`{to}`: no `{words}` in: {cause}");
        }
    }
    for to in ["sum(CAST(i.hours AS DECIMAL(9,2)))", "max(i.hours)", "avg(i.id)", "count(i.hours)"]
    {
        assert_eq!(parked(&TOTAL.replacen("sum(i.hours)", to, 1)), [], "{to}");
    }
}
