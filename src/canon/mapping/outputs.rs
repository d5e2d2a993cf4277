//! Reads the select list of a mapping: attributes, unit columns, provenance, `_next_at`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::analyse::{Provenance, Unit, lookup};
use super::refuse::Refusal;
use super::syntax::{column, list, output_name, text};
use super::{Mapping, Watch};
use crate::canon::entity::{Entity, suggest};

/// What the select list gives.
#[derive(Debug)]
pub(super) struct Outputs {
    /// See [`Plan`](super::Plan).
    pub(super) attributes: Vec<String>,
    /// See [`Plan`](super::Plan).
    pub(super) units: Vec<Unit>,
    /// See [`Plan`](super::Plan).
    pub(super) provenance: Vec<Provenance>,
    /// See [`Plan`](super::Plan).
    pub(super) next_at: bool,
    items: Vec<Value>,
}

type Judged<T> = std::result::Result<T, Refusal>;

impl Outputs {
    /// Reads the select list; `single` if the FROM clause has but one relation, so that columns
    /// need no alias before them.
    pub(super) fn read(
        mapping: &Mapping,
        entity: &Entity,
        select: &Value,
        single: bool,
    ) -> Judged<Self> {
        let items = list(select, "select_list");
        let named = named(items)?;
        let find = |name: &str| {
            let same = |(given, _): &&(&str, &Value)| given.eq_ignore_ascii_case(name);
            named.iter().find(same).map(|(_, item)| *item)
        };
        let units = units(mapping, &find, single)?;
        let provenance = provenance(mapping, &find, single)?;
        let next_at = find("_next_at").is_some();
        let mut known: BTreeSet<String> = units.iter().map(|unit| lower(&unit.output)).collect();
        known.extend(provenance.iter().flat_map(|one| one.outputs.clone()));
        known.insert("_next_at".to_owned());
        let attribute = |name: &str| {
            entity.attributes.iter().find(|known| known.name.eq_ignore_ascii_case(name))
        };
        for (name, item) in &named {
            if attribute(name).is_none() && !known.contains(&lower(name)) {
                let names = entity.attributes.iter().map(|known| known.name.as_str());
                let otherwise = format!(
                    "add it to the entity's file, or leave it out: {} has no \
                    such attribute",
                    entity.name
                );
                let what = format!("column `{name}` is no attribute of {}", entity.name);
                return Err(Refusal::at(item, what, suggest(name, names, &otherwise)));
            }
        }
        for key in &entity.key {
            if find(key).is_none() {
                let what = format!("the key attribute `{key}` is missing");
                let remedy = format!("return it: `… AS {key}`");
                return Err(Refusal::at(select, what, remedy));
            }
        }
        let contributed = entity.attributes.iter().filter(|known| find(&known.name).is_some());
        let attributes = contributed.map(|known| known.name.clone()).collect();
        let provenance = provenance.into_iter().map(|one| one.provenance).collect();
        Ok(Self { attributes, units, provenance, next_at, items: items.to_vec() })
    }

    /// True if every unit column is among `expressions`, as a column of the driver.
    pub(super) fn covered_by(&self, expressions: &[Value], driver: &str, single: bool) -> bool {
        let is = |unit: &Unit, node: &Value| is_column(node, driver, &unit.column, single);
        self.units.iter().all(|unit| expressions.iter().any(|node| is(unit, node)))
    }

    /// The select item that a GROUP BY expression such as `1` or `project_id` means; DuckDB itself
    /// refuses a name that means a column instead, because the unit is then not grouped.
    pub(super) fn grouped(&self, node: &Value) -> Option<Value> {
        if let Some([name]) = column(node).as_deref() {
            let same = |item: &&Value| {
                output_name(item).is_some_and(|output| output.eq_ignore_ascii_case(name))
            };
            return self.items.iter().find(same).cloned();
        }
        self.position(node)
    }

    fn position(&self, node: &Value) -> Option<Value> {
        let number = node.get("value")?.get("value")?.as_u64()?;
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        self.items.get(place).cloned()
    }
}

fn lower(name: &str) -> String {
    name.to_lowercase()
}

fn named(items: &[Value]) -> Judged<Vec<(&str, &Value)>> {
    let mut named: Vec<(&str, &Value)> = Vec::new();
    for item in items {
        if text(item, "class") == "STAR" {
            let what = "`*` in the select list: a new column of the source would change the result";
            return Err(Refusal::at(item, what, "name every column"));
        }
        let Some(name) = output_name(item) else {
            return Err(Refusal::at(item, "a column has no name", "add `AS <attribute>`"));
        };
        if named.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            let what = format!("column `{name}` is returned twice");
            return Err(Refusal::at(item, what, "remove one of the two"));
        }
        named.push((name, item));
    }
    Ok(named)
}

