//! From a mapping file to SQL the store can run: parse with DuckDB, judge in `canon`, and write
//! the rewritten trees back as SQL.
//!
//! Operator text is only ever a bound parameter here: what runs is what DuckDB prints for the
//! judged tree, so no second statement can hide in it. No table is touched.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use duckdb::Connection;
use serde_json::{Value, json};

use super::sql::quote;
use crate::canon::entity::Entity;
use crate::canon::mapping::{
    AS_OF, Contribution, DELTA, DRIVER, Mapping, Plan, Provenance, Syntax, Unit, Way, analyse,
};
use crate::error::{Error, ErrorKind, Result};
use crate::store::refusal::failed;

/// A mapping ready to run.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The source.
    pub(super) source: String,
    /// The entity it contributes to.
    pub(super) entity: Entity,
    /// Attributes it contributes, in the entity's order.
    pub(super) attributes: Vec<String>,
    /// Its unit columns.
    pub(super) units: Vec<Unit>,
    /// Its provenance columns.
    pub(super) provenance: Vec<Provenance>,
    /// True if it returns `_next_at`.
    pub(super) next_at: bool,
    /// The driver's table, qualified and quoted.
    pub(super) driver_table: String,
    /// Where changed rows lead.
    pub(super) routes: Vec<Step>,
    /// Mirror tables it reads.
    pub(super) tables: BTreeSet<String>,
    body: String,
}

/// A route as SQL.
#[derive(Debug)]
pub(super) struct Step {
    /// The alias it starts at.
    pub(super) alias: String,
    /// The mirror table whose changes it follows.
    pub(super) table: String,
    /// How.
    pub(super) way: SqlWay,
}

/// See [`Way`]; trees have become SQL.
#[derive(Debug)]
pub(super) enum SqlWay {
    /// See [`Way::Driver`].
    Driver,
    /// See [`Way::Watch`].
    Watch { key: Vec<String>, sql: String, before: bool },
    /// See [`Way::Affects`].
    Affects { sql: String, timed: bool },
}

/// What DuckDB knows about its functions.
#[derive(Debug)]
pub(in crate::store) struct Functions {
    /// Names of aggregates.
    pub(in crate::store) aggregates: BTreeSet<String>,
    /// Names of functions that are not decided by their arguments.
    pub(in crate::store) volatile: BTreeSet<String>,
}

impl Functions {
    /// What the catalog says. It is read once for all connections of the process (it costs 20 ms,
    /// and every mapping and target asks): only what DuckDB brings along is in it.
    pub(in crate::store) fn known(connection: &Connection) -> Result<&'static Self> {
        static KNOWN: OnceLock<Functions> = OnceLock::new();
        if let Some(known) = KNOWN.get() {
            return Ok(known);
        }
        let read = Self::read(connection).map_err(|error| {
            failed("could not read the functions of the store".to_owned(), &error)
        })?;
        Ok(KNOWN.get_or_init(|| read))
    }

    fn read(connection: &Connection) -> duckdb::Result<Self> {
        let mut functions = Self { aggregates: BTreeSet::new(), volatile: BTreeSet::new() };
        let mut statement = connection.prepare(
            "SELECT DISTINCT lower(function_name), function_type = 'aggregate',
                    coalesce(stability <> 'CONSISTENT', false)
             FROM duckdb_functions()",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            if row.get(1)? {
                functions.aggregates.insert(name.clone());
            }
            if row.get(2)? {
                functions.volatile.insert(name);
            }
        }
        Ok(functions)
    }
}

impl Compiled {
    /// Judges and compiles one contribution.
    pub(super) fn new(
        connection: &Connection,
        contribution: &Contribution,
        entity: &Entity,
        schema: &str,
        functions: &Functions,
    ) -> Result<Self> {
        let mapping = &contribution.mapping;
        let syntax = syntax(connection, mapping, functions)?;
        let plan = analyse(mapping, entity, &syntax, schema)?;
        let Plan { attributes, units, provenance, next_at, driver_table, body, routes, tables } =
            plan;
        let mut steps = Vec::new();
        for route in routes {
            let sql = |tree: &Value| unparse(connection, tree, &mapping.path);
            let way = match route.way {
                Way::Driver => SqlWay::Driver,
                Way::Watch { key, tree, before } => SqlWay::Watch { key, sql: sql(&tree)?, before },
                Way::Affects { tree, timed } => SqlWay::Affects { sql: sql(&tree)?, timed },
            };
            steps.push(Step { alias: route.alias, table: route.table, way });
        }
        Ok(Self {
            source: contribution.source.clone(),
            entity: entity.clone(),
            attributes,
            units,
            provenance,
            next_at,
            driver_table: format!("{}.{}", quote(schema), quote(&driver_table)),
            routes: steps,
            tables,
            body: unparse(connection, &body, &mapping.path)?,
        })
    }

    /// The table of its contributions, qualified and quoted.
    pub(super) fn contrib(&self) -> String {
        format!("contrib.{}", quote(&self.contrib_name()))
    }

    /// The same, bare.
    pub(super) fn contrib_name(&self) -> String {
        format!("{}__{}", self.source, self.entity.name)
    }

    /// Columns of the contributions in table order: attributes, units, provenance, `_next_at`.
    pub(super) fn columns(&self) -> Vec<String> {
        let units = self.units.iter().map(unit_column);
        let mut columns: Vec<String> = self.attributes.iter().cloned().chain(units).collect();
        columns.extend(self.provenance.iter().flat_map(provenance_columns));
        columns.push("_next_at".to_owned());
        columns
    }

