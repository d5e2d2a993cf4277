//! Judges a mapping by its syntax tree: can it be evaluated incrementally, and how?
//!
//! The rules keep `incremental = full`. A row of the result is found again through the source
//! rows it was made from (provenance); where that cannot work, a person says how changed rows
//! lead to units (`affects`); where nothing can work, the mapping is refused. Pure: the tree comes
//! from the store, and the rewritten trees go back to it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::outputs::Outputs;
use super::refuse::{Refusal, always};
use super::rewrite::{affects_tree, body_tree, watch_tree};
use super::scope::{Relation, TableUse, mentions, relations, table_uses};
use super::syntax::{any, cte_names, list, query, some, text};
use super::{Mapping, Syntax, header::nearest_alias};
use crate::canon::entity::Entity;
use crate::error::{Error, ErrorKind, Result};

/// How a mapping is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Attributes it contributes, in the entity's order.
    pub attributes: Vec<String>,
    /// The unit columns.
    pub units: Vec<Unit>,
    /// Where each result row comes from, by alias.
    pub provenance: Vec<Provenance>,
    /// The table behind the driver alias.
    pub driver_table: String,
    /// True if it returns `_next_at`.
    pub next_at: bool,
    /// The mapping itself, with the driver's table named [`DRIVER`] and `$as_of` named [`AS_OF`].
    pub body: Value,
    /// How changed rows lead to units; an alias may have two.
    pub routes: Vec<Route>,
    /// Mirror tables it reads.
    pub tables: BTreeSet<String>,
}

/// Stands for the driver's table in [`Plan::body`].
pub const DRIVER: &str = "__trueup_driver__";
/// Stands for the changed rows in an `affects` tree.
pub const DELTA: &str = "__trueup_delta__";
/// The name of the parameter `$as_of` in [`Plan::body`].
pub const AS_OF: &str = "__trueup_as_of__";

/// A unit column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name in the result.
    pub output: String,
    /// The driver's column it is.
    pub column: String,
}

/// Which result columns hold the key of the source row of one alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The alias.
    pub alias: String,
    /// SQL over the result, one expression per key column.
    pub columns: Vec<String>,
}

/// How changed rows of one alias lead to units.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The alias.
    pub alias: String,
    /// Its mirror table.
    pub table: String,
    /// The way.
    pub way: Way,
}

/// See [`Route`].
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// The unit columns are columns of the changed row itself.
    Driver,
    /// By the row's key: stored provenance, and this tree (unit columns, then key columns).
    Watch {
        /// The table's key columns.
        key: Vec<String>,
        /// Gives units and keys on the present state of the mirror.
        tree: Value,
        /// Must also run on the old state: a condition can hide rows because of this alias.
        before: bool,
    },
    /// As the mapping says; runs on the old and on the new state.
    Affects {
        /// Gives units from the changed rows, named [`DELTA`].
        tree: Value,
        /// Its last column is the commit time of the changed row.
        timed: bool,
    },
}

/// Judges `mapping` for `entity`; `schema` is where the mirror of its source lives.
///
/// # Errors
/// [`ErrorKind::Config`]: the construct that cannot be evaluated incrementally, with its line and
/// the remedy.
pub fn analyse(mapping: &Mapping, entity: &Entity, syntax: &Syntax, schema: &str) -> Result<Plan> {
    plan(mapping, entity, syntax, schema).map_err(|refusal| {
        let before = refusal.place.and_then(|place| mapping.select.get(..place));
        let line = mapping.select_line + before.unwrap_or_default().matches('\n').count();
        let what = format!("{}:{line}: {}", mapping.path, refusal.what);
        Error::new(ErrorKind::Config, what).hint(refusal.remedy)
    })
}

type Judged<T> = std::result::Result<T, Refusal>;