/// True if `node` is exactly the column `name` of `alias`.
fn is_column(node: &Value, alias: &str, name: &str, single: bool) -> bool {
    match column(node).as_deref() {
        Some([table, given]) => {
            table.eq_ignore_ascii_case(alias) && given.eq_ignore_ascii_case(name)
        }
        Some([given]) => single && given.eq_ignore_ascii_case(name),
        _ => false,
    }
}

fn units<'a>(
    mapping: &Mapping,
    find: &dyn Fn(&str) -> Option<&'a Value>,
    single: bool,
) -> Judged<Vec<Unit>> {
    let driver = &mapping.driver;
    let mut units = Vec::new();
    for output in &mapping.unit {
        let Some(item) = find(output) else {
            let what = format!("unit column `{output}` is missing");
            let remedy = format!("return it: `{driver}.<column> AS {output}`");
            return Err(Refusal::at(&Value::Null, what, remedy));
        };
        let of_driver = match column(item).as_deref() {
            Some([table, name]) if table.eq_ignore_ascii_case(driver) => Some(*name),
            Some([name]) if single => Some(*name),
            _ => None,
        };
        let Some(name) = of_driver else {
            let what =
                format!("unit column `{output}` is not a plain column of the driver `{driver}`");
            let remedy = "drive by the table that holds the unit, or name a unit the driver holds";
            return Err(Refusal::at(item, what, remedy));
        };
        units.push(Unit { output: output.clone(), column: name.to_owned() });
    }
    Ok(units)
}

/// Provenance of one alias with the names it has in the select list, lower case.
struct Found {
    provenance: Provenance,
    outputs: Vec<String>,
}

fn provenance<'a>(
    mapping: &Mapping,
    find: &dyn Fn(&str) -> Option<&'a Value>,
    single: bool,
) -> Judged<Vec<Found>> {
    let mut found = Vec::new();
    for (alias, watch) in &mapping.watch {
        if lookup(&mapping.affects, alias).is_none() {
            found.push(provenance_of(alias, watch, find, single)?);
        }
    }
    Ok(found)
}

fn provenance_of<'a>(
    alias: &str,
    watch: &Watch,
    find: &dyn Fn(&str) -> Option<&'a Value>,
    single: bool,
) -> Judged<Found> {
    let name = format!("_from_{alias}");
    let numbered: Vec<String> = (1..=watch.key.len()).map(|n| format!("{name}_{n}")).collect();
    let wanted: Vec<String> = watch.key.iter().map(|key| format!("{alias}.{key}")).collect();
    let parts: Option<Vec<&Value>> = numbered.iter().map(|name| find(name)).collect();
    let (items, outputs, columns) = match (find(&name), parts) {
        (Some(item), _) if watch.key.len() == 1 => {
            (vec![item], vec![name.clone()], vec![quote(&name)])
        }
        (Some(item), _) if matches!(text(item, "function_name"), "struct_pack" | "row") => {
            let part = |n: usize| format!("struct_extract_at({}, {n})", quote(&name));
            let columns = (1..=watch.key.len()).map(part).collect();
            (list(item, "children").iter().collect(), vec![name.clone()], columns)
        }
        (_, Some(items)) => {
            let columns = numbered.iter().map(|name| quote(name)).collect();
            (items, numbered, columns)
        }
        _ => {
            let what = format!("provenance `{name}` of a watched alias is missing");
            let remedy = match wanted.as_slice() {
                [only] => format!("return `{only} AS {name}`"),
                _ => format!("return `row({}) AS {name}`", wanted.join(", ")),
            };
            return Err(Refusal::at(&Value::Null, what, remedy));
        }
    };
    let right = items.len() == watch.key.len()
        && items.iter().zip(&watch.key).all(|(item, key)| is_column(item, alias, key, single));
    if !right {
        let what = format!("provenance `{name}` is not the key of the watched row");
        let remedy = format!("it must be {}", wanted.join(", "));
        return Err(Refusal::at(items.first().copied().unwrap_or(&Value::Null), what, remedy));
    }
    let outputs = outputs.iter().map(|name| lower(name)).collect();
    Ok(Found { provenance: Provenance { alias: alias.to_owned(), columns }, outputs })
}

/// An SQL identifier in quotes.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