    /// The whole evaluation as SQL, giving [`Self::columns`]. `driver` takes the place of the
    /// driver's table.
    pub(super) fn select(&self, driver: &str, as_of_micros: i64) -> String {
        let as_of = format!("make_timestamp({as_of_micros})");
        let body = self.body.replace(DRIVER, driver).replace(&format!("${AS_OF}"), &as_of);
        let attribute = |name: &String| {
            let kind = self.entity.attribute(name).map(|known| known.kind.sql());
            let (name, kind) = (quote(name), kind.unwrap_or_default());
            if !kind.starts_with("DATE") && !kind.starts_with("TIMESTAMP") {
                return format!("CAST({name} AS {kind}) AS {name}");
            }
            // DuckDB casts '0044-03-15 BC' to a year after Christ.
            format!(
                "CASE WHEN ends_with(CAST({name} AS VARCHAR), ' BC') \
                 THEN error('a year before Christ') ELSE CAST({name} AS {kind}) END AS {name}"
            )
        };
        let mut items: Vec<String> = self.attributes.iter().map(attribute).collect();
        let unit =
            |unit: &Unit| format!("{} AS {}", quote(&unit.output), quote(&unit_column(unit)));
        items.extend(self.units.iter().map(unit));
        for one in &self.provenance {
            let named = one.columns.iter().zip(provenance_columns(one));
            items.extend(named.map(|(sql, name)| format!("{sql} AS {}", quote(&name))));
        }
        // A moment that has passed waits for nothing.
        let next_at = format!("CASE WHEN _next_at > {as_of} THEN CAST(_next_at AS TIMESTAMP) END");
        let next_at = if self.next_at { next_at } else { "CAST(NULL AS TIMESTAMP)".to_owned() };
        items.push(format!("{next_at} AS _next_at"));
        format!("SELECT {} FROM ({body}) AS _mapping", items.join(", "))
    }
}

impl Step {
    /// The `affects` SQL over the rows that `delta` (a FROM item in parentheses) gives.
    pub(super) fn over(sql: &str, delta: &str) -> String {
        sql.replace(DELTA, delta)
    }
}

/// How a unit column is called in the contributions.
pub(super) fn unit_column(unit: &Unit) -> String {
    format!("_unit_{}", unit.output)
}

/// How provenance columns are called in the contributions.
pub(super) fn provenance_columns(provenance: &Provenance) -> Vec<String> {
    let alias = &provenance.alias;
    match provenance.columns.len() {
        1 => vec![format!("_from_{alias}")],
        many => (1..=many).map(|n| format!("_from_{alias}_{n}")).collect(),
    }
}

fn syntax(connection: &Connection, mapping: &Mapping, functions: &Functions) -> Result<Syntax> {
    let select = parse(connection, &mapping.select, mapping, mapping.select_line)?;
    let mut syntax = Syntax {
        select,
        aggregates: functions.aggregates.clone(),
        volatile: functions.volatile.clone(),
        ..Syntax::default()
    };
    for (alias, sql) in &mapping.affects {
        syntax.affects.insert(alias.clone(), parse(connection, sql, mapping, 1)?);
    }
    Ok(syntax)
}

/// The syntax tree of one SELECT that stands at `line` of the mapping's file.
fn parse(connection: &Connection, sql: &str, mapping: &Mapping, line: usize) -> Result<Value> {
    let tree = parse_select(connection, sql)?;
    let message = tree.get("error_message").and_then(Value::as_str);
    if let Some(message) = message {
        let place = tree.get("position").and_then(Value::as_str).and_then(|at| at.parse().ok());
        let before = place.and_then(|place: usize| sql.get(..place)).unwrap_or_default();
        let line = line + before.matches('\n').count();
        let what = format!("{}:{line}: {message}", mapping.path);
        return Err(Error::new(ErrorKind::Config, what).hint("write one SELECT in DuckDB's SQL"));
    }
    Ok(tree)
}

/// What `json_serialize_sql` says about `sql`: a tree, or its own error object.
pub(in crate::store) fn parse_select(connection: &Connection, sql: &str) -> Result<Value> {
    let what = || "could not parse a SELECT".to_owned();
    let text: String = connection
        .query_row("SELECT json_serialize_sql(CAST(? AS VARCHAR))::VARCHAR", [sql], |row| {
            row.get(0)
        })
        .map_err(|error| failed(what(), &error))?;
    serde_json::from_str(&text).map_err(|e| Error::new(ErrorKind::Bug, what()).caused_by(e))
}

/// The SQL of a tree. DuckDB must read it back as the same tree: a construct it cannot print
/// faithfully is refused rather than evaluated as something else.
pub(in crate::store) fn unparse(
    connection: &Connection,
    tree: &Value,
    name: &str,
) -> Result<String> {
    let sql: String = connection
        .query_row("SELECT json_deserialize_sql(CAST(? AS JSON))", [tree.to_string()], |row| {
            row.get(0)
        })
        .map_err(|error| failed(format!("{name}: could not rewrite the SQL"), &error))?;
    let again = parse_select(connection, &sql)?;
    if without_places(again.get("statements")) != without_places(tree.get("statements")) {
        let what = format!("{name}: the SQL uses a construct that cannot be rewritten");
        return Err(Error::new(ErrorKind::Config, what).hint(
            "write joins with ON, without CROSS JOIN inside parentheses, and without lambdas",
        ));
    }
    Ok(sql)
}

fn without_places(tree: Option<&Value>) -> Value {
    match tree {
        Some(Value::Object(fields)) => {
            let kept = fields
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "query_location" | "named_param_map"));
            json!(kept.map(|(n, f)| (n.clone(), without_places(Some(f)))).collect::<Fields>())
        }
        Some(Value::Array(items)) => {
            Value::Array(items.iter().map(|item| without_places(Some(item))).collect())
        }
        Some(other) => other.clone(),
        None => Value::Null,
    }
}

type Fields = std::collections::BTreeMap<String, Value>;