fn plan(mapping: &Mapping, entity: &Entity, syntax: &Syntax, schema: &str) -> Judged<Plan> {
    let select = query(&syntax.select).filter(|node| text(node, "type") == "SELECT_NODE");
    let select = select.ok_or_else(|| {
        let remedy = "put it into a derived table joined to the driver, with `affects` routes";
        Refusal::at(&Value::Null, "the mapping is not one plain SELECT", remedy)
    })?;
    match always(select, syntax) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }?;
    let ctes = cte_names(select);
    let from = some(select, "from_table").unwrap_or(&Value::Null);
    let relations = relations(from, &ctes);
    let uses = table_uses(select, &ctes);
    aliases_are_unique(&uses)?;
    driver(mapping, &relations)?;
    let folded = folded(select, syntax);
    for table in &uses {
        routed(mapping, table, &relations, folded)?;
    }
    declared_aliases_exist(mapping, &uses)?;
    let outputs = Outputs::read(mapping, entity, select, relations.len() == 1)?;
    time(select, &outputs)?;
    units_stay_whole(mapping, select, &outputs, syntax, relations.len() == 1)?;
    let mut routes = Vec::new();
    for table in &uses {
        routes.extend(self::routes(mapping, table, &relations, syntax, &outputs, schema)?);
    }
    let is_driver = |table: &&TableUse<'_>| table.alias.eq_ignore_ascii_case(&mapping.driver);
    let driver_table = uses.iter().find(is_driver).map(|table| table.table.to_owned());
    let mut tables: BTreeSet<String> = uses.iter().map(|table| table.table.to_owned()).collect();
    tables.extend(syntax.affects.values().flat_map(affects_tables));
    Ok(Plan {
        body: body_tree(&syntax.select, &ctes, schema, Some(&mapping.driver)),
        attributes: outputs.attributes,
        units: outputs.units,
        provenance: outputs.provenance,
        next_at: outputs.next_at,
        driver_table: driver_table.unwrap_or_default(),
        routes,
        tables,
    })
}

fn affects_tables(tree: &Value) -> Vec<String> {
    let uses = table_uses(tree, &cte_names(tree));
    let read = uses.iter().filter(|table| !table.table.eq_ignore_ascii_case("delta"));
    read.map(|table| table.table.to_owned()).collect()
}

fn aliases_are_unique(uses: &[TableUse<'_>]) -> Judged<()> {
    let mut seen = BTreeSet::new();
    for table in uses {
        if !seen.insert(table.alias.to_lowercase()) {
            let what = format!("alias `{}` stands for two uses of a table", table.alias);
            let remedy = "give every use of a table its own alias, also in subqueries";
            return Err(Refusal::at(table.node, what, remedy));
        }
    }
    Ok(())
}

fn driver(mapping: &Mapping, relations: &[Relation<'_>]) -> Judged<()> {
    let alias = &mapping.driver;
    let nowhere = Value::Null;
    let refuse = |what: String, remedy: &str| Err(Refusal::at(&nowhere, what, remedy));
    let found = relations.iter().find(|relation| relation.alias.eq_ignore_ascii_case(alias));
    let Some(relation) = found else {
        let names = relations.iter().map(|relation| relation.alias);
        let hint = nearest_alias(alias, names).map(|name| format!("did you mean `{name}`?"));
        let hint = hint.unwrap_or_else(|| "name an alias of the FROM clause".to_owned());
        return refuse(format!("driver `{alias}` is not in the FROM clause"), &hint);
    };
    if relation.table.is_none() {
        let what = format!("driver `{alias}` is not a table of the mirror");
        return refuse(what, "drive by a table that stands directly in the FROM clause");
    }
    if relation.nullable || relation.hidden {
        let what = format!("driver `{alias}` may be missing from a row (outer, SEMI or ANTI join)");
        return refuse(what, "drive by the side of the join that is always there");
    }
    Ok(())
}

/// The construct of the top SELECT that makes one row out of many, or looks at other rows.
fn folded(select: &Value, syntax: &Syntax) -> Option<&'static str> {
    let outside = [some(select, "select_list"), some(select, "qualify"), some(select, "having")];
    let below = |test: &dyn Fn(&Value) -> bool| {
        outside.iter().flatten().any(|part| any_outside_subqueries(part, test))
    };
    if !list(select, "group_expressions").is_empty()
        || text(select, "aggregate_handling") == "FORCE_AGGREGATES"
    {
        return Some("GROUP BY");
    }
    if below(&|node| is_aggregate(node, syntax)) || some(select, "having").is_some() {
        return Some("an aggregate");
    }
    if below(&|node| text(node, "class") == "WINDOW") {
        return Some("a window function");
    }
    let distinct = |node: &Value| text(node, "type") == "DISTINCT_MODIFIER";
    list(select, "modifiers").iter().any(distinct).then_some("DISTINCT")
}

/// True if `node` calls an aggregate function.
pub(super) fn is_aggregate(node: &Value, syntax: &Syntax) -> bool {
    let name = text(node, "function_name").to_lowercase();
    text(node, "class") == "FUNCTION"
        && (syntax.aggregates.contains(&name)
            // Macros over aggregates, which the catalog does not list as such.
            || matches!(name.as_str(), "geomean" | "geometric_mean" | "wavg" | "weighted_avg"
                | "json_group_array" | "json_group_object" | "json_group_structure"))
}

fn any_outside_subqueries(node: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    match node {
        Value::Object(fields) if text(node, "class") != "SUBQUERY" => {
            test(node) || fields.values().any(|field| any_outside_subqueries(field, test))
        }
        Value::Array(items) => items.iter().any(|item| any_outside_subqueries(item, test)),
        _ => false,
    }
}

/// Every use of a table needs a way from its changed rows to units.
fn routed(
    mapping: &Mapping,
    table: &TableUse<'_>,
    relations: &[Relation<'_>],
    folded: Option<&'static str>,
) -> Judged<()> {
    let alias = table.alias;
    let remedy = format!("add `-- affects {alias}: SELECT <unit columns> FROM delta …`");
    if lookup(&mapping.affects, alias).is_some() {
        return Ok(());
    }
    if let Some(construct) = table.inside.or(folded) {
        let what = format!(
            "alias `{alias}` stands below {construct}, where provenance cannot tell \
            which units a changed row touches"
        );
        return Err(Refusal::at(table.node, what, remedy));
    }
    let Some(watch) = lookup(&mapping.watch, alias) else {
        let what =
            format!("alias `{alias}` has no route: a change of {} would be missed", table.table);
        let remedy = format!(
            "watch it (`{alias} = {}.id` and `{alias}.id AS _from_{alias}`), or {remedy}",
            table.table
        );
        return Err(Refusal::at(table.node, what, remedy));
    };
    if !watch.table.eq_ignore_ascii_case(table.table) {
        let what =
            format!("alias `{alias}` is table {}, but watched as {}", table.table, watch.table);
        let remedy = format!("write `{alias} = {}.<key>` in `-- watch:`", table.table);
        return Err(Refusal::at(table.node, what, remedy));
    }
    let is_tested = |relation: &Relation<'_>| relation.alias == alias && relation.tested;
    if relations.iter().any(is_tested) {
        let what = format!("alias `{alias}` may be missing, and a later join tests it");
        return Err(Refusal::at(table.node, what, remedy));
    }
    Ok(())
}

/// Looks up an alias; SQL names do not mind case.
pub(super) fn lookup<'a, T>(map: &'a BTreeMap<String, T>, alias: &str) -> Option<&'a T> {
    map.iter().find(|(name, _)| name.eq_ignore_ascii_case(alias)).map(|(_, value)| value)
}

fn declared_aliases_exist(mapping: &Mapping, uses: &[TableUse<'_>]) -> Judged<()> {
    for alias in mapping.watch.keys().chain(mapping.affects.keys()) {
        if !uses.iter().any(|table| table.alias.eq_ignore_ascii_case(alias)) {
            let near = nearest_alias(alias, uses.iter().map(|table| table.alias));
            let hint = near.map(|name| format!("did you mean `{name}`?"));
            let hint = hint.unwrap_or_else(|| "remove its route".to_owned());
            let what = format!("`{alias}` has a route but is no alias of the SELECT");
            return Err(Refusal::at(&Value::Null, what, hint));
        }
    }
    Ok(())
}

/// `$as_of` only shapes values: a row that time hides has no `_next_at` to bring it back.
fn time(select: &Value, outputs: &Outputs) -> Judged<()> {
    let is_time = |node: &Value| text(node, "class") == "PARAMETER";
    for part in ["where_clause", "having", "qualify", "from_table", "cte_map", "group_expressions"]
    {
        if select.get(part).is_some_and(|node| any(node, &is_time)) {
            let what = format!(
                "$as_of in {}: a row that is left out cannot say when it is due",
                part.replace('_', " ")
            );
            let remedy = "make it a column (a status, a scalar subquery) and let `_next_at` say when \
                it changes";
            return Err(Refusal::at(&Value::Null, what, remedy));
        }
    }
    if any(select, &is_time) && !outputs.next_at {
        let what =
            "$as_of without `_next_at`: nothing would evaluate the row again when time passes";
        let remedy = "return `_next_at`, the TIMESTAMP at which the row changes, or NULL for never";
        return Err(Refusal::at(&Value::Null, what, remedy));
    }
    Ok(())
}

/// Filtering the driver to some units must leave everything else of these units in sight.
fn units_stay_whole(
    mapping: &Mapping,
    select: &Value,
    outputs: &Outputs,
    syntax: &Syntax,
    single: bool,
) -> Judged<()> {
    let names: Vec<&str> = outputs.units.iter().map(|unit| unit.output.as_str()).collect();
    let remedy = format!("make the unit ({}) part of it", names.join(", "));
    let mut split: Option<Refusal> = None;
    for part in ["select_list", "qualify"].iter().filter_map(|part| some(select, part)) {
        any_outside_subqueries(part, &|node| {
            text(node, "class") == "WINDOW"
                && !outputs.covered_by(list(node, "partitions"), &mapping.driver, single)
        })
        .then(|| {
            let what = "a window function looks at rows of other units (PARTITION BY)";
            split.get_or_insert(Refusal::at(part, what, remedy.clone()));
        });
    }
    if let Some(refusal) = split {
        return Err(refusal);
    }
    let handling = text(select, "aggregate_handling");
    let grouped = list(select, "group_expressions");
    let sets = list(select, "group_sets").len();
    if sets > 1 {
        let remedy = "write one SELECT per grouping";
        return Err(Refusal::at(select, "ROLLUP, CUBE or GROUPING SETS", remedy));
    }
    let aggregated =
        any_outside_subqueries(some(select, "select_list").unwrap_or(&Value::Null), &|node| {
            is_aggregate(node, syntax)
        });
    let groups = grouped.iter().map(|node| outputs.grouped(node).unwrap_or_else(|| node.clone()));
    let groups: Vec<Value> = groups.collect();
    let folded = !grouped.is_empty() || aggregated;
    if folded
        && handling != "FORCE_AGGREGATES"
        && !outputs.covered_by(&groups, &mapping.driver, single)
    {
        let what = "GROUP BY makes rows out of several units";
        return Err(Refusal::at(select, what, remedy));
    }
    Ok(())
}

fn routes(
    mapping: &Mapping,
    table: &TableUse<'_>,
    relations: &[Relation<'_>],
    syntax: &Syntax,
    outputs: &Outputs,
    schema: &str,
) -> Judged<Vec<Route>> {
    let route = |way| Route { alias: table.alias.to_owned(), table: table.table.to_owned(), way };
    let mut routes = Vec::new();
    let is_driver = table.alias.eq_ignore_ascii_case(&mapping.driver);
    if is_driver {
        routes.push(route(Way::Driver));
    }
    if let Some(tree) = lookup(&syntax.affects, table.alias) {
        let (tree, timed) = affects_tree(table.alias, tree, outputs.units.len(), syntax, schema)?;
        routes.push(route(Way::Affects { tree, timed }));
    } else if let (false, Some(watch)) = (is_driver, lookup(&mapping.watch, table.alias)) {
        let select = query(&syntax.select).unwrap_or(&Value::Null);
        let nullable = relations.iter().any(|one| one.alias == table.alias && one.nullable);
        let condition = some(select, "where_clause");
        let before = nullable && condition.is_some_and(|node| mentions(node, table.alias));
        let tree = watch_tree(&syntax.select, schema, mapping, outputs, table.alias, &watch.key);
        routes.push(route(Way::Watch { key: watch.key.clone(), tree, before }));
    }
    Ok(routes)
}
